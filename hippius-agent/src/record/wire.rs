//! What watched processes ask of Redis and PostgreSQL, and what goes through their queues: few series, labels from tables
//! and from the configuration.

use prometheus::{Histogram, HistogramVec, IntCounter, IntCounterVec, Registry};

use super::agent::{FamilyError, histogram, int_counter};
use crate::exchange::wire::dwell::Unmatched;
use crate::exchange::wire::{Operation, System};

/// Buckets of operations, in seconds: Redis on the same host takes a tenth of a millisecond.
const SECONDS: [f64; 16] =
    [0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0];

/// Buckets of the time in a queue, in seconds: from a worker that waits for it to a day.
const DWELL_SECONDS: [f64; 14] =
    [0.001, 0.005, 0.025, 0.1, 0.5, 1.0, 5.0, 15.0, 60.0, 300.0, 900.0, 3600.0, 14_400.0, 86_400.0];

/// Handles of the families.
#[derive(Debug)]
pub struct WireMetrics {
    durations: HistogramVec,
    errors: IntCounterVec,
    bytes: IntCounterVec,
    enqueued: IntCounterVec,
    dequeued: IntCounterVec,
    dwell: HistogramVec,
    unmatched: IntCounterVec,
}

impl WireMetrics {
    pub(super) fn new(registry: &Registry) -> Result<Self, FamilyError> {
        let metrics = Self {
            durations: histogram(registry, "db_client_operation_duration_seconds", &SECONDS)?,
            errors: int_counter(registry, "db_client_errors_total")?,
            bytes: int_counter(registry, "db_client_bytes_total")?,
            enqueued: int_counter(registry, "queue_enqueued_total")?,
            dequeued: int_counter(registry, "queue_dequeued_total")?,
            dwell: histogram(registry, "queue_item_dwell_seconds", &DWELL_SECONDS)?,
            unmatched: int_counter(registry, "hippius_agent_queue_items_unmatched_total")?,
        };
        // Known from the start, so that the first of them is an increase and not a new series.
        for reason in Unmatched::ALL {
            metrics.unmatched.with_label_values(&[reason.name()]);
        }
        Ok(metrics)
    }

    /// Durations of one kind of operation, to be kept by who records many.
    pub fn durations(&self, system: System, operation: &'static str) -> Histogram {
        self.durations.with_label_values(&[system.name(), operation])
    }

    /// An operation failed.
    pub fn failed(&self, operation: &Operation, error: &'static str) {
        self.error(operation.system, operation.operation, error);
    }

    /// The connection ended before the answer.
    pub fn unanswered(&self, system: System, operation: &'static str) {
        self.error(system, operation, "no_answer");
    }

    fn error(&self, system: System, operation: &'static str, error: &'static str) {
        self.errors.with_label_values(&[system.name(), operation, error]).inc();
    }

    /// Bytes sent and received.
    pub fn moved(&self, system: System, [sent, received]: [u64; 2]) {
        for (direction, bytes) in [("out", sent), ("in", received)] {
            if bytes > 0 {
                self.bytes.with_label_values(&[system.name(), direction]).inc_by(bytes);
            }
        }
    }

    /// Families of one queue.
    pub fn queue(&self, name: &str) -> QueueMetrics {
        QueueMetrics {
            enqueued: self.enqueued.with_label_values(&[name]),
            dequeued: self.dequeued.with_label_values(&[name]),
            dwell: self.dwell.with_label_values(&[name]),
        }
    }

    /// The time of so many items in their queue is not known.
    pub fn unmatched(&self, reason: Unmatched) {
        self.unmatched.with_label_values(&[reason.name()]).inc();
    }
}

/// Handles of one queue's series.
#[derive(Debug, Clone)]
pub struct QueueMetrics {
    /// `queue_enqueued_total`
    pub enqueued: IntCounter,
    /// `queue_dequeued_total`
    pub dequeued: IntCounter,
    /// `queue_item_dwell_seconds`
    pub dwell: Histogram,
}
