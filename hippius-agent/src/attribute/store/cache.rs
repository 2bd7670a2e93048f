//! What is known of credentials and buckets, bounded by the CLOCK algorithm: an entry that was used since the hand
//! last came by gets another round, one that the server has accepted gets two, so that a flood of unknown credentials
//! washes out its own kind first.

use crate::attribute::{Account, CredentialKey};
use std::collections::HashMap;
use std::sync::Arc;

/// Which sources were asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Scope {
    /// Those that cost nothing much: the credential is only claimed.
    Claimed,
    /// All: the server has accepted the credential.
    Accepted,
}

/// Why there is no account.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reason {
    /// Nobody has asked for it yet.
    NeverAsked,
    /// The sources work and none knows it.
    NotFound,
    /// Several accounts fit.
    Ambiguous,
    /// A source failed.
    Failed,
    /// Too many lookups were waiting.
    QueueFull,
    /// A lookup is due and the access key was not kept; the next request will bring it.
    NoSecret,
}

/// What is known of one credential or bucket.
#[derive(Debug)]
pub(super) struct Entry {
    pub(super) account: Option<Arc<Account>>,
    /// Whether the account is all that can be found out, or has `unknown` in it.
    pub(super) complete: bool,
    /// Why there is no account.
    pub(super) reason: Reason,
    /// What was asked last.
    pub(super) scope: Scope,
    /// Until when the last answer is believed.
    pub(super) fresh_until_ns: u64,
    /// Until when an account stays in use while newer answers have none.
    pub(super) stale_until_ns: u64,
    /// The server's latest word on this credential was that it is good.
    pub(super) proven: bool,
    /// The lookup under way and when it was asked for.
    pub(super) pending: Option<(Scope, u64)>,
    /// The address that the access key gives. It is public, never changes, and spares the next derivation.
    pub(super) derived: Option<Arc<str>>,
}

impl Default for Entry {
    fn default() -> Self {
        Self {
            account: None,
            complete: false,
            reason: Reason::NeverAsked,
            scope: Scope::Claimed,
            fresh_until_ns: 0,
            stale_until_ns: 0,
            proven: false,
            pending: None,
            derived: None,
        }
    }
}

impl Entry {
    /// The account, unless it is too old to be used.
    pub(super) fn usable(&self, now_ns: u64) -> Option<&Arc<Account>> {
        self.account.as_ref().filter(|_| now_ns < self.stale_until_ns)
    }

    /// Whether a lookup of this scope would only repeat the last one.
    pub(super) fn is_fresh(&self, scope: Scope, now_ns: u64) -> bool {
        now_ns < self.fresh_until_ns && ((self.account.is_some() && self.complete) || self.scope >= scope)
    }
}

#[derive(Debug)]
struct Slot {
    key: CredentialKey,
    entry: Entry,
    rounds: u8,
}

/// A map that forgets.
#[derive(Debug)]
pub(super) struct Cache {
    slots: Vec<Slot>,
    index: HashMap<CredentialKey, usize, ahash::RandomState>,
    capacity: usize,
    hand: usize,
}

impl Cache {
    pub(super) fn new(capacity: usize) -> Self {
        Self { slots: Vec::new(), index: HashMap::default(), capacity: capacity.max(1), hand: 0 }
    }

    /// The entry of `key`, made if there is none, at the cost of another where there is no room.
    pub(super) fn entry(&mut self, key: CredentialKey) -> &mut Entry {
        let at = match self.index.get(&key) {
            Some(at) => *at,
            None => self.make(key),
        };
        // The index holds positions of slots only, and slots are replaced but never removed.
        let slot = &mut self.slots[at];
        slot.rounds = rounds(&slot.entry);
        &mut slot.entry
    }

    /// The entry of `key`, marked as used.
    pub(super) fn get_mut(&mut self, key: &CredentialKey) -> Option<&mut Entry> {
        let slot = self.slots.get_mut(*self.index.get(key)?)?;
        slot.rounds = rounds(&slot.entry);
        Some(&mut slot.entry)
    }

    /// The entry of `key`.
    pub(super) fn get(&self, key: &CredentialKey) -> Option<&Entry> {
        self.slots.get(*self.index.get(key)?).map(|slot| &slot.entry)
    }

    /// Forgets every account and every lookup under way, not what was proven or derived.
    pub(super) fn forget_accounts(&mut self) {
        for Slot { entry, .. } in &mut self.slots {
            let (proven, derived) = (entry.proven, entry.derived.take());
            *entry = Entry { proven, derived, ..Entry::default() };
        }
    }

    pub(super) fn len(&self) -> usize {
        self.slots.len()
    }

    fn make(&mut self, key: CredentialKey) -> usize {
        let fresh = Slot { key, entry: Entry::default(), rounds: 0 };
        let at = if self.slots.len() < self.capacity {
            self.slots.push(fresh);
            self.slots.len() - 1
        } else {
            let at = self.victim();
            let old = std::mem::replace(&mut self.slots[at], fresh);
            self.index.remove(&old.key);
            at
        };
        self.index.insert(key, at);
        at
    }

    /// Turns the hand until it meets an entry without rounds left; at most three turns, as no entry has more than two.
    fn victim(&mut self) -> usize {
        loop {
            let at = self.hand;
            self.hand = (self.hand + 1) % self.slots.len();
            // `hand` stays below the number of slots, which is at least one and never falls.
            let slot = &mut self.slots[at];
            if slot.rounds == 0 {
                return at;
            }
            slot.rounds -= 1;
        }
    }
}

fn rounds(entry: &Entry) -> u8 {
    if entry.proven { 2 } else { 1 }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::attribute::CredentialHasher;

    #[test]
    fn a_flood_of_strangers_leaves_the_proven_in_place_and_memory_bounded() {
        let hasher = CredentialHasher::with_keys(&[3; 32]);
        let mut cache = Cache::new(64);
        let friends: Vec<_> = (0..32).map(|n| hasher.credential(&format!("friend{n}"))).collect();
        friends.iter().for_each(|key| cache.entry(*key).proven = true);
        for n in 0..100_000 {
            cache.entry(hasher.credential(&format!("stranger{n}")));
            if n % 16 == 0 {
                friends.iter().for_each(|key| assert!(cache.get_mut(key).is_some(), "after {n}"));
            }
        }
        assert_eq!((cache.len(), cache.index.len()), (64, 64));
    }

    #[test]
    fn a_forgotten_entry_begins_anew() {
        let hasher = CredentialHasher::with_keys(&[3; 32]);
        let (one, two) = (hasher.credential("1"), hasher.credential("2"));
        let mut cache = Cache::new(1);
        cache.entry(one).proven = true;
        cache.entry(two);
        assert!(cache.get(&one).is_none());
        assert!(!cache.entry(one).proven);
    }
}
