//! Connections to Redis and PostgreSQL: record → session → recorder.

use std::sync::Arc;

use hashbrown::HashMap;
use hippius_common::flow::{FlowHeader, Side, flag, kind};
use prometheus::Histogram;

use crate::config::{Config, queues};
use crate::exchange::wire::dwell::{Dwell, Dwelt};
use crate::exchange::wire::queues::{Item, QueueId, Queues};
use crate::exchange::wire::{Event, Session, System, Times};
use crate::kernel::record::Record;
use crate::pipeline::framed::audit;
use crate::record::agent::AgentMetrics;
use crate::record::wire::QueueMetrics;

/// What the sessions share.
pub struct Wire {
    queues: Queues,
    dwell: Dwell,
    /// By number of the queue.
    counters: Vec<QueueMetrics>,
    durations: HashMap<(System, &'static str), Histogram, ahash::RandomState>,
    events: Vec<Event>,
    agent: Arc<AgentMetrics>,
}

impl Wire {
    /// None yet.
    pub fn new(queues: Queues, agent: Arc<AgentMetrics>) -> Self {
        let (counters, durations) = (Vec::new(), HashMap::default());
        Self { queues, dwell: Dwell::default(), counters, durations, events: Vec::new(), agent }
    }

    /// Follows the queues of this configuration, whose series are there from the start.
    pub fn configure(&mut self, config: &Config) {
        self.queues.configure(queues::names(&config.redis));
        let wire = &self.agent.wire;
        self.counters = self.queues.names().map(|name| wire.queue(name)).collect();
    }

    /// Takes one record: a request's bytes, then those of the response behind it. Returns how many operations it ended.
    pub fn take(&mut self, session: &mut Option<Box<Session>>, record: &Record<'_>) -> u64 {
        let header = &record.header;
        let session = session.get_or_insert_with(|| Box::new(begin(header)));
        let (queues, events) = (&self.queues, &mut self.events);
        if !record.inbound.is_empty() {
            session.request(header.in_at, record.inbound, moved(&header.inbound), queues, events);
        }
        if !record.outbound.is_empty() {
            session.response(header.out_at, record.outbound, moved(&header.outbound), queues, events);
        }
        session.moved(header.inbound.total, header.outbound.total, queues, events);
        if header.kind == kind::CLOSE {
            session.close(events);
            audit(header, &self.agent);
        }
        self.bytes(session, header.kind == kind::CLOSE);
        self.apply()
    }

    /// Nothing more comes of this connection.
    pub fn end(&mut self, session: &mut Option<Box<Session>>) {
        if let Some(session) = session {
            self.bytes(session, true);
        }
    }

    /// Gives up items that were not popped, or not seen pushed.
    pub fn tick(&mut self, now_ns: u64) {
        let (counters, agent) = (&self.counters, &self.agent);
        self.dwell.tick(now_ns, &mut |dwelt| dwelled(counters, agent, dwelt));
    }

    /// Counts bytes on the system, once it is known, or on the reason why it is not.
    fn bytes(&self, session: &mut Session, ended: bool) {
        if let Some(system) = session.system() {
            self.agent.wire.moved(system, session.take_bytes());
        } else if ended || session.is_unknown() {
            let reason = if session.is_unknown() { "unknown_protocol" } else { "before_start" };
            let bytes = session.take_bytes().iter().sum();
            if bytes > 0 {
                self.agent.bytes_unattributed.with_label_values(&[reason]).inc_by(bytes);
            }
        }
    }

    fn apply(&mut self) -> u64 {
        let mut operations = 0;
        let mut events = std::mem::take(&mut self.events);
        for event in events.drain(..) {
            match event {
                Event::Operation(operation) => {
                    operations += 1;
                    let (system, name) = (operation.system, operation.operation);
                    let wire = &self.agent.wire;
                    let durations =
                        self.durations.entry((system, name)).or_insert_with(|| wire.durations(system, name));
                    durations.observe(operation.duration_ns as f64 / 1e9);
                    if let Some(error) = operation.error {
                        wire.failed(&operation, error);
                    }
                }
                Event::Unanswered(system, operation) => self.agent.wire.unanswered(system, operation),
                Event::Silent(_) => self.lost("no_reply_wanted", 1),
                Event::Pushed(queue, item, at_ns) => self.pushed(queue, item, at_ns),
                Event::Enqueued(queue, items) => {
                    if let Some(counters) = self.counters.get(usize::from(queue)) {
                        counters.enqueued.inc_by(items);
                    }
                }
                Event::Popped(queue, item, at_ns) => self.popped(queue, item, at_ns),
                Event::Dequeued(queue, items) => {
                    if let Some(counters) = self.counters.get(usize::from(queue)) {
                        counters.dequeued.inc_by(items);
                    }
                }
                Event::Lost(reason, pending) => {
                    self.agent.streams_desynced.with_label_values(&[reason.name()]).inc();
                    self.lost("operation", pending);
                }
            }
        }
        self.events = events;
        operations
    }

    fn lost(&self, reason: &str, count: u64) {
        if count > 0 {
            self.agent.events_lost.with_label_values(&[reason]).inc_by(count);
        }
    }

    fn pushed(&mut self, queue: QueueId, item: Option<Item>, at_ns: u64) {
        let (counters, agent) = (&self.counters, &self.agent);
        if let Some(counters) = counters.get(usize::from(queue)) {
            counters.enqueued.inc();
        }
        if let Some(item) = item {
            self.dwell.pushed(queue, item, at_ns, &mut |dwelt| dwelled(counters, agent, dwelt));
        }
    }

    fn popped(&mut self, queue: QueueId, item: Option<Item>, at_ns: u64) {
        let (counters, agent) = (&self.counters, &self.agent);
        if let Some(counters) = counters.get(usize::from(queue)) {
            counters.dequeued.inc();
        }
        if let Some(item) = item {
            self.dwell.popped(queue, item, at_ns, &mut |dwelt| dwelled(counters, agent, dwelt));
        }
    }
}

/// A connection that was open before it was watched may be in the middle of anything.
fn begin(header: &FlowHeader) -> Session {
    if header.flags & flag::BEFORE_START != 0 { Session::before_start() } else { Session::default() }
}

/// The bytes of one record came or went with one call.
fn moved(side: &Side) -> Times {
    Times { first_ns: side.last_ns, last_ns: side.last_ns }
}

fn dwelled(counters: &[QueueMetrics], agent: &AgentMetrics, dwelt: Dwelt) {
    match dwelt {
        Dwelt::For(queue, ns) => {
            if let Some(counters) = counters.get(usize::from(queue)) {
                counters.dwell.observe(ns as f64 / 1e9);
            }
        }
        Dwelt::Unknown(_, why) => agent.wire.unmatched(why),
    }
}
