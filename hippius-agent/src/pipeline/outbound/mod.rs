//! Connections that watched processes have opened: record → connection → exchange → recorder.

mod peer;
mod wire;

use std::sync::Arc;

use hashbrown::HashMap;
use hippius_common::flow::{Connected, flag, kind};
use slab::Slab;

use super::Source;
use super::framed::{Framed, Owner, audit};
use crate::classify::method_label;
use crate::config::Config;
use crate::decode::http1::{HeadBuffer, RequestHead, ResponseHead};
use crate::exchange::wire::Session;
use crate::exchange::wire::queues::Queues;
use crate::exchange::{Direction, Event, ExchangeId};
use crate::kernel::record::Record;
use crate::record::agent::AgentMetrics;
use crate::record::outbound::Call;
use wire::Wire;

/// Most connections that are followed at a time.
const MAX_CONNECTIONS: usize = 65_536;

/// The outgoing connections.
pub struct Outbound {
    /// By socket cookie. A connection is out of its place while a record goes through the stages.
    connections: HashMap<u64, Option<Box<Watched>>, ahash::RandomState>,
    open: Slab<Open>,
    /// By process: TLS sessions that no socket is known of. Which of its sockets they go over cannot be told, so none of
    /// them is said to be opaque.
    unjoined: HashMap<u32, u32>,
    wire: Wire,
    events: Vec<Event>,
    agent: Arc<AgentMetrics>,
}

/// One connection.
struct Watched {
    peer: Arc<str>,
    framed: Framed,
    /// The name of the server that a TLS session is with.
    server: Option<Arc<str>>,
    /// What is said where it is no HTTP.
    session: Option<Box<Session>>,
    /// Bytes of TLS that were counted, each way.
    opaque: [u64; 2],
    /// Of a TLS session: its socket is known.
    joined: bool,
    moved_ns: u64,
}

/// A call under way.
struct Open {
    peer: Arc<str>,
    method: &'static str,
}

impl Outbound {
    /// None yet.
    pub fn new(queues: Queues, agent: Arc<AgentMetrics>) -> Self {
        let wire = Wire::new(queues, Arc::clone(&agent));
        let (connections, unjoined) = (HashMap::default(), HashMap::new());
        Self { connections, open: Slab::new(), unjoined, wire, events: Vec::new(), agent }
    }

    /// A connection was made, or could not be.
    pub fn connected(&mut self, connected: &Connected, now_ns: u64) {
        let peer = peer::name(connected);
        if connected.connect_ns != 0 {
            self.agent.outbound.connected(&peer, connected.connect_ns);
        }
        if let Some(session) = self.connections.get_mut(&connected.cookie).and_then(Option::as_mut) {
            // A TLS session, of which the socket is known now.
            session.joined = true;
            session.peer = session.server.as_ref().map_or(peer, |server| peer::named(server, connected.port));
            self.no_longer_unjoined(connected.tgid);
            return;
        }
        self.insert(connected.cookie, peer, None, now_ns);
    }

    fn insert(&mut self, cookie: u64, peer: Arc<str>, server: Option<Arc<str>>, now_ns: u64) {
        if self.connections.len() >= MAX_CONNECTIONS {
            self.agent.events_lost.with_label_values(&["table_full"]).inc();
            return;
        }
        let framed = Framed::default();
        let watched = Watched { peer, framed, server, session: None, opaque: [0, 0], joined: false, moved_ns: now_ns };
        self.connections.insert(cookie, Some(Box::new(watched)));
    }

    /// A TLS session begins, or its server is named. It has no socket yet.
    fn session(&mut self, record: &Record<'_>, now_ns: u64) {
        let cookie = record.header.cookie;
        let server = peer::server(record.inbound);
        match self.connections.get_mut(&cookie).and_then(Option::as_mut) {
            Some(session) => {
                if let Some(server) = server {
                    session.peer = Arc::clone(&server);
                    session.server = Some(server);
                }
            }
            None => {
                let peer = server.clone().unwrap_or_else(|| peer::UNKNOWN.into());
                self.insert(cookie, peer, server, now_ns);
                *self.unjoined.entry(record.header.tgid).or_default() += 1;
            }
        }
    }

    fn no_longer_unjoined(&mut self, tgid: u32) {
        if let Some(count) = self.unjoined.get_mut(&tgid) {
            *count = count.saturating_sub(1);
            if *count == 0 {
                self.unjoined.remove(&tgid);
            }
        }
    }

    /// Takes one record of such a connection.
    pub fn take(&mut self, heads: &mut HeadBuffer, record: &Record<'_>, source: Source, now_ns: u64) {
        let header = &record.header;
        if header.kind == kind::SESSION {
            self.session(record, now_ns);
            return;
        }
        // A sweep may be ahead of the record that tells of the connection, and behind the last one.
        let Some(mut watched) = self.connections.get_mut(&header.cookie).and_then(Option::take) else { return };
        if header.flags & flag::TLS != 0 {
            self.tls(&mut watched, record);
        } else if header.flags & flag::STREAM == 0 {
            self.http(&mut watched, heads, record, source);
        } else if source == Source::Ring {
            // A sweep would show bytes before those that are still on the ring.
            self.wire.take(&mut watched.session, record);
        }
        watched.moved_ns = now_ns;
        if header.kind == kind::CLOSE {
            let moved = header.inbound.total | header.outbound.total != 0;
            if header.flags & flag::SESSION != 0 && !watched.joined && !moved {
                self.no_longer_unjoined(header.tgid);
            }
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
        let opened = header.flags & flag::OPENED != 0 || self.unjoined.contains_key(&header.tgid);
        for ((direction, total), counted) in totals.into_iter().zip(&mut watched.opaque) {
            if !opened {
                self.agent.outbound.opaque(&watched.peer, direction, total.saturating_sub(*counted));
            }
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

    /// Follows the queues of this configuration.
    pub fn configure(&mut self, config: &Config) {
        self.wire.configure(config);
    }

    /// Gives up what has waited for too long. Call it once a second.
    pub fn tick(&mut self, now_ns: u64) {
        self.wire.tick(now_ns);
    }

    /// Forgets connections that have not moved for `limit` nanoseconds: their last record was lost.
    pub fn forget_idle(&mut self, now_ns: u64, limit: u64) {
        let mut events = std::mem::take(&mut self.events);
        self.connections.retain(|_, watched| {
            let Some(watched) = watched else { return false };
            let stays = now_ns.saturating_sub(watched.moved_ns) < limit;
            if !stays {
                watched.framed.abandon(&mut events);
                self.wire.end(&mut watched.session);
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
