//! What the agent says of the calls that watched processes make, compared with what the called servers say.

use std::collections::BTreeMap;

use anyhow::{Result, ensure};

use crate::agent::Agent;
use crate::expect;
use crate::lab::Lab;
use crate::metrics::Metrics;
use crate::servers::nginx::Nginx;
use crate::truth::AccessLine;

/// Calls of one peer that are neither IPFS nor anything like it.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Calls {
    pub requests: u64,
    /// By method and status.
    pub statuses: BTreeMap<String, u64>,
    pub sent: u64,
    pub received: u64,
    /// Whose end did not come, by outcome.
    pub unfinished: BTreeMap<String, u64>,
}

impl Calls {
    /// As the called server's log has them.
    pub fn logged(lines: &[AccessLine]) -> Self {
        let mut calls = Self { requests: lines.len() as u64, ..Self::default() };
        for line in lines {
            *calls.statuses.entry(format!("{} {}", line.method, line.status)).or_insert(0) += 1;
            calls.sent += line.request_length;
            calls.received += line.bytes_sent;
        }
        calls
    }

    /// All the same.
    pub fn of_status(status: &str, requests: u64, sent: u64, received: u64) -> Self {
        let statuses = BTreeMap::from([(status.to_owned(), requests)]);
        Self { requests, statuses, sent, received, unfinished: BTreeMap::new() }
    }

    pub fn unfinished(self, outcome: &str, count: u64) -> Self {
        Self { unfinished: BTreeMap::from([(outcome.to_owned(), count)]), ..self }
    }

    fn found(metrics: &Metrics, peer: &str) -> Self {
        let filter = [("peer", peer)];
        let mut statuses = BTreeMap::new();
        for sample in metrics.select("http_client_requests_total", &filter) {
            let status = format!("{} {}", sample.labels["method"], sample.labels["status_code"]);
            statuses.insert(status, sample.whole.unwrap_or(0));
        }
        let bytes = |way| metrics.sum("http_client_bytes_total", &[("peer", peer), ("direction", way)]);
        Self {
            requests: metrics.sum("http_client_requests_total", &filter),
            statuses,
            sent: bytes("out"),
            received: bytes("in"),
            unfinished: metrics.by("http_client_unfinished_total", &filter, "outcome"),
        }
    }
}

/// Waits until the agent has counted exactly these calls of `peer`, and nothing was lost.
pub fn exactly(lab: &Lab, agent: &Agent, peer: &str, expected: &Calls) -> Result<Metrics> {
    let metrics = lab.settle(agent, |metrics| Calls::found(metrics, peer) == *expected)?;
    let found = Calls::found(&metrics, peer);
    let lines = || metrics.lines_with("http_client_") + "\n" + &metrics.lines_with("hippius_agent_");
    ensure!(found == *expected, "calls of {peer}:\n  expected {expected:?}\n  found    {found:?}\n{}", lines());
    expect::nothing_lost(&metrics)?;
    Ok(metrics)
}

/// nginx' access log, the only thing that counts here besides the agent, has `count` lines, and the agent agrees.
pub fn as_logged(lab: &Lab, agent: &Agent, nginx: &Nginx, count: usize) -> Result<Metrics> {
    let lines = nginx.log(count)?;
    ensure!(lines.len() == count, "nginx has logged {} requests instead of {count}", lines.len());
    exactly(lab, agent, &nginx.server.address().to_string(), &Calls::logged(&lines))
}
