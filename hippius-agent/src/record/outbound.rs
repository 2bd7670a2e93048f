//! Calls that watched processes make: few series, by peer and not by account.

use std::collections::HashSet;
use std::sync::Mutex;

use prometheus::{HistogramVec, IntCounterVec, Registry};

use super::agent::{FamilyError, histogram, int_counter};
use super::sample::Direction;
use crate::exchange::Finished;

/// Buckets of durations, in seconds: a neighbour on the host takes fractions of a millisecond, IPFS may take minutes.
const SECONDS: [f64; 16] =
    [0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 120.0];

/// Buckets of handshakes, in seconds.
const CONNECT_SECONDS: [f64; 10] = [0.0001, 0.00025, 0.0005, 0.001, 0.005, 0.025, 0.1, 0.25, 1.0, 5.0];

/// Most peers that have series of their own.
const MAX_PEERS: usize = 500;

/// The label of all other peers.
const OTHER: &str = "__other__";

/// One finished call.
#[derive(Debug, Clone, Copy)]
pub struct Call<'a> {
    /// Whom it went to.
    pub peer: &'a str,
    /// Request method: a registered one, or `OTHER`.
    pub method: &'static str,
    /// How it went.
    pub finished: Finished,
}

/// Handles of the families.
#[derive(Debug)]
pub struct OutboundMetrics {
    requests: IntCounterVec,
    durations: HistogramVec,
    connects: HistogramVec,
    opaque: IntCounterVec,
    peers: Mutex<HashSet<Box<str>>>,
}

impl OutboundMetrics {
    pub(super) fn new(registry: &Registry) -> Result<Self, FamilyError> {
        Ok(Self {
            requests: int_counter(registry, "http_client_requests_total")?,
            durations: histogram(registry, "http_client_request_duration_seconds", &SECONDS)?,
            connects: histogram(registry, "http_client_connect_seconds", &CONNECT_SECONDS)?,
            opaque: int_counter(registry, "tls_opaque_bytes_total")?,
            peers: Mutex::default(),
        })
    }

    /// A handshake took so long, in nanoseconds.
    pub fn connected(&self, peer: &str, took_ns: u64) {
        self.connects.with_label_values(&[self.peer(peer)]).observe(seconds(took_ns));
    }

    /// A call is over.
    pub fn finished(&self, call: &Call<'_>) {
        let mut digits = itoa::Buffer::new();
        let status = call.finished.status.map_or("none", |status| digits.format(status));
        let labels = [self.peer(call.peer), call.method, status];
        self.requests.with_label_values(&labels).inc();
        self.durations.with_label_values(&labels).observe(seconds(call.finished.total_ns));
    }

    /// Bytes of TLS moved.
    pub fn opaque(&self, peer: &str, direction: Direction, bytes: u64) {
        if bytes > 0 {
            let way = if direction == Direction::In { "in" } else { "out" };
            self.opaque.with_label_values(&[self.peer(peer), way]).inc_by(bytes);
        }
    }

    /// The label of a peer: its own, as long as there are not too many.
    fn peer<'a>(&self, peer: &'a str) -> &'a str {
        let mut peers = self.peers.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        if peers.contains(peer) {
            return peer;
        }
        if peers.len() >= MAX_PEERS {
            return OTHER;
        }
        peers.insert(peer.into());
        peer
    }
}

fn seconds(nanoseconds: u64) -> f64 {
    nanoseconds as f64 / 1e9
}
