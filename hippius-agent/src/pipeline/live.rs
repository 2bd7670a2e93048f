//! What the stages know of connections that are open, for whoever wants to see them now.
//!
//! A look walks over all connections once and takes the most active. It is made only while somebody looks, once a second
//! at most, by the thread that has the connections; who reads it has a copy.

use std::sync::Arc;

use hippius_common::flow::{FlowHeader, flag, phase};

use super::Pipeline;
use crate::attribute::Account;
use crate::exchange::Stage;
use crate::record::history::connections::{Line, MAX_CONNECTIONS, View};

/// What is kept of a connection besides what the stages need.
#[derive(Default)]
pub struct Life {
    began_ns: u64,
    process: u32,
    /// A head has begun and is not complete.
    collecting: bool,
    /// Requests, bytes of the request side, bytes of the response side.
    moved: [u64; 3],
    /// The same at the last look.
    looked: [u64; 3],
    /// On whom the last request was counted.
    pub account: Option<Arc<Account>>,
    /// Handler of the last request.
    pub handler: &'static str,
}

impl Life {
    /// Seen for the first time.
    pub fn new(now_ns: u64) -> Self {
        Self { began_ns: now_ns, ..Self::default() }
    }

    /// A record shows its numbers. One that comes late shows less than is known.
    pub fn saw(&mut self, header: &FlowHeader) {
        let [known, ..] = self.moved;
        // Of what is no HTTP, requests are told by `asked`.
        let requests = if header.flags & flag::STREAM == 0 { u64::from(header.inbound.messages) } else { known };
        let seen = [requests, header.inbound.total, header.outbound.total];
        if seen.iter().zip(&self.moved).any(|(seen, known)| seen < known) {
            return;
        }
        if self.process == 0 {
            self.process = header.tgid;
            if (1..self.began_ns).contains(&header.inbound.first_ns) {
                self.began_ns = header.inbound.first_ns;
            }
        }
        self.moved = seen;
        self.collecting = header.inbound.phase == phase::HEAD && header.inbound.head_len != 0;
    }

    /// So many requests that are no HTTP.
    pub fn asked(&mut self, requests: u64) {
        let [count, ..] = &mut self.moved;
        *count += requests;
    }

    /// How much it has moved: since the last look, then in all.
    pub fn activity(&self) -> (u64, u64) {
        let bytes = |[_, one, other]: [u64; 3]| one.saturating_add(other);
        (bytes(self.moved).saturating_sub(bytes(self.looked)), bytes(self.moved))
    }

    /// What it does, of an HTTP connection.
    pub fn state(&self, stage: Stage) -> &'static str {
        match stage {
            Stage::Idle if self.collecting => "receive",
            Stage::Idle => "idle",
            Stage::Receive => "receive",
            Stage::Process => "process",
            Stage::Send => "send",
        }
    }

    /// The line of this connection. `with` is its service, or its peer if it is `outgoing`.
    pub fn line(&self, cookie: u64, outgoing: bool, with: &Arc<str>, state: &'static str, now_ns: u64) -> Line {
        let [requests, asked, answered] = [0, 1, 2].map(|at: usize| {
            let (now, before) = (self.moved.get(at).copied().unwrap_or(0), self.looked.get(at).copied().unwrap_or(0));
            [now, now.saturating_sub(before)]
        });
        let (received, sent) = if outgoing { (answered, asked) } else { (asked, answered) };
        Line {
            cookie,
            outgoing,
            with: Arc::clone(with),
            account: self.account.clone(),
            handler: self.handler,
            process: self.process,
            state,
            age_s: now_ns.saturating_sub(self.began_ns) as f64 / 1e9,
            requests,
            received,
            sent,
        }
    }

    /// A look is over.
    pub fn looked(&mut self) {
        self.looked = self.moved;
    }
}

impl Pipeline {
    /// How many connections are followed, and how many of them have an exchange under way.
    pub fn connections(&self) -> (usize, usize) {
        let active = self.connections.values().flatten().filter(|watched| !watched.framed.is_idle()).count();
        (self.connections.len(), active)
    }

    /// The account of an exchange was found after its record had gone through the stages.
    pub(super) fn charge(&mut self, cookie: u64) {
        if let Some(account) = self.charged.take()
            && let Some(watched) = self.connections.get_mut(&cookie).and_then(Option::as_mut)
        {
            watched.life.account = Some(account);
        }
    }

    /// The connections that have moved most since the last look.
    pub fn look(&mut self, now_ns: u64) -> View {
        let interval_s = now_ns.saturating_sub(std::mem::replace(&mut self.looked_ns, now_ns)) as f64 / 1e9;
        let mut busiest: Vec<_> = self
            .connections
            .iter()
            .filter_map(|(cookie, place)| place.as_ref().map(|watched| (watched.life.activity(), *cookie, false)))
            .collect();
        busiest.extend(self.outbound.lives().map(|(cookie, life)| (life.activity(), cookie, true)));
        let left_out = busiest.len().saturating_sub(MAX_CONNECTIONS);
        if left_out > 0 {
            busiest.select_nth_unstable_by(MAX_CONNECTIONS, |one, other| other.cmp(one));
            busiest.truncate(MAX_CONNECTIONS);
        }
        let lines = busiest.into_iter().filter_map(|(_, cookie, outgoing)| {
            if outgoing { self.outbound.line(cookie, now_ns) } else { self.line(cookie, now_ns) }
        });
        let lines = lines.collect();
        self.connections.values_mut().flatten().for_each(|watched| watched.life.looked());
        self.outbound.looked();
        View { unix_s: 0.0, interval_s, lines, left_out }
    }

    fn line(&self, cookie: u64, now_ns: u64) -> Option<Line> {
        let watched = self.connections.get(&cookie)?.as_ref()?;
        let service = &self.services.get(watched.service)?.name;
        let state = watched.life.state(watched.framed.stage());
        Some(watched.life.line(cookie, false, service, state, now_ns))
    }
}
