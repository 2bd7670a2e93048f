//! The documents that the page reads, version 1. docs/overview-page.md describes them.

use serde::{Deserialize, Serialize};

use super::filter::Filter;

/// Version of the documents. Fields may be added to a version; a change of meaning makes a new one.
pub const VERSION: u32 = 1;

/// The charts, and the state of the agent.
#[derive(Debug, Clone, Serialize)]
pub struct Overview {
    /// [`VERSION`].
    pub version: u32,
    /// When the last sample was taken, in seconds since 1970.
    pub sampled_at_s: f64,
    /// Seconds from one value to the next.
    pub step_s: u32,
    /// Values of each series; the last one ends at `sampled_at_s`.
    pub points: usize,
    /// What was asked for.
    pub filter: Filter,
    /// False where a chosen account may be missing in an interval, because others were busier.
    pub complete: bool,
    /// The label that series by account are named after.
    pub grouped_by: &'static str,
    /// Values that the filters offer.
    pub choices: Choices,
    /// The last interval in numbers.
    pub now: Now,
    /// The charts.
    pub panels: Vec<Panel>,
    /// The agent's own state.
    pub agent: State,
}

/// Values that the filters offer. Accounts are too many; they are searched in the table.
#[derive(Debug, Clone, Default, Serialize)]
pub struct Choices {
    /// Services.
    pub service: Vec<String>,
    /// Handlers.
    pub handler: Vec<String>,
}

/// The last interval in numbers; what cannot be known under this filter is `null`.
#[derive(Debug, Clone, Default, Serialize)]
pub struct Now {
    /// Finished exchanges per second.
    pub requests_per_second: f64,
    /// Those of them that failed, 0 to 1; `null` without a request.
    pub failed_ratio: Option<f64>,
    /// 95th percentile of the duration over the last minute, in seconds.
    pub p95_s: Option<f64>,
    /// Bytes per second received.
    pub received_per_second: f64,
    /// Bytes per second sent.
    pub sent_per_second: f64,
    /// Exchanges under way.
    pub in_flight: Option<f64>,
}

/// A chart.
#[derive(Debug, Clone, Serialize)]
pub struct Panel {
    /// Name for programs.
    pub id: &'static str,
    /// Heading.
    pub title: &'static str,
    /// Group that it stands in.
    pub section: &'static str,
    /// Unit of the values.
    pub unit: &'static str,
    /// Whether the series are parts of a whole.
    pub stacked: bool,
    /// What it shows, in a sentence.
    pub about: &'static str,
    /// The series, the largest first.
    pub series: Vec<Series>,
    /// Why there is none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub empty: Option<&'static str>,
}

/// A line of a chart.
#[derive(Debug, Clone, Serialize)]
pub struct Series {
    /// What it is called.
    pub name: String,
    /// Its values, the oldest first; `null` where there is none.
    pub values: Vec<Option<f64>>,
}

/// What the agent says about itself.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct State {
    /// Version of the agent.
    pub version: String,
    /// The capture back-end.
    pub backend: String,
    /// Start of the process, in seconds since 1970.
    pub started_at_s: f64,
    /// Resident memory, in bytes.
    pub memory_bytes: f64,
    /// Records read from the kernel.
    pub events: f64,
    /// Records lost, by reason.
    pub lost: Vec<Count>,
    /// Bytes by which closed connections differ from the kernel's counters.
    pub audit_difference_bytes: f64,
    /// Bytes that belong to no exchange, by reason.
    pub unattributed_bytes: Vec<Count>,
    /// Streams picked up again, by reason.
    pub desynced: Vec<Count>,
    /// Connections, by state.
    pub connections: Vec<Count>,
    /// Lines of the series on the page.
    pub series: f64,
    /// Updates counted on `__other__`.
    pub folded: f64,
    /// Polled servers and other sources.
    pub sources: Vec<Source>,
    /// Bytes that the history takes.
    pub history_bytes: usize,
}

/// A number with a name.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct Count {
    /// What is counted.
    pub name: String,
    /// How many.
    pub count: f64,
}

/// A source that is polled.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct Source {
    /// Its name.
    pub name: String,
    /// Whether the last poll worked.
    pub up: bool,
    /// When a poll last worked, seconds ago.
    pub age_s: Option<f64>,
    /// How long the last poll took, in seconds.
    pub took_s: Option<f64>,
    /// Polls that failed.
    pub errors: f64,
}

/// Rows of accounts, operations, handlers, services, peers or connections.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct Table {
    /// [`VERSION`].
    pub version: u32,
    /// When the last sample was taken, in seconds since 1970.
    pub sampled_at_s: f64,
    /// Seconds that the rates are about.
    pub interval_s: f64,
    /// What a row is: `account`, `subaccount`, `operation`, `handler`, `service`, `peer` or `connection`.
    pub by: String,
    /// Rows that match, those beyond the limit included.
    pub matching: usize,
    /// Connections that were less active than those that the rows were taken from.
    #[serde(default)]
    pub left_out: usize,
    /// Sums over all rows that match.
    pub total: Row,
    /// The rows, sorted as asked.
    pub rows: Vec<Row>,
}

/// A row: what was counted since the agent started (of a connection: since it was first seen), and how much of it came
/// per second in the last interval.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Row {
    /// Account, operation, handler, service, peer or connection.
    pub name: String,
    /// The account of a subaccount; the service of an operation or handler; what a peer is called by; the service or the
    /// peer of a connection.
    pub group: String,
    /// Finished exchanges, or S3 operations.
    pub requests: Rate,
    /// Those of them that failed.
    pub failed: Rate,
    /// Bytes received; nothing for operations.
    pub received: Rate,
    /// Bytes sent; nothing for operations.
    pub sent: Rate,
    /// 95th percentile of the duration over the last minute, in seconds; handlers and services only.
    pub p95_s: Option<f64>,
    /// Median of the duration over the last minute, in seconds; peers only.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub p50_s: Option<f64>,
    /// 99th percentile likewise.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub p99_s: Option<f64>,
    /// What only a connection has.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub connection: Option<Live>,
}

/// What is known of a connection besides its numbers.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Live {
    /// `in`: accepted by a watched service; `out`: opened by a watched process.
    pub way: String,
    /// `idle`, `receive`, `process` or `send`; or what is spoken where it is no HTTP.
    pub state: String,
    /// Seconds since it was first seen.
    pub age_s: f64,
    /// Number of the watched process.
    pub process: u32,
    /// On whom the last request was counted; empty where that is not known.
    pub main_account: String,
    /// Likewise.
    pub subaccount_id: String,
    /// Handler of the last request; empty for outgoing connections.
    pub handler: String,
}

/// A total and how fast it grows.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
pub struct Rate {
    /// Since the agent started.
    pub total: u64,
    /// Per second, in the last interval.
    pub per_second: f64,
}
