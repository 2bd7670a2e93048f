//! Rows of accounts, operations, handlers and services: totals and rates.

use std::collections::HashMap;
use std::sync::Arc;

use super::History;
use super::answer::{Row, Table};
use super::filter::Filter;
use super::frame::{Entry, metric};
use super::labels;
use super::names::{Person, Tail};
use super::overview::{Buckets, MINUTE, percentile};
use super::rows;
use super::sampler::{ending, is_failure};
use crate::record::series::snapshot::Snapshot;

/// Most rows of an answer.
pub const MAX_ROWS: usize = 1000;

/// What a row is.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash)]
pub enum By {
    /// A main account.
    #[default]
    Account,
    /// A subaccount.
    Subaccount,
    /// An S3 operation of a service.
    Operation,
    /// A handler of a service.
    Handler,
    /// A service.
    Service,
    /// Whom watched processes call.
    Peer,
    /// A connection that is open now.
    Connection,
}

/// What rows are sorted by.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash)]
pub enum Sort {
    /// The name.
    Name,
    /// Requests per second, then in all.
    #[default]
    Requests,
    /// Failed requests.
    Failed,
    /// Bytes received.
    Received,
    /// Bytes sent.
    Sent,
    /// The median.
    P50,
    /// The 95th percentile.
    P95,
    /// The 99th percentile.
    P99,
    /// How long a connection is open.
    Age,
    /// What a connection is doing.
    State,
    /// The account of a connection.
    MainAccount,
    /// Requests since the start.
    RequestsTotal,
    /// Failed requests since the start.
    FailedTotal,
    /// Bytes received since the start.
    ReceivedTotal,
    /// Bytes sent since the start.
    SentTotal,
}

/// Which table is wanted.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash)]
pub struct Ask {
    /// What a row is.
    pub by: By,
    /// What comes first.
    pub sort: Sort,
    /// The least first, names from Z.
    pub reverse: bool,
    /// Part of a name or group, in any case.
    pub search: String,
    /// Which traffic.
    pub filter: Filter,
    /// Most rows; [`MAX_ROWS`] holds besides.
    pub limit: usize,
}

impl By {
    /// All, with their words in a query.
    pub const ALL: [(&'static str, Self); 7] = [
        ("account", Self::Account),
        ("subaccount", Self::Subaccount),
        ("operation", Self::Operation),
        ("handler", Self::Handler),
        ("service", Self::Service),
        ("peer", Self::Peer),
        ("connection", Self::Connection),
    ];

    /// Its word in a query.
    pub fn word(self) -> &'static str {
        Self::ALL.iter().find(|(_, by)| *by == self).map_or("", |(word, _)| word)
    }
}

impl Sort {
    /// All, with their words in a query.
    pub const ALL: [(&'static str, Self); 15] = [
        ("name", Self::Name),
        ("requests", Self::Requests),
        ("failed", Self::Failed),
        ("received", Self::Received),
        ("sent", Self::Sent),
        ("p50", Self::P50),
        ("p95", Self::P95),
        ("p99", Self::P99),
        ("age", Self::Age),
        ("state", Self::State),
        ("account", Self::MainAccount),
        ("requests_total", Self::RequestsTotal),
        ("failed_total", Self::FailedTotal),
        ("received_total", Self::ReceivedTotal),
        ("sent_total", Self::SentTotal),
    ];

    /// Its word in a query.
    pub fn word(self) -> &'static str {
        Self::ALL.iter().find(|(_, sort)| *sort == self).map_or("", |(word, _)| word)
    }
}

impl History {
    /// The rows that are asked for. Totals are those of the last sample. Connections are not kept: a
    /// [`View`](super::connections::View) has them.
    pub fn table(&self, ask: &Ask) -> Table {
        let interval_s = f64::from(self.latest_ms) / 1000.0;
        if ask.by == By::Peer {
            return rows::arrange(self.calls.rows(interval_s), ask, self.unix_s, interval_s);
        }
        let mut rows = Rows { ask, rows: HashMap::new() };
        if let Some(snapshot) = self.sampler.last() {
            rows.totals(snapshot);
            rows.rates(self, snapshot, interval_s);
        }
        rows.durations(self);
        rows.finish(self.unix_s, interval_s)
    }
}

/// Number of a row while it is counted: two names.
type Key = (Arc<str>, Arc<str>);

struct Rows<'a> {
    ask: &'a Ask,
    rows: HashMap<Key, (Row, Buckets)>,
}

/// What a family adds to a row.
#[derive(Clone, Copy, PartialEq)]
enum Part {
    Requests,
    Received,
    Sent,
}

impl Rows<'_> {
    /// Counts since the start of the agent.
    fn totals(&mut self, snapshot: &Snapshot) {
        let mut keys = Keys::default();
        for family in (0..snapshot.len()).filter_map(|index| snapshot.family(index)) {
            let operations = self.ask.by == By::Operation;
            let part = match family.metric().name {
                "s3_operations_total" if operations => Part::Requests,
                "http_requests_total" if !operations => Part::Requests,
                "http_request_bytes_total" if !operations => Part::Received,
                "http_response_bytes_total" if !operations => Part::Sent,
                _ => continue,
            };
            let mut tails: HashMap<u32, Tail> = HashMap::new();
            for (labels, cells) in (0..family.slots()).filter_map(|slot| family.numbers(slot)) {
                let tail = tails.entry(labels.tail).or_insert_with(|| read_tail(family.tail(labels.tail), operations));
                let Some(row) = self.row(&mut keys, snapshot, labels.account, tail) else { continue };
                let value = cells.first().copied().unwrap_or(0);
                match part {
                    Part::Requests => {
                        row.requests.total += value;
                        row.failed.total += if failed(tail) { value } else { 0 };
                    }
                    Part::Received => row.received.total += value,
                    Part::Sent => row.sent.total += value,
                }
            }
        }
    }

    /// Counts of the last interval, per second.
    fn rates(&mut self, history: &History, snapshot: &Snapshot, interval_s: f64) {
        let mut keys = Keys::default();
        let operations = self.ask.by == By::Operation;
        for entry in &history.latest {
            let of_operations = entry.metric() == metric::OPERATIONS;
            let (Some(slot), Some(tail)) = (entry.account().checked_sub(1), history.tails.get(entry.tail())) else {
                continue;
            };
            if of_operations != operations {
                continue;
            }
            let Some(row) = self.row(&mut keys, snapshot, slot, tail) else { continue };
            let rate = entry.value as f64 / interval_s.max(0.001);
            match entry.metric() {
                metric::RECEIVED => row.received.per_second += rate,
                metric::SENT => row.sent.per_second += rate,
                _ => {
                    row.requests.per_second += rate;
                    row.failed.per_second += if failed(tail) { rate } else { 0.0 };
                }
            }
        }
    }

    /// Durations of the last minute, for handlers and services: accounts are not kept one by one.
    fn durations(&mut self, history: &History) {
        let by_service = self.ask.by == By::Service;
        if !by_service && self.ask.by != By::Handler {
            return;
        }
        let frames = history.short.iter().rev().take(MINUTE).flat_map(|frame| frame.entries());
        let is_duration = |entry: &Entry| (metric::DURATION..metric::RECEIVE).contains(&entry.metric());
        for entry in frames.filter(is_duration) {
            let Some(tail) = history.tails.get(entry.tail()) else { continue };
            let person = history.people.get(entry.account());
            if !self.ask.filter.place(tail) || !self.ask.filter.account(person) {
                continue;
            }
            let key = place_key(tail, by_service);
            let bucket = usize::from(entry.metric() - metric::DURATION);
            if let Some((_, buckets)) = self.rows.get_mut(&key)
                && let Some(count) = buckets.get_mut(bucket)
            {
                *count += entry.value;
            }
        }
    }

    /// The row that `account` and `tail` belong to, if they pass the filter.
    fn row(&mut self, keys: &mut Keys, snapshot: &Snapshot, account: u32, tail: &Tail) -> Option<&mut Row> {
        let (by, filter) = (self.ask.by, &self.ask.filter);
        let passes = if tail.has_handler { filter.place(tail) } else { filter.service(&tail.service) };
        if !passes {
            return None;
        }
        let key = match by {
            By::Account | By::Subaccount => keys.account(snapshot, account, by, filter)?,
            _ if filter.by_account() && keys.account(snapshot, account, By::Subaccount, filter).is_none() => {
                return None;
            }
            _ => place_key(tail, by == By::Service),
        };
        Some(&mut self.rows.entry(key).or_default().0)
    }

    fn finish(self, unix_s: f64, interval_s: f64) -> Table {
        let rows = self.rows.into_iter().map(|((name, group), (row, buckets))| Row {
            name: name.to_string(),
            group: group.to_string(),
            p95_s: percentile(&buckets, 0.95),
            ..row
        });
        rows::arrange(rows.collect(), self.ask, unix_s, interval_s)
    }
}

/// Rows of accounts that were looked up.
#[derive(Default)]
struct Keys(HashMap<u32, Option<Key>>);

impl Keys {
    fn account(&mut self, snapshot: &Snapshot, slot: u32, by: By, filter: &Filter) -> Option<Key> {
        let key = self.0.entry(slot).or_insert_with(|| {
            let person = Person::read(snapshot.account(slot));
            filter.account(Some(&person)).then(|| match by {
                By::Account => (person.main, "".into()),
                _ => (person.sub, person.main),
            })
        });
        key.clone()
    }
}

fn place_key(tail: &Tail, by_service: bool) -> Key {
    if by_service {
        (Arc::clone(&tail.service), "".into())
    } else {
        (Arc::clone(&tail.what), Arc::clone(&tail.service))
    }
}

fn read_tail(text: &str, operation: bool) -> Tail {
    let label = |name| Arc::from(&*labels::value(text, name));
    let detail = if operation { labels::value(text, "success") } else { ending(text) };
    let what = label(if operation { "operation" } else { "handler" });
    Tail { service: label("service"), has_handler: !operation, what, detail: (&*detail).into() }
}

fn failed(tail: &Tail) -> bool {
    if tail.has_handler { is_failure(&tail.detail) } else { &*tail.detail == "false" }
}
