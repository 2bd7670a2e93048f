//! Calls that watched processes make: few series, by peer or operation and not by account.
//!
//! A call counts in one place: an operation of IPFS (or of what the configuration declares to be like it) in `ipfs_*`,
//! any other in `http_client_*`. What happens before a call, and what cannot be opened, counts by peer.

use std::collections::HashSet;
use std::sync::{Mutex, PoisonError};

use hashbrown::HashTable;
use prometheus::{HistogramVec, IntCounterVec, Registry};

use super::agent::{FamilyError, histogram, int_counter};
use super::exemplar::{Exemplars, RayId, Shown};
use super::sample::Direction;
use super::series::text::push_label;
use crate::exchange::{Finished, Outcome};

/// Buckets of durations, in seconds: a neighbour on the host takes fractions of a millisecond, IPFS may take minutes.
const SECONDS: [f64; 16] =
    [0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 120.0];

/// Buckets of handshakes, in seconds.
const CONNECT_SECONDS: [f64; 10] = [0.0001, 0.00025, 0.0005, 0.001, 0.005, 0.025, 0.1, 0.25, 1.0, 5.0];

/// Most peers that have series of their own.
const MAX_PEERS: usize = 500;

/// Most combinations of peer, method and status that have: a peer can answer with any number.
const MAX_COMBINATIONS: usize = 4000;

/// The label of all others.
const OTHER: &str = "__other__";

/// What a call is counted by.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Target<'a> {
    /// Somebody who speaks HTTP.
    Peer(&'a str),
    /// An operation of a storage network; the name comes from a table or the configuration.
    Operation(&'static str),
}

/// One finished call.
#[derive(Debug, Clone, Copy)]
pub struct Call<'a> {
    /// What it is counted by.
    pub target: Target<'a>,
    /// Request method: a registered one, or `OTHER`.
    pub method: &'static str,
    /// How it went.
    pub finished: Finished,
    /// The request that it was made for, if it says.
    pub ray: Option<RayId>,
}

impl Call<'_> {
    /// Complete, status 2xx or 3xx and no error behind the body.
    pub fn succeeded(&self) -> bool {
        operation_error(&self.finished, &mut String::new()).is_none()
    }
}

/// Handles of the families.
#[derive(Debug)]
pub struct OutboundMetrics {
    requests: IntCounterVec,
    durations: HistogramVec,
    first_bytes: HistogramVec,
    unfinished: IntCounterVec,
    bytes: IntCounterVec,
    connects: HistogramVec,
    connect_errors: IntCounterVec,
    opaque: IntCounterVec,
    operations: IntCounterVec,
    operation_durations: HistogramVec,
    operation_bytes: IntCounterVec,
    operation_errors: IntCounterVec,
    exemplars: Exemplars,
    known: Mutex<Known>,
}

/// Which labels there are already.
#[derive(Debug, Default)]
struct Known {
    peers: HashSet<Box<str>>,
    combinations: HashTable<(Box<str>, &'static str, u16)>,
    hasher: ahash::RandomState,
}

impl OutboundMetrics {
    pub(super) fn new(registry: &Registry) -> Result<Self, FamilyError> {
        Ok(Self {
            requests: int_counter(registry, "http_client_requests_total")?,
            durations: histogram(registry, "http_client_request_duration_seconds", &SECONDS)?,
            first_bytes: histogram(registry, "http_client_first_byte_seconds", &SECONDS)?,
            unfinished: int_counter(registry, "http_client_unfinished_total")?,
            bytes: int_counter(registry, "http_client_bytes_total")?,
            connects: histogram(registry, "http_client_connect_seconds", &CONNECT_SECONDS)?,
            connect_errors: int_counter(registry, "http_client_connect_errors_total")?,
            opaque: int_counter(registry, "tls_opaque_bytes_total")?,
            operations: int_counter(registry, "ipfs_operations_total")?,
            operation_durations: histogram(registry, "ipfs_operation_duration_seconds", &SECONDS)?,
            operation_bytes: int_counter(registry, "ipfs_bytes_total")?,
            operation_errors: int_counter(registry, "ipfs_errors_total")?,
            exemplars: Exemplars::default(),
            known: Mutex::default(),
        })
    }

    /// A handshake took so long, in nanoseconds.
    pub fn connected(&self, peer: &str, took_ns: u64) {
        self.connects.with_label_values(&[self.peer(peer)]).observe(seconds(took_ns));
    }

    /// A connection could not be made. `error`: the kernel's number for why.
    pub fn not_connected(&self, peer: &str, error: u32) {
        self.connect_errors.with_label_values(&[self.peer(peer), connect_error(error)]).inc();
    }

    /// Bytes of a call moved.
    pub fn moved(&self, target: Target<'_>, direction: Direction, bytes: u64) {
        let way = way(direction);
        match target {
            Target::Peer(peer) => self.bytes.with_label_values(&[self.peer(peer), way]).inc_by(bytes),
            Target::Operation(name) => self.operation_bytes.with_label_values(&[name, way]).inc_by(bytes),
        }
    }

    /// A call is over. Times of one whose end was not seen would be guesses.
    pub fn finished(&self, call: &Call<'_>) {
        match call.target {
            Target::Peer(peer) => self.peer_finished(peer, call),
            Target::Operation(name) => self.operation_finished(name, call),
        }
    }

    /// Requests behind some of the durations.
    pub fn exemplars(&self) -> Shown {
        self.exemplars.shown()
    }

    /// `labels` in the order in which they are printed, which is that of their names.
    fn exemplify(&self, name: &str, labels: &[(&str, &str)], call: &Call<'_>) {
        let Some(ray) = call.ray else { return };
        let mut printed = String::new();
        labels.iter().for_each(|(name, value)| push_label(&mut printed, name, value));
        let took_ns = call.finished.total_ns;
        let bucket = SECONDS.partition_point(|bound| *bound < seconds(took_ns));
        self.exemplars.note(name, ["", &printed], bucket, took_ns, ray);
    }

    /// Bytes of TLS moved.
    pub fn opaque(&self, peer: &str, direction: Direction, bytes: u64) {
        if bytes > 0 {
            self.opaque.with_label_values(&[self.peer(peer), way(direction)]).inc_by(bytes);
        }
    }

    fn peer_finished(&self, peer: &str, call: &Call<'_>) {
        let Call { method, finished, .. } = *call;
        let mut digits = itoa::Buffer::new();
        let (peer, is_known) = self.combination(peer, method, finished.status.unwrap_or(0));
        let status = match finished.status {
            Some(_) if !is_known => OTHER,
            Some(status) => digits.format(status),
            None => "none",
        };
        let labels = [peer, method, status];
        self.requests.with_label_values(&labels).inc();
        match finished.outcome {
            Outcome::Complete => {}
            outcome => self.unfinished.with_label_values(&[peer, outcome_label(outcome)]).inc(),
        }
        if finished.outcome != Outcome::Unobserved {
            self.durations.with_label_values(&labels).observe(seconds(finished.total_ns));
            let labels = [("method", method), ("peer", peer), ("status_code", status)];
            self.exemplify("http_client_request_duration_seconds", &labels, call);
            if let Some(process_ns) = finished.process_ns {
                let first_ns = finished.receive_ns.saturating_add(process_ns);
                self.first_bytes.with_label_values(&[peer]).observe(seconds(first_ns));
            }
        }
    }

    fn operation_finished(&self, name: &'static str, call: &Call<'_>) {
        let finished = &call.finished;
        let mut room = String::new();
        let error = operation_error(finished, &mut room);
        let success = if error.is_none() { "true" } else { "false" };
        self.operations.with_label_values(&[name, success]).inc();
        if let Some(reason) = error {
            self.operation_errors.with_label_values(&[name, reason]).inc();
        }
        if finished.outcome != Outcome::Unobserved {
            self.operation_durations.with_label_values(&[name]).observe(seconds(finished.total_ns));
            self.exemplify("ipfs_operation_duration_seconds", &[("operation", name)], call);
        }
    }

    /// The label of a peer: its own, as long as there are not too many.
    fn peer<'a>(&self, peer: &'a str) -> &'a str {
        self.known.lock().unwrap_or_else(PoisonError::into_inner).peer(peer)
    }

    /// The label of a peer, and whether the status may be a label beside it.
    fn combination<'a>(&self, peer: &'a str, method: &'static str, status: u16) -> (&'a str, bool) {
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        let peer = known.peer(peer);
        if known.combination(peer, method, status) { (peer, true) } else { (OTHER, false) }
    }
}

impl Known {
    fn peer<'a>(&mut self, peer: &'a str) -> &'a str {
        if self.peers.contains(peer) {
            return peer;
        }
        if self.peers.len() >= MAX_PEERS {
            return OTHER;
        }
        self.peers.insert(peer.into());
        peer
    }

    fn combination(&mut self, peer: &str, method: &'static str, status: u16) -> bool {
        let hash = self.hasher.hash_one((peer, method, status));
        let is_same =
            |(own, other, number): &(Box<str>, &str, u16)| **own == *peer && *other == method && *number == status;
        if self.combinations.find(hash, is_same).is_some() {
            return true;
        }
        if self.combinations.len() >= MAX_COMBINATIONS {
            return false;
        }
        let hasher = &self.hasher;
        let hash_of =
            |(peer, method, status): &(Box<str>, &'static str, u16)| hasher.hash_one((&**peer, *method, *status));
        self.combinations.insert_unique(hash, (peer.into(), method, status), hash_of);
        true
    }
}

/// Why an operation did not succeed, if so: the status that was answered, an error that the node told behind the body, or
/// how the exchange ended.
fn operation_error<'a>(finished: &Finished, room: &'a mut String) -> Option<&'a str> {
    match (finished.status, finished.outcome) {
        (Some(200..400), Outcome::Complete) if finished.failed => Some("stream_error"),
        (Some(200..400), Outcome::Complete) => None,
        (Some(status @ (400..600)), Outcome::Complete) => {
            room.push_str("http_");
            room.push_str(itoa::Buffer::new().format(status));
            Some(room)
        }
        (_, Outcome::Complete) => Some("other_status"),
        (_, outcome) => Some(outcome_label(outcome)),
    }
}

fn outcome_label(outcome: Outcome) -> &'static str {
    match outcome {
        Outcome::Complete => "complete",
        Outcome::ClientAbort => "client_abort",
        Outcome::ServerAbort => "server_abort",
        Outcome::Timeout => "timeout",
        Outcome::Unobserved => "unobserved",
    }
}

/// Numbers of include/uapi/asm-generic/errno.h.
fn connect_error(error: u32) -> &'static str {
    match error {
        111 => "refused",
        110 => "timeout",
        101 | 113 => "unreachable",
        104 => "reset",
        125 => "given_up",
        _ => "other",
    }
}

fn way(direction: Direction) -> &'static str {
    if direction == Direction::In { "in" } else { "out" }
}

fn seconds(nanoseconds: u64) -> f64 {
    nanoseconds as f64 / 1e9
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::exchange::MessageBytes;

    fn finished(status: Option<u16>, outcome: Outcome, failed: bool) -> Finished {
        let none = MessageBytes::default();
        Finished {
            status,
            outcome,
            request: none,
            response: none,
            failed,
            receive_ns: 0,
            process_ns: Some(0),
            send_ns: Some(0),
            total_ns: 0,
        }
    }

    #[test]
    fn an_operation_succeeds_by_status_and_by_what_stands_behind_the_body() {
        for (status, outcome, failed, reason) in [
            (Some(200), Outcome::Complete, false, None),
            (Some(304), Outcome::Complete, false, None),
            (Some(200), Outcome::Complete, true, Some("stream_error")),
            (Some(500), Outcome::Complete, false, Some("http_500")),
            (Some(999), Outcome::Complete, false, Some("other_status")),
            (Some(200), Outcome::ServerAbort, false, Some("server_abort")),
            (None, Outcome::Timeout, false, Some("timeout")),
            (None, Outcome::Unobserved, false, Some("unobserved")),
        ] {
            let mut room = String::new();
            assert_eq!(
                operation_error(&finished(status, outcome, failed), &mut room),
                reason,
                "{status:?} {outcome:?}"
            );
        }
    }

    #[test]
    fn peers_and_statuses_beyond_the_limits_are_counted_together() {
        let registry = Registry::new();
        let metrics = OutboundMetrics::new(&registry).expect("families");
        let call = |peer: &str, status| {
            let finished = finished(Some(status), Outcome::Complete, false);
            metrics.finished(&Call { target: Target::Peer(peer), method: "GET", finished, ray: None });
        };
        for peer in 0..MAX_PEERS + 50 {
            call(&format!("peer-{peer}"), 200);
        }
        for status in 100..1000 {
            for peer in 0..9 {
                call(&format!("peer-{peer}"), status);
            }
        }
        let families = registry.gather();
        let requests = families.iter().find(|family| family.name() == "http_client_requests_total").expect("family");
        let sum: f64 = requests.get_metric().iter().map(|metric| metric.get_counter().get_value()).sum();
        assert_eq!(sum as usize, MAX_PEERS + 50 + 900 * 9, "folding keeps sums");
        assert!(requests.get_metric().len() <= MAX_COMBINATIONS + 2, "{} series", requests.get_metric().len());
    }

    #[test]
    fn connections_that_fail_have_a_reason() {
        let registry = Registry::new();
        let metrics = OutboundMetrics::new(&registry).expect("families");
        for error in [111, 110, 101, 113, 1, 0] {
            metrics.not_connected("p", error);
        }
        let families = registry.gather();
        let errors =
            families.iter().find(|family| family.name() == "http_client_connect_errors_total").expect("family");
        let reasons: Vec<&str> = errors.get_metric().iter().map(|metric| metric.get_label()[1].value()).collect();
        assert_eq!(reasons, ["other", "refused", "timeout", "unreachable"]);
    }
}
