//! Wires stage to stage, top to bottom: record → connection → exchange → attribute → classify → recorder.

mod framed;
mod live;
mod open;
mod outbound;
pub mod placed;
mod rays;
mod services;
mod unix;
mod upkeep;

use std::sync::Arc;

use hashbrown::{HashMap, HashSet};
use hippius_common::flow::{Connected, flag, kind};
use hippius_common::loss;
use slab::Slab;

use crate::attribute::settle::{Settled, early, settle};
use crate::attribute::store::Store;
use crate::attribute::verdict::Verdict;
use crate::attribute::{Account, Claim, UNKNOWN};
use crate::classify::method_label;
use crate::config::Config;
use crate::decode::http1::{HeadBuffer, RequestHead, ResponseHead};
use crate::decode::s3_error;
use crate::exchange::wire::queues::Queues;
use crate::exchange::{Event, ExchangeId};
use crate::kernel::record::Record;
use crate::record::agent::AgentMetrics;
use crate::record::series::Batch;
use framed::{Framed, Owner};
use live::Life;
use open::Open;
use outbound::Outbound;
use outbound::accounts::Counting;
use rays::{FIELD, Rays, ray};
use services::{Listens, Services};
use unix::UnixSockets;

/// Records that are still to come of more processes than these are forgotten about; a second is enough for each.
const MAX_LEFT_ALONE: usize = 4096;

/// The stages with their state. Belongs to the thread that drains the ring.
pub struct Pipeline {
    config: Arc<Config>,
    services: Services,
    /// By socket cookie. A connection is out of its place while a record goes through the stages.
    connections: HashMap<u64, Option<Box<Watched>>, ahash::RandomState>,
    unix: UnixSockets,
    open: Slab<Open>,
    /// Exchanges that wait for their account.
    waiting: Vec<u32>,
    store: Store,
    rays: Rays,
    outbound: Outbound,
    /// Processes whose TLS sessions are not followed, though some records of theirs may still come.
    left_alone: HashSet<u32>,
    events: Vec<Event>,
    /// On whom the last request of the connection that is out of its place was counted.
    charged: Option<Arc<Account>>,
    /// When somebody looked at the connections last.
    looked_ns: u64,
    metrics: Arc<AgentMetrics>,
}

/// One connection of a service.
#[derive(Default)]
struct Watched {
    framed: Framed,
    service: u32,
    moved_ns: u64,
    life: Life,
}

/// Where a record comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Source {
    /// The ring: every record once, in order.
    Ring,
    /// A sweep: a view of the same state, maybe ahead of the ring.
    Sweep,
}

/// The exchanges of one service, while a record of it goes through the stages.
struct Serving<'a, 'b> {
    pipeline: &'a mut Pipeline,
    batch: &'a mut Batch<'b>,
    service: u32,
    cookie: u64,
    handler: &'static str,
    now_ns: u64,
}

impl Owner for Serving<'_, '_> {
    fn begin(&mut self, head: &RequestHead<'_>) -> ExchangeId {
        let id = self.pipeline.begin(self.batch, self.service, head, self.now_ns);
        if let Some(open) = self.pipeline.open.get_mut(id as usize) {
            open.cookie = self.cookie;
            self.handler = open.class.handler;
            if open.account.is_some() {
                charge(&mut self.pipeline.charged, &open.account);
            }
        }
        id
    }

    fn answer(&mut self, id: ExchangeId, is_final: bool, head: &ResponseHead<'_>, body: &[u8]) {
        self.pipeline.answer(self.batch, id, is_final, head, body, self.now_ns);
    }
}

impl Pipeline {
    /// An empty pipeline.
    pub fn new(config: Arc<Config>, store: Store, queues: Queues, metrics: Arc<AgentMetrics>) -> Self {
        let outbound = Outbound::new(&config, queues, Arc::clone(&metrics));
        Self {
            outbound,
            config,
            services: Services::default(),
            connections: HashMap::default(),
            unix: UnixSockets::default(),
            open: Slab::new(),
            waiting: Vec::new(),
            store,
            rays: Rays::default(),
            left_alone: HashSet::new(),
            events: Vec::new(),
            charged: None,
            looked_ns: 0,
            metrics,
        }
    }

    /// Whether records of this process's TLS sessions are to be used from now on.
    pub fn follow_sessions(&mut self, tgid: u32, followed: bool) {
        if followed {
            self.left_alone.remove(&tgid);
        } else {
            if self.left_alone.len() >= MAX_LEFT_ALONE {
                self.left_alone.clear();
            }
            self.left_alone.insert(tgid);
        }
    }

    /// A client's socket was connected, or it is known which socket a client's TLS session goes over.
    pub fn connected(&mut self, connected: &Connected, now_ns: u64) {
        if connected.flags & flag::SESSION != 0 && self.left_alone.contains(&connected.tgid) {
            return;
        }
        self.outbound.connected(connected, now_ns);
    }

    /// Takes one record through all stages.
    pub fn take(
        &mut self,
        batch: &mut Batch<'_>,
        heads: &mut HeadBuffer,
        record: &Record<'_>,
        source: Source,
        now_ns: u64,
    ) {
        let header = &record.header;
        let is_session = header.flags & flag::SESSION != 0;
        if is_session && self.left_alone.contains(&header.tgid) {
            return;
        }
        if header.flags & flag::CLIENT != 0 {
            let mut counting = Counting { batch, store: &mut self.store, now_ns };
            self.outbound.take(heads, record, source, &mut counting);
            return;
        }
        let is_unix = header.flags & flag::UNIX != 0;
        if header.local_port == 0 && !is_session && !is_unix {
            // The end of a connection that was never HTTP, which has no flow and so no port.
            let bytes = header.inbound.total.saturating_add(header.outbound.total);
            self.metrics.bytes_unattributed.with_label_values(&[loss::label(header.inbound.loss())]).inc_by(bytes);
            return;
        }
        let Some(mut watched) = self.watched(batch, record, source, now_ns) else { return };
        let mut events = std::mem::take(&mut self.events);
        let metrics = Arc::clone(&self.metrics);
        let (service, cookie) = (watched.service, header.cookie);
        self.charged = watched.life.account.take();
        let mut owner = Serving { pipeline: self, batch, service, cookie, handler: watched.life.handler, now_ns };
        let used = watched.framed.take(&mut owner, heads, record, source, &metrics, &mut events);
        watched.life.handler = owner.handler;
        self.events = events;
        if used {
            watched.moved_ns = now_ns;
            watched.life.saw(header);
            if is_unix {
                self.unix.moved(header);
            }
            self.apply(batch, now_ns);
        }
        watched.life.account = self.charged.take();
        if header.kind == kind::CLOSE && source == Source::Ring {
            self.connections.remove(&header.cookie);
        } else if let Some(place) = self.connections.get_mut(&header.cookie) {
            *place = Some(watched);
        }
    }

    /// Takes the connection out of its place in the table, or begins it.
    fn watched(
        &mut self,
        batch: &mut Batch<'_>,
        record: &Record<'_>,
        source: Source,
        now_ns: u64,
    ) -> Option<Box<Watched>> {
        let header = &record.header;
        if source == Source::Sweep && header.flags & flag::CLOSED != 0 {
            // Its last record is on the ring, and is audited once.
            return None;
        }
        if let Some(place) = self.connections.get_mut(&header.cookie) {
            return place.take();
        }
        if self.connections.len() >= self.config.capture.max_connections as usize {
            self.metrics.events_lost.with_label_values(&["table_full"]).inc();
            return None;
        }
        let on = match header.local_port {
            0 if header.flags & flag::UNIX != 0 => Listens::OnSocket(self.unix.name(header.cookie)),
            0 => Listens::OnPort(self.services.port_of(header.tgid)),
            port => Listens::OnPort(port),
        };
        let service = self.services.find(&self.config, batch, on, header.tgid)?;
        self.connections.insert(header.cookie, None);
        Some(Box::new(Watched { service, life: Life::new(now_ns), ..Watched::default() }))
    }

    /// A request begins: who may have sent it, and what it is.
    fn begin(&mut self, batch: &mut Batch<'_>, index: u32, head: &RequestHead<'_>, now_ns: u64) -> u32 {
        let mut open = Open::new(index, method_label(head.method), now_ns);
        open.ray = ray(&head.fields);
        if let Some(service) = self.services.get(index) {
            open.class = service.classifier.classify(head);
            open.claim = self.store.claim(&service.rules, head, now_ns);
            open.account = match &open.claim {
                Claim::Anonymous if service.plain => Some(UNKNOWN.clone()),
                claim => early(&mut self.store, claim, now_ns),
            };
            if open.class.s3.is_some() {
                let decoded = head.fields.get("x-amz-decoded-content-length");
                open.decoded_payload = decoded.and_then(|length| length.trim().parse().ok());
                open.bucket = open::bucket(head.target);
            }
            if let (true, Claim::Trusted(account)) = (service.behind_gateway, &open.claim)
                && let Some(ray) = head.fields.get(FIELD)
            {
                self.rays.learn(ray, account);
            }
            batch.in_flight(service.id, 1);
        }
        self.open.insert(open) as u32
    }

    /// A response came: what it says about the credential.
    fn answer(
        &mut self,
        batch: &mut Batch<'_>,
        id: u32,
        is_final: bool,
        head: &ResponseHead<'_>,
        body: &[u8],
        now_ns: u64,
    ) {
        let Some(open) = self.open.get_mut(id as usize) else { return };
        let Some(service) = self.services.get(open.service) else { return };
        let verdict = if is_final {
            let code = if head.status >= 400 { s3_error::error_code(&head.fields, body) } else { None };
            open.error_code = code.map(Into::into);
            Verdict::of(head.status, code)
        } else if head.status == 100 {
            Verdict::of_continue(service.profile)
        } else {
            Verdict::Undecided
        };
        if !is_final && verdict != Verdict::Accepted {
            return;
        }
        open.verdict = verdict;
        if is_final {
            open.ray = ray(&head.fields).or(open.ray);
        }
        if verdict == Verdict::Refused {
            // Bytes that were counted early stay where they are; what is still held goes where the verdict says.
            open.account = None;
        }
        if let Some(ray) = head.fields.get(FIELD).filter(|_| service.client_facing && is_final)
            && verdict != Verdict::Refused
            && let Some(account) = self.rays.take(ray)
        {
            open.account = Some(account);
            if let Claim::Credential(credential) = &open.claim {
                self.store.accepted(&credential.key);
            }
        }
        self.settle(batch, id, now_ns);
    }

    /// Finds the account of an exchange, or lets it wait. Anonymous senders of plain HTTP are known to be unknown.
    fn settle(&mut self, batch: &mut Batch<'_>, id: u32, now_ns: u64) {
        let Some(open) = self.open.get_mut(id as usize) else { return };
        let Some(service) = self.services.get(open.service) else { return };
        if open.account.is_none() {
            let plain = service.plain && matches!(open.claim, Claim::Anonymous);
            match settle(&mut self.store, &open.claim, open.verdict, open.bucket.as_deref(), now_ns) {
                _ if plain => open.account = Some(UNKNOWN.clone()),
                Settled::Account(account) => open.account = Some(account),
                Settled::Pending => {
                    if !self.waiting.contains(&id) {
                        open.waits_since_ns = now_ns;
                        self.waiting.push(id);
                    }
                    return;
                }
            }
        }
        charge(&mut self.charged, &open.account);
        open.count(service, batch, now_ns);
        if open.is_done() {
            self.open.remove(id as usize);
        }
    }

    /// Applies what the exchange stage said.
    fn apply(&mut self, batch: &mut Batch<'_>, now_ns: u64) {
        let mut events = std::mem::take(&mut self.events);
        for event in events.drain(..) {
            match event {
                Event::Transfer(id, way, bytes) => {
                    let Some(open) = self.open.get_mut(id as usize) else { continue };
                    if let Some(service) = self.services.get(open.service) {
                        open.transfer(service, batch, way, bytes, now_ns);
                    }
                }
                Event::Unattributed(reason, bytes) => {
                    self.metrics.bytes_unattributed.with_label_values(&[reason]).inc_by(bytes);
                }
                Event::Desynced(reason) => {
                    self.metrics.streams_desynced.with_label_values(&[reason]).inc();
                }
                Event::RequestLost => {
                    self.metrics.streams_desynced.with_label_values(&["request_lost"]).inc();
                    self.metrics.events_lost.with_label_values(&["exchange"]).inc();
                }
                Event::Finished(id, finished) => {
                    if let Some(open) = self.open.get_mut(id as usize) {
                        open.finished = Some(finished);
                        self.settle(batch, id, now_ns);
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
        self.events = events;
    }

    /// Goes over to a new configuration. Connections keep their service until they end.
    pub fn configure(&mut self, config: Arc<Config>) {
        self.outbound.configure(&config);
        self.config = config;
        self.services.forget();
    }

    /// The store of accounts.
    pub fn store(&mut self) -> &mut Store {
        &mut self.store
    }
}

/// Notes on whom a connection's last request was counted: most often on whom the one before was.
fn charge(charged: &mut Option<Arc<Account>>, account: &Option<Arc<Account>>) {
    let is_same = charged.as_ref().zip(account.as_ref()).is_some_and(|(one, other)| Arc::ptr_eq(one, other));
    if !is_same {
        charged.clone_from(account);
    }
}
