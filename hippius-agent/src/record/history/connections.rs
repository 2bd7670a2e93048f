//! Connections that are open now: what each has moved, for whom, and what it is doing.
//!
//! They are no series: nothing here is a label, and nothing of it is kept for longer than until the next look. A
//! connection is named by the number that the kernel gives its socket, which `ss --extended` shows as well; addresses of
//! clients are not read at all.

use std::sync::Arc;

use super::answer::{Live, Rate, Row, Table};
use super::filter::Filter;
use super::rows;
use super::table::Ask;
use crate::attribute::Account;

/// Most connections of one look.
pub const MAX_CONNECTIONS: usize = 1000;

/// Bit of a cookie that no socket's has: a TLS session that is known to no socket.
const SESSION: u64 = 1 << 63;

/// The most active connections at one moment.
#[derive(Debug, Clone, Default)]
pub struct View {
    /// When it was, in seconds since 1970.
    pub unix_s: f64,
    /// Seconds since the look before, which rates are about.
    pub interval_s: f64,
    /// At most [`MAX_CONNECTIONS`].
    pub lines: Vec<Line>,
    /// Connections that were less active than these.
    pub left_out: usize,
}

/// One connection.
#[derive(Debug, Clone)]
pub struct Line {
    /// The kernel's number of the socket.
    pub cookie: u64,
    /// A watched process has opened it, and did not accept it.
    pub outgoing: bool,
    /// The service, or of an outgoing connection the peer.
    pub with: Arc<str>,
    /// On whom the last request was counted, once that is known.
    pub account: Option<Arc<Account>>,
    /// Handler of the last request; empty for outgoing connections.
    pub handler: &'static str,
    /// Process that has moved its first bytes.
    pub process: u32,
    /// What it is doing: `idle`, `receive`, `process`, `send`; or what is spoken where it is no HTTP.
    pub state: &'static str,
    /// Seconds since it was first seen.
    pub age_s: f64,
    /// Requests that have begun, in all and since the look before.
    pub requests: [u64; 2],
    /// Bytes that the watched process has received, likewise.
    pub received: [u64; 2],
    /// Bytes that it has sent, likewise.
    pub sent: [u64; 2],
}

impl View {
    /// The rows that are asked for.
    pub fn table(&self, ask: &Ask) -> Table {
        let rows = self.lines.iter().filter(|line| line.passes(&ask.filter)).map(|line| self.row(line)).collect();
        Table { left_out: self.left_out, ..rows::arrange(rows, ask, self.unix_s, self.interval_s) }
    }

    fn row(&self, line: &Line) -> Row {
        let rate = |[total, lately]: [u64; 2]| Rate {
            total,
            per_second: lately as f64 / self.interval_s.max(f64::MIN_POSITIVE),
        };
        let kind = if line.cookie & SESSION == 0 { "sk" } else { "tls" };
        let (main, sub) = line.account.as_ref().map(|account| (&*account.main, &*account.sub)).unwrap_or_default();
        Row {
            name: format!("{kind}:{:x}", line.cookie & !SESSION),
            group: line.with.to_string(),
            requests: rate(line.requests),
            received: rate(line.received),
            sent: rate(line.sent),
            connection: Some(Live {
                way: if line.outgoing { "out" } else { "in" }.to_owned(),
                state: line.state.to_owned(),
                age_s: line.age_s,
                process: line.process,
                main_account: main.to_owned(),
                subaccount_id: sub.to_owned(),
                handler: line.handler.to_owned(),
            }),
            ..Row::default()
        }
    }
}

impl Line {
    /// Outgoing connections have no account, service or handler of their own.
    fn passes(&self, filter: &Filter) -> bool {
        let one = |wanted: &[String], value: &str| wanted.is_empty() || wanted.iter().any(|wanted| wanted == value);
        let (main, sub) = self.account.as_ref().map(|account| (&*account.main, &*account.sub)).unwrap_or_default();
        one(&filter.main_account, main)
            && one(&filter.subaccount_id, sub)
            && one(&filter.service, if self.outgoing { "" } else { &self.with })
            && one(&filter.handler, self.handler)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::history::table::{By, Sort};

    fn line(cookie: u64, account: Option<&str>, requests: u64) -> Line {
        Line {
            cookie,
            outgoing: account.is_none(),
            with: if account.is_some() { "api" } else { "store:80" }.into(),
            account: account.map(|main| Arc::new(Account::new(main, "sub"))),
            handler: if account.is_some() { "get_object" } else { "" },
            process: 7,
            state: "idle",
            age_s: cookie as f64,
            requests: [requests, 2],
            received: [100, 10],
            sent: [1000, 0],
        }
    }

    fn names(ask: Ask) -> Vec<String> {
        let lines = vec![line(0x1a, Some("alice"), 5), line(2, Some("bob"), 9), line(SESSION | 3, None, 1)];
        let view = View { unix_s: 1.0, interval_s: 2.0, lines, left_out: 4 };
        let table = view.table(&Ask { by: By::Connection, limit: 10, ..ask });
        assert_eq!((table.left_out, &*table.by), (4, "connection"));
        table.rows.into_iter().map(|row| row.name).collect()
    }

    #[test]
    fn connections_are_sorted_found_and_filtered() {
        assert_eq!(names(Ask { sort: Sort::RequestsTotal, ..Ask::default() }), ["sk:2", "sk:1a", "tls:3"]);
        assert_eq!(names(Ask { sort: Sort::Age, reverse: true, ..Ask::default() }), ["sk:2", "sk:1a", "tls:3"]);
        assert_eq!(names(Ask { search: "ALI".into(), ..Ask::default() }), ["sk:1a"], "by account");
        assert_eq!(names(Ask { search: "store".into(), ..Ask::default() }), ["tls:3"], "by peer");
        let filter = Filter { service: vec!["api".into()], main_account: vec!["bob".into()], ..Filter::default() };
        assert_eq!(names(Ask { filter, ..Ask::default() }), ["sk:2"]);
    }

    #[test]
    fn a_row_has_totals_rates_and_what_the_connection_does() {
        let view = View { unix_s: 1.0, interval_s: 2.0, lines: vec![line(1, Some("alice"), 5)], left_out: 0 };
        let table = view.table(&Ask { limit: 1, ..Ask::default() });
        let row = &table.rows[0];
        assert_eq!((row.requests, row.received.per_second), (Rate { total: 5, per_second: 1.0 }, 5.0));
        let live = row.connection.as_ref().expect("a connection");
        assert_eq!((&*live.way, &*live.main_account, &*live.handler), ("in", "alice", "get_object"));
        assert_eq!(table.total.sent.total, 1000);
    }
}
