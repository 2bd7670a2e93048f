//! Comparing what the agent says with the truth: exact, with both sides shown when they differ.

use std::fmt::Write as _;
use std::time::Duration;

use anyhow::Result;

use crate::agent::Agent;
use crate::lab::Lab;
use crate::metrics::Metrics;

/// How long the metrics may take to become what is expected; wide, because no test here measures time.
pub const LIMIT: Duration = Duration::from_secs(10);

/// The truth about one service. What is `None` is not compared.
#[derive(Clone, Debug, Default)]
pub struct Expected {
    pub requests: Option<u64>,
    pub request_bytes: Option<u64>,
    pub response_bytes: Option<u64>,
    pub request_body_bytes: Option<u64>,
    pub response_body_bytes: Option<u64>,
    /// Requests by `status_code`; all of them where it is not empty.
    pub statuses: Vec<(&'static str, u64)>,
    /// Requests by `outcome`; all of them where it is not empty.
    pub outcomes: Vec<(&'static str, u64)>,
}

impl Expected {
    pub fn requests(count: u64) -> Self {
        Self { requests: Some(count), ..Self::default() }
    }

    /// All bytes each way, head and framing included.
    pub fn bytes(self, request: u64, response: u64) -> Self {
        Self { request_bytes: Some(request), response_bytes: Some(response), ..self }
    }

    pub fn bodies(self, request: u64, response: u64) -> Self {
        Self { request_body_bytes: Some(request), response_body_bytes: Some(response), ..self }
    }

    pub fn statuses(self, statuses: &[(&'static str, u64)]) -> Self {
        Self { statuses: statuses.to_vec(), ..self }
    }

    pub fn outcomes(self, outcomes: &[(&'static str, u64)]) -> Self {
        Self { outcomes: outcomes.to_vec(), ..self }
    }

    /// One line per difference.
    fn differences(&self, metrics: &Metrics, service: &str) -> Vec<String> {
        let filter = [("service", service)];
        let rows = [
            ("http_requests_total", self.requests),
            ("http_request_bytes_total", self.request_bytes),
            ("http_response_bytes_total", self.response_bytes),
            ("http_request_body_bytes_sum", self.request_body_bytes),
            ("http_response_body_bytes_sum", self.response_body_bytes),
        ];
        let mut differences = Vec::new();
        for (name, wanted) in rows {
            let found = metrics.sum(name, &filter);
            if let Some(wanted) = wanted.filter(|wanted| *wanted != found) {
                let off = i128::from(found) - i128::from(wanted);
                differences.push(format!("{name}: expected {wanted}, found {found} ({off:+})"));
            }
        }
        for (label, wanted) in [("status_code", &self.statuses), ("outcome", &self.outcomes)] {
            let found = metrics.by("http_requests_total", &filter, label);
            let wanted = wanted.iter().map(|(value, count)| ((*value).to_owned(), *count)).collect();
            if !self.is_unasked(label) && found != wanted {
                differences.push(format!("http_requests_total by {label}: expected {wanted:?}, found {found:?}"));
            }
        }
        differences
    }

    fn is_unasked(&self, label: &str) -> bool {
        if label == "status_code" { self.statuses.is_empty() } else { self.outcomes.is_empty() }
    }
}

/// What the agent must not have lost: events, bytes against the kernel's own counters, framing.
const NOTHING_LOST: [&str; 3] = [
    "hippius_agent_events_lost_total",
    "hippius_agent_audit_difference_bytes_total",
    "hippius_agent_streams_desynced_total",
];

/// Waits until the service's metrics equal `expected`; fails with a list of what differs. Nothing may be lost either.
pub fn exactly(lab: &Lab, agent: &Agent, service: &str, expected: &Expected) -> Result<Metrics> {
    let metrics = counted(lab, agent, service, expected)?;
    nothing_lost(&metrics)?;
    Ok(metrics)
}

/// The same where the test provokes a loss of framing.
pub fn counted(lab: &Lab, agent: &Agent, service: &str, expected: &Expected) -> Result<Metrics> {
    let metrics = lab.settle(agent, |metrics| expected.differences(metrics, service).is_empty())?;
    let differences = expected.differences(&metrics, service);
    if !differences.is_empty() {
        let lines = metrics.lines_with(&format!("service={service:?}"));
        let own = metrics.lines_with("hippius_agent_");
        anyhow::bail!("service {service}:\n  {}\nscraped:\n{lines}\n{own}", differences.join("\n  "));
    }
    Ok(metrics)
}

/// Waits until attributed and unattributed bytes together are `wanted`: for bytes that belong to no exchange.
pub fn all_bytes(lab: &Lab, agent: &Agent, service: &str, wanted: u64) -> Result<Metrics> {
    let sum = |metrics: &Metrics| {
        let attributed = ["http_request_bytes_total", "http_response_bytes_total"];
        let attributed: u64 = attributed.iter().map(|name| metrics.sum(name, &[("service", service)])).sum();
        attributed + metrics.sum("hippius_agent_bytes_unattributed_total", &[])
    };
    let metrics = lab.settle(agent, |metrics| sum(metrics) == wanted)?;
    let found = sum(&metrics);
    let own = metrics.lines_with("hippius_agent_");
    anyhow::ensure!(found == wanted, "attributed and unattributed bytes: expected {wanted}, found {found}\n{own}");
    Ok(metrics)
}

pub fn nothing_lost(metrics: &Metrics) -> Result<()> {
    let mut lost = String::new();
    for name in NOTHING_LOST {
        for sample in metrics.select(name, &[]).filter(|sample| sample.value != 0.0) {
            let _ = write!(lost, "\n  {sample}");
        }
    }
    anyhow::ensure!(lost.is_empty(), "expected nothing lost, found:{lost}");
    Ok(())
}
