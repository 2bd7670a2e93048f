//! What is done from time to time, with or without records.

use std::time::Duration;

use super::Pipeline;
use super::outbound::accounts::Counting;
use crate::attribute::UNKNOWN;
use crate::record::series::Batch;

impl Pipeline {
    /// Takes up answers of lookups and ends waits that were too long. Call it some times a second.
    pub fn settle_waiting(&mut self, batch: &mut Batch<'_>, now_ns: u64) {
        self.store.collect(now_ns, |_| ());
        let limit = u64::try_from(self.config.attribution.wait.as_nanos()).unwrap_or(u64::MAX);
        for id in std::mem::take(&mut self.waiting) {
            let Some(open) = self.open.get_mut(id as usize) else { continue };
            if now_ns.saturating_sub(open.waits_since_ns) > limit {
                open.account = Some(UNKNOWN.clone());
            }
            let cookie = open.cookie;
            self.charged = None;
            self.settle(batch, id, now_ns);
            self.charge(cookie);
        }
        self.outbound.settle_waiting(limit, &mut Counting { batch, store: &mut self.store, now_ns });
    }

    /// Forgets connections that have not moved for `idle`: their last record was lost. What was under way on them ends
    /// unobserved.
    pub fn forget_idle(&mut self, batch: &mut Batch<'_>, now_ns: u64, idle: Duration) {
        let limit = u64::try_from(idle.as_nanos()).unwrap_or(u64::MAX);
        let mut events = std::mem::take(&mut self.events);
        self.connections.retain(|_, watched| {
            let Some(watched) = watched else { return false };
            let stays = now_ns.saturating_sub(watched.moved_ns) < limit;
            if !stays {
                watched.framed.abandon(&mut events);
            }
            stays
        });
        self.events = events;
        self.apply(batch, now_ns);
        self.outbound.forget_idle(limit, &mut Counting { batch, store: &mut self.store, now_ns });
        self.outbound.tick(now_ns);
    }
}
