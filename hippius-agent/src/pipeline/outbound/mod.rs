//! Connections that watched processes have opened: record → connection → exchange → recorder.

pub mod accounts;
mod calls;
mod peer;
mod wire;

use std::sync::Arc;

use hashbrown::HashMap;
use hippius_common::flow::{Connected, FlowHeader, flag, kind, phase};
use hippius_common::loss;

use super::Source;
use super::framed::{Framed, audit};
use crate::config::Config;
use crate::decode::http1::HeadBuffer;
use crate::exchange::Event;
use crate::exchange::wire::queues::Queues;
use crate::exchange::wire::{Session, System};
use crate::kernel::record::Record;
use crate::pipeline::live::Life;
use crate::record::agent::AgentMetrics;
use crate::record::history::connections::Line as Shown;
use crate::record::sample::Direction;
use accounts::Counting;
use calls::{Calling, Calls, Line};
use peer::{Peers, Place};
use wire::Wire;

/// Most connections that are followed at a time.
const MAX_CONNECTIONS: usize = 65_536;

/// The outgoing connections.
pub struct Outbound {
    /// By socket cookie. A connection is out of its place while a record goes through the stages.
    connections: HashMap<u64, Option<Box<Watched>>, ahash::RandomState>,
    peers: Peers,
    calls: Calls,
    /// By process: TLS sessions that no socket is known of. Which of its sockets they go over cannot be told, so none of
    /// them is said to be opaque.
    unjoined: HashMap<u32, u32>,
    wire: Wire,
    events: Vec<Event>,
    agent: Arc<AgentMetrics>,
}

/// One connection.
struct Watched {
    line: Line,
    framed: Framed,
    /// What is said where it is no HTTP.
    session: Option<Box<Session>>,
    /// Bytes of TLS that were counted, each way.
    opaque: [u64; 2],
    /// Of a TLS session: its socket is known.
    joined: bool,
    moved_ns: u64,
    life: Life,
}

impl Outbound {
    /// None yet.
    pub fn new(config: &Config, queues: Queues, agent: Arc<AgentMetrics>) -> Self {
        let mut wire = Wire::new(queues, Arc::clone(&agent));
        wire.configure(config);
        Self {
            connections: HashMap::default(),
            peers: Peers::new(config),
            calls: Calls::default(),
            unjoined: HashMap::new(),
            wire,
            events: Vec::new(),
            agent,
        }
    }

    /// Goes over to a new configuration. What is under way keeps its labels.
    pub fn configure(&mut self, config: &Config) {
        self.wire.configure(config);
        self.peers = Peers::new(config);
        self.connections.values_mut().flatten().for_each(|watched| watched.line.forget());
    }

    /// Gives up what has waited for too long. Call it once a second.
    pub fn tick(&mut self, now_ns: u64) {
        self.wire.tick(now_ns);
    }

    /// A connection was made, or could not be.
    pub fn connected(&mut self, connected: &Connected, now_ns: u64) {
        let place = Place { address: Some(peer::address(connected)), server: None };
        if connected.error != 0 {
            self.agent.outbound.not_connected(&self.peers.find(&place, None).name, connected.error);
        } else if let Some(session) = self.connections.get_mut(&connected.cookie).and_then(Option::as_mut) {
            // A TLS session, of which the socket is known now.
            session.joined = true;
            session.line.learn(place);
            self.no_longer_unjoined(connected.tgid);
        } else {
            self.insert(connected.cookie, Line::new(place, connected.connect_ns), now_ns);
        }
    }

    fn insert(&mut self, cookie: u64, line: Line, now_ns: u64) {
        if self.connections.len() >= MAX_CONNECTIONS {
            self.agent.events_lost.with_label_values(&["table_full"]).inc();
            return;
        }
        let framed = Framed::default();
        let life = Life::new(now_ns);
        let watched = Watched { line, framed, session: None, opaque: [0, 0], joined: false, moved_ns: now_ns, life };
        self.connections.insert(cookie, Some(Box::new(watched)));
    }

    /// A TLS session begins, or its server is named. It has no socket yet.
    fn session(&mut self, record: &Record<'_>, now_ns: u64) {
        let cookie = record.header.cookie;
        let place = Place { address: None, server: peer::server(record.inbound) };
        if let Some(session) = self.connections.get_mut(&cookie).and_then(Option::as_mut) {
            session.line.learn(place);
        } else {
            self.insert(cookie, Line::new(place, 0), now_ns);
            *self.unjoined.entry(record.header.tgid).or_default() += 1;
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
    pub fn take(
        &mut self,
        heads: &mut HeadBuffer,
        record: &Record<'_>,
        source: Source,
        counting: &mut Counting<'_, '_>,
    ) {
        let now_ns = counting.now_ns;
        let header = &record.header;
        if header.kind == kind::SESSION {
            self.session(record, now_ns);
            return;
        }
        if source == Source::Sweep && header.flags & flag::CLOSED != 0 {
            // Its last record is on the ring, behind others that it must not overtake.
            return;
        }
        // A sweep may be ahead of the record that tells of the connection.
        let Some(mut watched) = self.connections.get_mut(&header.cookie).and_then(Option::take) else { return };
        if header.flags & flag::TLS != 0 || is_unread(header) {
            self.tls(&mut watched, record);
        } else if header.flags & flag::STREAM == 0 {
            self.http(&mut watched, heads, record, source, counting);
        } else if source == Source::Ring {
            // A sweep would show bytes before those that are still on the ring.
            let operations = self.wire.take(&mut watched.session, record);
            watched.life.asked(operations);
        }
        watched.life.saw(header);
        watched.moved_ns = now_ns;
        if header.kind == kind::CLOSE {
            self.closed(watched, record);
        } else if let Some(place) = self.connections.get_mut(&header.cookie) {
            *place = Some(watched);
        }
    }

    fn closed(&mut self, mut watched: Box<Watched>, record: &Record<'_>) {
        let header = &record.header;
        let moved = header.inbound.total | header.outbound.total != 0;
        if header.flags & flag::SESSION != 0 {
            if !watched.joined && !moved {
                self.no_longer_unjoined(header.tgid);
            }
        } else if !moved {
            // It was made for nothing, of which nobody will say more.
            watched.line.name(&self.peers, &self.agent);
        }
        self.connections.remove(&header.cookie);
    }

    fn http(
        &mut self,
        watched: &mut Watched,
        heads: &mut HeadBuffer,
        record: &Record<'_>,
        source: Source,
        counting: &mut Counting<'_, '_>,
    ) {
        let mut events = std::mem::take(&mut self.events);
        let Watched { line, framed, .. } = watched;
        let (calls, peers, agent) = (&mut self.calls, &self.peers, &*self.agent);
        let mut owner = Calling { calls, line, peers, agent, counting };
        framed.take(&mut owner, heads, record, source, agent, &mut events);
        self.calls.apply(agent, &mut events, counting);
        self.events = events;
    }

    /// Bytes of TLS, as they move.
    fn tls(&mut self, watched: &mut Watched, record: &Record<'_>) {
        let header = &record.header;
        let peer = watched.line.name(&self.peers, &self.agent);
        let totals = [(Direction::Out, header.inbound.total), (Direction::In, header.outbound.total)];
        let is_session = header.flags & flag::SESSION != 0;
        let opened = !is_session && (header.flags & flag::OPENED != 0 || self.unjoined.contains_key(&header.tgid));
        for ((direction, total), counted) in totals.into_iter().zip(&mut watched.opaque) {
            if !opened {
                self.agent.outbound.opaque(&peer, direction, total.saturating_sub(*counted));
            }
            *counted = total.max(*counted);
        }
        if header.kind == kind::CLOSE {
            audit(header, &self.agent);
        }
    }

    /// What is kept of the connections, by socket cookie.
    pub fn lives(&self) -> impl Iterator<Item = (u64, &Life)> {
        self.connections.iter().filter_map(|(cookie, place)| place.as_ref().map(|watched| (*cookie, &watched.life)))
    }

    /// The line of one connection.
    pub fn line(&self, cookie: u64, now_ns: u64) -> Option<Shown> {
        let watched = self.connections.get(&cookie)?.as_ref()?;
        let peer = watched.line.shown(&self.peers);
        let state = match &watched.session {
            Some(session) => session.system().map_or("other", System::name),
            None if watched.opaque != [0, 0] => "tls",
            None => watched.life.state(watched.framed.stage()),
        };
        Some(watched.life.line(cookie, true, &peer, state, now_ns))
    }

    /// A look at the connections is over.
    pub fn looked(&mut self) {
        self.connections.values_mut().flatten().for_each(|watched| watched.life.looked());
    }

    /// Forgets connections that have not moved for `limit` nanoseconds: their last record was lost.
    pub fn forget_idle(&mut self, limit: u64, counting: &mut Counting<'_, '_>) {
        let now_ns = counting.now_ns;
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
        self.calls.apply(&self.agent, &mut events, counting);
        self.events = events;
    }

    /// Takes up answers of lookups, and ends waits of more than `limit` nanoseconds.
    pub fn settle_waiting(&mut self, limit: u64, counting: &mut Counting<'_, '_>) {
        self.calls.settle_waiting(limit, counting);
    }
}

/// Whether a TLS session was opened and carries nothing that is read: HTTP/2, Redis, Postgres.
fn is_unread(header: &FlowHeader) -> bool {
    let side = &header.inbound;
    header.flags & flag::SESSION != 0 && side.phase == phase::OPAQUE && side.loss() == loss::NOT_HTTP
}
