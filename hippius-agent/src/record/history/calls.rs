//! Outgoing calls by whom they go to: totals, rates and percentiles, read from the lines that a scrape prints.
//!
//! A percentile is computed from what the buckets of a histogram gained, in the last minute for the table, in one step for
//! a chart. Names beyond [`MAX_CALLS`] are added up under one.

mod ladder;

use std::collections::BTreeMap;

use super::MERGE;
use super::answer::{Rate, Row};
use super::gauges::line;
use super::labels;
use crate::exchange::wire::Command;
use ladder::{Ladder, MINUTE};

/// Most names that are kept apart. A name takes some 1.5 KiB.
const MAX_CALLS: usize = 256;

/// Name of the others.
const OTHERS: &str = "__other__";

/// What a name is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kind {
    /// A peer that speaks HTTP.
    Http,
    /// An operation of IPFS.
    Ipfs,
    /// A kind of database: Redis or PostgreSQL.
    Database,
    /// A command or verb of a kind of database.
    Command,
    /// A queue, and how long items stay in it.
    Queue,
    /// A peer of TLS that cannot be read.
    Tls,
}

/// What a line adds to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Part {
    Requests,
    Failed,
    Received,
    Sent,
    Bucket,
}

/// Calls by one name.
#[derive(Debug, Default)]
struct Call {
    /// Requests, failed ones, bytes received, bytes sent: now, and at the sample before.
    counts: [u64; 4],
    before: [u64; 4],
    ladder: Ladder,
}

/// A chart's value: of this sample, and of the long step that it ends.
#[derive(Debug, Clone, PartialEq)]
pub struct Derived {
    /// Which family of charts.
    pub name: &'static str,
    /// Name of the series.
    pub label: String,
    /// Of the last sample.
    pub short: Option<f64>,
    /// Of the last [`MERGE`] samples.
    pub long: Option<f64>,
}

/// Share of IPFS calls that worked.
pub const IPFS_SUCCESS: &str = "ipfs_success_ratio";
/// 95th percentile of IPFS calls.
pub const IPFS_P95: &str = "ipfs_operation_p95_seconds";
/// 95th percentile of calls of HTTP peers.
pub const HTTP_P95: &str = "http_client_p95_seconds";
/// 95th percentile of commands.
pub const COMMAND_P95: &str = "db_client_p95_seconds";
/// 95th percentile of the time in a queue.
pub const DWELL_P95: &str = "queue_dwell_p95_seconds";

/// All outgoing calls.
#[derive(Debug, Default)]
pub struct Calls(BTreeMap<(Kind, String), Call>);

impl Calls {
    /// Takes the values of one moment from a page in the text format.
    pub fn sample(&mut self, text: &str) {
        for call in self.0.values_mut() {
            call.before = std::mem::take(&mut call.counts);
            call.ladder.begin();
        }
        for (name, labels, value) in text.lines().filter_map(line) {
            for (kind, part) in parts(name, labels) {
                self.add(*kind, *part, labels, value as u64);
            }
        }
        self.0.values_mut().for_each(|call| call.ladder.end());
    }

    fn add(&mut self, kind: Kind, part: Part, labels: &str, value: u64) {
        let label = |name| labels::value(labels, name);
        let name = match kind {
            Kind::Http | Kind::Tls => label("peer").into_owned(),
            Kind::Ipfs => label("operation").into_owned(),
            Kind::Queue => label("queue_name").into_owned(),
            Kind::Command => format!("{} {}", label("system"), label("operation")),
            // What waits on purpose says nothing of the server.
            Kind::Database if part == Part::Bucket && Command::is_blocking(&label("operation")) => return,
            Kind::Database => label("system").into_owned(),
        };
        let full = self.0.len() >= MAX_CALLS && !self.0.contains_key(&(kind, name.clone()));
        let call = self.0.entry((kind, if full { OTHERS.to_owned() } else { name })).or_default();
        let [requests, failed, received, sent] = &mut call.counts;
        match part {
            Part::Requests => *requests += value,
            Part::Failed => *failed += value,
            Part::Received => *received += value,
            Part::Sent => *sent += value,
            Part::Bucket => call.ladder.add(label("le").parse().unwrap_or(f64::INFINITY), value),
        }
    }

    /// A row for each peer, IPFS operation and kind of database.
    pub fn rows(&self, interval_s: f64) -> Vec<Row> {
        let rate = |now: u64, before: u64| Rate {
            total: now,
            per_second: now.saturating_sub(before) as f64 / interval_s.max(f64::MIN_POSITIVE),
        };
        let rows = self.0.iter().filter_map(|((kind, name), call)| {
            let group = match kind {
                Kind::Http => "http",
                Kind::Ipfs => "ipfs",
                Kind::Database => "database",
                Kind::Tls => "tls",
                Kind::Command | Kind::Queue => return None,
            };
            let [requests, failed, received, sent] =
                [0, 1, 2, 3].map(|at: usize| rate(value(&call.counts, at), value(&call.before, at)));
            let percentile = |q| call.ladder.percentile(q, MINUTE);
            Some(Row {
                name: name.clone(),
                group: group.to_owned(),
                requests,
                failed,
                received,
                sent,
                p50_s: percentile(0.5),
                p99_s: percentile(0.99),
                ..Row::default()
            })
        });
        rows.collect()
    }

    /// Values of charts that no line has.
    pub fn derived(&self) -> impl Iterator<Item = Derived> {
        self.0.iter().flat_map(|((kind, name), call)| {
            let p95 = |family| Derived {
                name: family,
                label: name.clone(),
                short: call.ladder.percentile(0.95, 1),
                long: call.ladder.percentile(0.95, MERGE),
            };
            let [first, second] = match kind {
                Kind::Http => [Some(p95(HTTP_P95)), None],
                Kind::Ipfs => [Some(p95(IPFS_P95)), Some(call.success(name))],
                Kind::Queue => [Some(p95(DWELL_P95)), None],
                Kind::Command if name.split_once(' ').is_some_and(|(_, command)| Command::is_blocking(command)) => {
                    [None, None]
                }
                Kind::Command => [Some(p95(COMMAND_P95)), None],
                Kind::Database | Kind::Tls => [None, None],
            };
            first.into_iter().chain(second)
        })
    }

    /// Bytes on the heap, about.
    pub fn bytes(&self) -> usize {
        let of = |call: &Call| size_of::<Call>() + 64 + call.ladder.bytes();
        self.0.values().map(of).sum()
    }
}

impl Call {
    /// Share of the calls of the last sample that worked. A long step takes the mean of those that had any.
    fn success(&self, name: &str) -> Derived {
        let gained = |at: usize| value(&self.counts, at).saturating_sub(value(&self.before, at)) as f64;
        let (all, failed) = (gained(0), gained(1));
        let short = (all > 0.0).then(|| 1.0 - failed / all);
        Derived { name: IPFS_SUCCESS, label: name.to_owned(), short, long: None }
    }
}

fn value(counts: &[u64; 4], at: usize) -> u64 {
    counts.get(at).copied().unwrap_or(0)
}

/// What the lines of a family add to. A series whose labels do not matter adds to nothing.
fn parts(name: &str, labels: &str) -> &'static [(Kind, Part)] {
    let is = |label, wanted: &str| labels::value(labels, label) == wanted;
    let received = || is("direction", "in");
    match name {
        "http_client_requests_total" if is_failure(&labels::value(labels, "status_code")) => {
            &[(Kind::Http, Part::Requests), (Kind::Http, Part::Failed)]
        }
        "http_client_requests_total" => &[(Kind::Http, Part::Requests)],
        "http_client_request_duration_seconds_bucket" => &[(Kind::Http, Part::Bucket)],
        "http_client_bytes_total" if received() => &[(Kind::Http, Part::Received)],
        "http_client_bytes_total" => &[(Kind::Http, Part::Sent)],
        "ipfs_operations_total" if is("success", "false") => {
            &[(Kind::Ipfs, Part::Requests), (Kind::Ipfs, Part::Failed)]
        }
        "ipfs_operations_total" => &[(Kind::Ipfs, Part::Requests)],
        "ipfs_operation_duration_seconds_bucket" => &[(Kind::Ipfs, Part::Bucket)],
        "ipfs_bytes_total" if received() => &[(Kind::Ipfs, Part::Received)],
        "ipfs_bytes_total" => &[(Kind::Ipfs, Part::Sent)],
        "db_client_operation_duration_seconds_count" => &[(Kind::Database, Part::Requests)],
        "db_client_operation_duration_seconds_bucket" => {
            &[(Kind::Database, Part::Bucket), (Kind::Command, Part::Bucket)]
        }
        "db_client_errors_total" => &[(Kind::Database, Part::Failed)],
        "db_client_bytes_total" if received() => &[(Kind::Database, Part::Received)],
        "db_client_bytes_total" => &[(Kind::Database, Part::Sent)],
        "queue_item_dwell_seconds_bucket" => &[(Kind::Queue, Part::Bucket)],
        "tls_opaque_bytes_total" if received() => &[(Kind::Tls, Part::Received)],
        "tls_opaque_bytes_total" => &[(Kind::Tls, Part::Sent)],
        _ => &[],
    }
}

/// A status of 400 or above, or none.
fn is_failure(status: &str) -> bool {
    match status.parse::<u16>() {
        Ok(status) => status >= 400,
        Err(_) => status == "none",
    }
}

#[cfg(test)]
mod tests;
