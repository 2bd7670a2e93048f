//! HTTP of one outgoing connection: record → connection → exchange → recorder.

use std::sync::Arc;

use slab::Slab;

use super::accounts::{Counting, Named};
use super::peer::{Peer, Peers, Place};
use crate::classify::method_label;
use crate::decode::http1::{RequestHead, ResponseHead};
use crate::exchange::{self, Event, ExchangeId};
use crate::pipeline::framed::Owner;
use crate::pipeline::rays::ray;
use crate::record::agent::AgentMetrics;
use crate::record::exemplar::RayId;
use crate::record::outbound::{Call, Target};
use crate::record::sample::Direction;

/// Calls under way, of all connections.
#[derive(Default)]
pub struct Calls {
    open: Slab<Open>,
    /// Calls that wait for their account.
    waiting: Vec<u32>,
}

/// A call under way.
struct Open {
    peer: Arc<str>,
    operation: Option<&'static str>,
    method: &'static str,
    /// The request that it is made for.
    ray: Option<RayId>,
    /// For whom it is made, where that can be named.
    named: Option<Box<Named>>,
    /// The exchange stage will say nothing more of it.
    released: bool,
}

impl Open {
    fn is_done(&self) -> bool {
        self.released && self.named.as_ref().is_none_or(|named| named.is_counted())
    }

    fn target(&self) -> Target<'_> {
        self.operation.map_or(Target::Peer(&self.peer), Target::Operation)
    }
}

impl Calls {
    /// Counts what the exchange stage said, and forgets what is over.
    pub fn apply(&mut self, agent: &AgentMetrics, events: &mut Vec<Event>, counting: &mut Counting<'_, '_>) {
        for event in events.drain(..) {
            match event {
                Event::Transfer(id, way, bytes) => {
                    if let Some(open) = self.open.get_mut(id as usize) {
                        let way = seen_from_client(way);
                        agent.outbound.moved(open.target(), way, bytes);
                        if let Some(named) = &mut open.named {
                            named.moved(way, bytes, counting);
                        }
                    }
                }
                Event::Unattributed(reason, bytes) => {
                    agent.bytes_unattributed.with_label_values(&[reason]).inc_by(bytes);
                }
                Event::Desynced(reason) => agent.streams_desynced.with_label_values(&[reason]).inc(),
                Event::RequestLost => {
                    agent.streams_desynced.with_label_values(&["request_lost"]).inc();
                    agent.events_lost.with_label_values(&["exchange"]).inc();
                }
                Event::Finished(id, finished) => {
                    if let Some(open) = self.open.get_mut(id as usize) {
                        let call = Call { target: open.target(), method: open.method, finished, ray: open.ray };
                        agent.outbound.finished(&call);
                        let success = call.succeeded();
                        let waits = open.named.as_mut().is_some_and(|named| named.finished(success, counting));
                        self.wait(id, waits);
                    }
                }
                Event::Released(id) => {
                    if let Some(open) = self.open.get_mut(id as usize) {
                        open.released = true;
                        if open.is_done() {
                            self.open.remove(id as usize);
                        }
                    }
                }
            }
        }
    }

    /// Takes up answers of lookups, and ends waits of more than `limit` nanoseconds.
    pub fn settle_waiting(&mut self, limit: u64, counting: &mut Counting<'_, '_>) {
        for id in std::mem::take(&mut self.waiting) {
            let Some(open) = self.open.get_mut(id as usize) else { continue };
            let waits = open.named.as_mut().is_some_and(|named| named.waited(limit, counting));
            if open.is_done() {
                self.open.remove(id as usize);
            } else {
                self.wait(id, waits);
            }
        }
    }

    fn wait(&mut self, id: ExchangeId, waits: bool) {
        if waits && !self.waiting.contains(&id) {
            self.waiting.push(id);
        }
    }
}

/// The exchange stage speaks of directions as a server does.
fn seen_from_client(way: exchange::Direction) -> Direction {
    match way {
        exchange::Direction::In => Direction::Out,
        exchange::Direction::Out => Direction::In,
    }
}

/// Whom a connection leads to.
pub struct Line {
    place: Place,
    /// How long the handshake took, until it is counted. The peer's name is known from the first request on.
    connect_ns: u64,
    /// The host that the last request named, and who that is.
    last: Option<(Box<str>, Peer)>,
}

impl Line {
    /// A connection or a TLS session; `connect_ns` is 0 where the handshake was not seen.
    pub fn new(place: Place, connect_ns: u64) -> Self {
        Self { place, connect_ns, last: None }
    }

    /// More is known of where it leads.
    pub fn learn(&mut self, place: Place) {
        self.place.address = place.address.or(self.place.address);
        self.place.server = place.server.or(self.place.server.take());
        self.last = None;
    }

    /// Who is called by a request that names this host.
    pub fn peer(&mut self, peers: &Peers, agent: &AgentMetrics, host: Option<&str>) -> &Peer {
        let named = host.unwrap_or_default();
        let peer = match self.last.take() {
            Some((known, peer)) if *known == *named => (known, peer),
            _ => (named.into(), peers.find(&self.place, host)),
        };
        let (_, peer) = self.last.insert(peer);
        if self.connect_ns != 0 {
            agent.outbound.connected(&peer.name, std::mem::take(&mut self.connect_ns));
        }
        peer
    }

    /// Who is there, as far as it is known.
    pub fn name(&mut self, peers: &Peers, agent: &AgentMetrics) -> Arc<str> {
        let host = self.last.as_ref().map(|(host, _)| host.clone()).filter(|host| !host.is_empty());
        Arc::clone(&self.peer(peers, agent, host.as_deref()).name)
    }

    /// Who is there, for somebody who looks: nothing is counted by it.
    pub fn shown(&self, peers: &Peers) -> Arc<str> {
        match &self.last {
            Some((_, peer)) => Arc::clone(&peer.name),
            None => peers.find(&self.place, None).name,
        }
    }

    /// The configuration has changed: its peers may be others.
    pub fn forget(&mut self) {
        self.last = None;
    }
}

/// The calls of one connection, while a record of it goes through the stages.
pub struct Calling<'a, 'b, 'c> {
    /// Where they are kept.
    pub calls: &'a mut Calls,
    /// Whom they go to.
    pub line: &'a mut Line,
    /// Who there is.
    pub peers: &'a Peers,
    /// Where a handshake is counted.
    pub agent: &'a AgentMetrics,
    /// Where accounts are.
    pub counting: &'a mut Counting<'b, 'c>,
}

impl Owner for Calling<'_, '_, '_> {
    fn begin(&mut self, head: &RequestHead<'_>) -> ExchangeId {
        let host = authority(head.target).or_else(|| head.fields.get("host"));
        let peer = self.line.peer(self.peers, self.agent, host);
        let operation = peer.calls.operation(head.method, head.target);
        let open = Open {
            peer: Arc::clone(&peer.name),
            operation,
            method: method_label(head.method),
            ray: ray(&head.fields),
            named: Named::read(peer, operation, head, self.counting),
            released: false,
        };
        self.calls.open.insert(open) as u32
    }

    fn answer(&mut self, id: ExchangeId, is_final: bool, head: &ResponseHead<'_>, body: &[u8]) {
        let Some(open) = self.calls.open.get_mut(id as usize) else { return };
        if is_final {
            open.ray = ray(&head.fields).or(open.ray);
        }
        let counting = &mut *self.counting;
        let waits = open.named.as_mut().is_some_and(|named| named.answered(is_final, head, body, counting));
        self.calls.wait(id, waits);
    }
}

/// Of an absolute form, which a proxy is asked with; it goes before the field (RFC 9112 section 3.2.2).
fn authority(target: &str) -> Option<&str> {
    let (scheme, rest) = target.split_once("://")?;
    let is_http = scheme.eq_ignore_ascii_case("http") || scheme.eq_ignore_ascii_case("https");
    let authority = rest.split(['/', '?']).next()?;
    // What stands before an @ is a credential.
    is_http.then(|| authority.rsplit('@').next()).flatten()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_authority_of_an_absolute_form_has_no_credential() {
        assert_eq!(authority("http://user:secret@host:81/a"), Some("host:81"));
        assert_eq!(authority("https://host?x"), Some("host"));
        for target in ["/a", "/a?u=http://b/", "*", "host:443", "ftp://host/"] {
            assert_eq!(authority(target), None, "{target}");
        }
    }
}
