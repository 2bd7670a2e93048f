//! One connection through the stages that keep state for it: record → connection → exchange.

use hippius_common::flow::{FlowHeader, Side, flag, kind};

use super::Source;
use crate::connection::{Connection, RequestTaken, ResponseTaken};
use crate::decode::http1::{HeadBuffer, RequestHead, ResponseHead};
use crate::exchange::{Event, ExchangeId, Exchanges, Stage};
use crate::kernel::record::Record;
use crate::record::agent::AgentMetrics;

/// The connection of either end of HTTP/1.
#[derive(Default)]
pub struct Framed {
    connection: Connection,
    exchanges: Exchanges,
}

/// Who keeps the exchanges of a connection.
pub trait Owner {
    /// A request begins; its number is the owner's to choose.
    fn begin(&mut self, head: &RequestHead<'_>) -> ExchangeId;

    /// A response came, the final one or an interim one. Of an error's body, the beginning is there.
    fn answer(&mut self, id: ExchangeId, is_final: bool, head: &ResponseHead<'_>, body: &[u8]);
}

impl Framed {
    /// Takes one record. What it means for the exchanges goes to `events`. False if it is a sweep's view that cannot be
    /// used.
    pub fn take(
        &mut self,
        owner: &mut impl Owner,
        heads: &mut HeadBuffer,
        record: &Record<'_>,
        source: Source,
        metrics: &AgentMetrics,
        events: &mut Vec<Event>,
    ) -> bool {
        let header = &record.header;
        if source == Source::Sweep && !self.connection.accepts(header) {
            return false;
        }
        self.missed(header, metrics, events);
        self.request(owner, heads, record, source, metrics, events);
        self.response(owner, heads, record, source, metrics, events);
        let mut sink = |event| events.push(event);
        match header.kind {
            kind::CLOSE => {
                self.exchanges.close(header, &mut sink);
                audit(header, metrics);
            }
            kind::END => self.exchanges.end_of_output(header, &mut sink),
            _ => self.exchanges.advance(header, &mut sink),
        }
        true
    }

    /// Nothing more comes of this connection: what is under way ends unobserved.
    pub fn abandon(&mut self, events: &mut Vec<Event>) {
        self.exchanges.abandon(&mut |event| events.push(event));
    }

    /// The connection is over, and no record says so.
    pub fn close(&mut self, header: &FlowHeader, events: &mut Vec<Event>) {
        self.exchanges.close(header, &mut |event| events.push(event));
    }

    /// Whether no exchange is under way.
    pub fn is_idle(&self) -> bool {
        self.exchanges.is_idle()
    }

    /// What the oldest exchange is waiting for.
    pub fn stage(&self) -> Stage {
        self.exchanges.stage()
    }

    /// Records that never came, told by the numbers of heads.
    fn missed(&mut self, header: &FlowHeader, metrics: &AgentMetrics, events: &mut Vec<Event>) {
        let whole = |len: u16, side: &Side| len != 0 && side.head_len == 0;
        let connection = &mut self.connection;
        let requests = connection.inbound.missed(&header.inbound, whole(header.in_len, &header.inbound));
        let responses = connection.outbound.missed(&header.outbound, whole(header.out_len, &header.outbound));
        if requests + responses > 0 {
            metrics.events_lost.with_label_values(&["exchange"]).inc_by(u64::from(requests));
            self.abandon(events);
        }
    }

    fn request(
        &mut self,
        owner: &mut impl Owner,
        heads: &mut HeadBuffer,
        record: &Record<'_>,
        source: Source,
        metrics: &AgentMetrics,
        events: &mut Vec<Event>,
    ) {
        let header = &record.header;
        let stream = &mut self.connection.inbound;
        match stream.request(heads, &header.inbound, header.in_at, record.inbound, source == Source::Sweep) {
            RequestTaken::Nothing => {}
            RequestTaken::Malformed => metrics.parse_errors.with_label_values(&["http1"]).inc(),
            RequestTaken::Head(at, head) => {
                let id = owner.begin(&head);
                self.exchanges.request(id, at, &head, header, &mut |event| events.push(event));
            }
        }
    }

    fn response(
        &mut self,
        owner: &mut impl Owner,
        heads: &mut HeadBuffer,
        record: &Record<'_>,
        source: Source,
        metrics: &AgentMetrics,
        events: &mut Vec<Event>,
    ) {
        let header = &record.header;
        let stream = &mut self.connection.outbound;
        match stream.response(heads, &header.outbound, header.out_at, record.outbound, source == Source::Sweep) {
            ResponseTaken::Nothing => {}
            ResponseTaken::Malformed => metrics.parse_errors.with_label_values(&["http1"]).inc(),
            ResponseTaken::Head(at, head, body) => {
                let answered = self.exchanges.response(at, &head, header, &mut |event| events.push(event));
                if let Some((id, is_final)) = answered {
                    owner.answer(id, is_final, &head, body);
                }
            }
        }
    }
}

/// Compares what was followed with the kernel's own counters, where it has any.
pub fn audit(header: &FlowHeader, metrics: &AgentMetrics) {
    if header.flags & flag::UNAUDITED != 0 {
        return;
    }
    let difference =
        header.kernel_in.abs_diff(header.inbound.total) + header.kernel_out.abs_diff(header.outbound.total);
    if difference > 0 {
        metrics.audit_difference_bytes.inc_by(difference);
    }
}
