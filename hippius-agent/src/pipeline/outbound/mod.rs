//! Connections that watched processes have opened: record → connection → exchange → recorder.

mod peer;

use std::sync::Arc;

use hashbrown::HashMap;
use hippius_common::flow::{Connected, flag, kind};
use slab::Slab;

use super::Source;
use super::framed::{Framed, Owner, audit};
use crate::classify::method_label;
use crate::decode::http1::{HeadBuffer, RequestHead, ResponseHead};
use crate::exchange::{Direction, Event, ExchangeId};
use crate::kernel::record::Record;
use crate::record::agent::AgentMetrics;
use crate::record::outbound::Call;

/// Most connections that are followed at a time.
const MAX_CONNECTIONS: usize = 65_536;

/// The outgoing connections.
pub struct Outbound {
    /// By socket cookie. A connection is out of its place while a record goes through the stages.
    connections: HashMap<u64, Option<Box<Watched>>, ahash::RandomState>,
    open: Slab<Open>,
    events: Vec<Event>,
    agent: Arc<AgentMetrics>,
}

/// One connection.
struct Watched {
    peer: Arc<str>,
    framed: Framed,
    /// Bytes of TLS that were counted, each way.
    opaque: [u64; 2],
    moved_ns: u64,
}

/// A call under way.
struct Open {
    peer: Arc<str>,
    method: &'static str,
}

impl Outbound {
    /// None yet.
    pub fn new(agent: Arc<AgentMetrics>) -> Self {
        Self { connections: HashMap::default(), open: Slab::new(), events: Vec::new(), agent }
    }

    /// A connection was made, or could not be.
    pub fn connected(&mut self, connected: &Connected, now_ns: u64) {
        let peer = peer::name(connected);
        if connected.connect_ns != 0 {
            self.agent.outbound.connected(&peer, connected.connect_ns);
        }
        if self.connections.len() >= MAX_CONNECTIONS {
            self.agent.events_lost.with_label_values(&["table_full"]).inc();
            return;
        }
        let watched = Watched { peer, framed: Framed::default(), opaque: [0, 0], moved_ns: now_ns };
        self.connections.insert(connected.cookie, Some(Box::new(watched)));
    }

    /// Takes one record of such a connection.
    pub fn take(&mut self, heads: &mut HeadBuffer, record: &Record<'_>, source: Source, now_ns: u64) {
        let header = &record.header;
        // A sweep may be ahead of the record that tells of the connection, and behind the last one.
        let Some(mut watched) = self.connections.get_mut(&header.cookie).and_then(Option::take) else { return };
        if header.flags & flag::TLS != 0 {
            self.tls(&mut watched, record);
        } else if header.flags & flag::STREAM == 0 {
            self.http(&mut watched, heads, record, source);
        }
        watched.moved_ns = now_ns;
        if header.kind == kind::CLOSE {
            self.connections.remove(&header.cookie);
        } else if let Some(place) = self.connections.get_mut(&header.cookie) {
            *place = Some(watched);
        }
    }

    fn http(&mut self, watched: &mut Watched, heads: &mut HeadBuffer, record: &Record<'_>, source: Source) {
        let mut events = std::mem::take(&mut self.events);
        let mut owner = Calling { open: &mut self.open, peer: &watched.peer };
        watched.framed.take(&mut owner, heads, record, source, &self.agent, &mut events);
        self.apply(&mut events);
        self.events = events;
    }

    /// Bytes of TLS, as they move.
    fn tls(&mut self, watched: &mut Watched, record: &Record<'_>) {
        let header = &record.header;
        let totals = [(Direction::Out, header.inbound.total), (Direction::In, header.outbound.total)];
        for ((direction, total), counted) in totals.into_iter().zip(&mut watched.opaque) {
            self.agent.outbound.opaque(&watched.peer, direction, total.saturating_sub(*counted));
            *counted = total.max(*counted);
        }
        if header.kind == kind::CLOSE {
            audit(header, &self.agent);
        }
    }

    fn apply(&mut self, events: &mut Vec<Event>) {
        for event in events.drain(..) {
            match event {
                Event::Transfer(..) => {}
                Event::Unattributed(reason, bytes) => {
                    self.agent.bytes_unattributed.with_label_values(&[reason]).inc_by(bytes);
                }
                Event::Desynced(reason) => self.agent.streams_desynced.with_label_values(&[reason]).inc(),
                Event::RequestLost => {
                    self.agent.streams_desynced.with_label_values(&["request_lost"]).inc();
                    self.agent.events_lost.with_label_values(&["exchange"]).inc();
                }
                Event::Finished(id, finished) => {
                    if let Some(open) = self.open.get(id as usize) {
                        self.agent.outbound.finished(&Call { peer: &open.peer, method: open.method, finished });
                    }
                }
                Event::Released(id) => {
                    self.open.try_remove(id as usize);
                }
            }
        }
    }

    /// Forgets connections that have not moved for `limit` nanoseconds: their last record was lost.
    pub fn forget_idle(&mut self, now_ns: u64, limit: u64) {
        let mut events = std::mem::take(&mut self.events);
        self.connections.retain(|_, watched| {
            let Some(watched) = watched else { return false };
            let stays = now_ns.saturating_sub(watched.moved_ns) < limit;
            if !stays {
                watched.framed.abandon(&mut events);
            }
            stays
        });
        self.apply(&mut events);
        self.events = events;
    }
}

/// The calls of one connection, while a record of it goes through the stages.
struct Calling<'a> {
    open: &'a mut Slab<Open>,
    peer: &'a Arc<str>,
}

impl Owner for Calling<'_> {
    fn begin(&mut self, head: &RequestHead<'_>) -> ExchangeId {
        let open = Open { peer: Arc::clone(self.peer), method: method_label(head.method) };
        self.open.insert(open) as u32
    }

    fn answer(&mut self, _id: ExchangeId, _is_final: bool, _head: &ResponseHead<'_>, _body: &[u8]) {}
}
