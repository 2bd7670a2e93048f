//! The accounts that have series: bounded, and given numbers that never point at somebody else.

use std::collections::VecDeque;

use hashbrown::HashTable;

use super::names::OTHER;
use super::text::{Texts, push_label};
use crate::attribute::Account;
use crate::record::sample::AccountId;

/// Slot of the account that takes what the budget has no room for.
pub const OTHER_SLOT: u32 = 0;

/// Slots kept for accounts that are no customer (`unknown`, `public`, …); they are always admitted and never dropped.
const RESERVED: u32 = 32;

/// `main_account` values of the reserved accounts.
const RESERVED_NAMES: [&str; 4] = ["unknown", "public", "unauthenticated", OTHER];

/// Longest label value of an account, in bytes. An SS58 address has 48; a longer name than this was made up by a
/// client and is folded.
const MAX_LABEL_BYTES: usize = 128;

/// Bits of an [`AccountId`] that hold the slot; the rest holds the slot's generation.
const SLOT_BITS: u32 = 20;
const SLOT_MASK: u32 = (1 << SLOT_BITS) - 1;
const GENERATION_MASK: u32 = u32::MAX >> SLOT_BITS;

/// Most ordinary accounts that the table can number.
pub const MAX_ACCOUNTS: usize = SLOT_MASK as usize - RESERVED as usize;

#[derive(Debug, Default)]
struct Entry {
    account: Option<Account>,
    /// Counts the accounts that had this slot, so that the number of a dropped one is recognised as stale.
    generation: u32,
    /// Live series of the account.
    series: u32,
    /// When the account was last asked for.
    used_s: u32,
}

/// Accounts by slot.
#[derive(Debug)]
pub struct Accounts {
    table: HashTable<u32>,
    hasher: ahash::RandomState,
    entries: Vec<Entry>,
    texts: Texts,
    /// First in, first out: a slot's generation comes round only after 4096 drops of that slot, each an idle time apart.
    free: VecDeque<u32>,
    reserved: u32,
    ordinary: usize,
    /// The slot that was asked for last: one exchange asks some times in a row, and most know nobody.
    last: u32,
}

impl Default for Accounts {
    fn default() -> Self {
        let mut accounts = Self {
            table: HashTable::new(),
            hasher: ahash::RandomState::new(),
            entries: Vec::new(),
            texts: Texts::default(),
            free: VecDeque::new(),
            reserved: 0,
            ordinary: 0,
            last: OTHER_SLOT,
        };
        for _ in 0..RESERVED {
            accounts.entries.push(Entry::default());
            accounts.texts.push("".into());
        }
        accounts.reserve(&Account { main: OTHER.into(), sub: OTHER.into() });
        accounts
    }
}

impl Accounts {
    fn known(&self, account: &Account) -> Option<u32> {
        let holds = |slot: u32, is: fn(&Account, &Account) -> bool| {
            let entry = self.entries.get(slot as usize);
            entry.and_then(|entry| entry.account.as_ref()).is_some_and(|held| is(held, account))
        };
        if holds(self.last, Account::is_same) {
            return Some(self.last);
        }
        self.table.find(self.hasher.hash_one(account), |slot| holds(*slot, Account::eq)).copied()
    }

    /// The number of `account`. A new one gets a slot if `admit` allows; else the number of `__other__` is returned.
    pub fn id(&mut self, account: &Account, now_s: u32, admit: impl FnOnce(usize) -> bool) -> AccountId {
        if let Some(slot) = self.known(account) {
            if let Some(entry) = self.entries.get_mut(slot as usize) {
                entry.used_s = now_s;
            }
            self.last = slot;
            return self.number(slot);
        }
        if RESERVED_NAMES.contains(&&*account.main) && self.reserved < RESERVED {
            let slot = self.reserve(account);
            return self.number(slot);
        }
        let named = account.main.len() <= MAX_LABEL_BYTES && account.sub.len() <= MAX_LABEL_BYTES;
        if !named || self.ordinary >= MAX_ACCOUNTS || !admit(self.ordinary) {
            return AccountId(OTHER_SLOT);
        }
        let slot = self.free.pop_front().unwrap_or_else(|| {
            self.entries.push(Entry::default());
            self.texts.push("".into()) as u32
        });
        self.ordinary += 1;
        self.settle(slot, account, now_s);
        self.number(slot)
    }

    /// Counts a series that was born (`true`) or dropped for the account in `slot`.
    pub fn series(&mut self, slot: u32, born: bool) {
        if let Some(entry) = self.entries.get_mut(slot as usize) {
            entry.series = if born { entry.series + 1 } else { entry.series.saturating_sub(1) };
        }
    }

    /// Forgets accounts that have no series and were not asked for since `before_s`.
    pub fn sweep(&mut self, before_s: u32) {
        for slot in RESERVED..self.entries.len() as u32 {
            let Some(entry) = self.entries.get_mut(slot as usize) else { break };
            if entry.series > 0 || entry.used_s > before_s {
                continue;
            }
            let Some(account) = entry.account.take() else { continue };
            entry.generation = (entry.generation + 1) & GENERATION_MASK;
            if let Ok(found) = self.table.find_entry(self.hasher.hash_one(&account), |other| *other == slot) {
                found.remove();
            }
            self.texts.set(slot as usize, "".into());
            self.free.push_back(slot);
            self.ordinary -= 1;
        }
    }

    /// The slot behind `id`; `__other__` for the number of an account that was dropped meanwhile.
    pub fn slot(&self, id: AccountId) -> u32 {
        let slot = id.0 & SLOT_MASK;
        let current = self
            .entries
            .get(slot as usize)
            .is_some_and(|entry| entry.account.is_some() && entry.generation == id.0 >> SLOT_BITS);
        if current { slot } else { OTHER_SLOT }
    }

    /// Whether the account in `slot` is outside of the budget and stays for ever.
    pub fn is_reserved(slot: u32) -> bool {
        slot < RESERVED
    }

    /// The label text of each slot: `main_account="…",subaccount_id="…"`.
    pub fn texts(&self) -> &Texts {
        &self.texts
    }

    fn number(&self, slot: u32) -> AccountId {
        let generation = self.entries.get(slot as usize).map_or(0, |entry| entry.generation);
        AccountId(generation << SLOT_BITS | slot)
    }

    fn reserve(&mut self, account: &Account) -> u32 {
        let slot = self.reserved;
        self.reserved += 1;
        self.settle(slot, account, 0);
        slot
    }

    fn settle(&mut self, slot: u32, account: &Account, now_s: u32) {
        let mut text = String::new();
        push_label(&mut text, "main_account", &account.main);
        push_label(&mut text, "subaccount_id", &account.sub);
        self.texts.set(slot as usize, text.into());
        if let Some(entry) = self.entries.get_mut(slot as usize) {
            entry.account = Some(account.clone());
            entry.series = 0;
            entry.used_s = now_s;
        }
        let (entries, hasher) = (&self.entries, &self.hasher);
        self.table.insert_unique(hasher.hash_one(account), slot, |slot| {
            entries
                .get(*slot as usize)
                .and_then(|entry| entry.account.as_ref())
                .map_or(0, |known| hasher.hash_one(known))
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn account(main: &str) -> Account {
        Account { main: main.into(), sub: "sub".into() }
    }

    #[test]
    fn the_number_of_a_dropped_account_never_points_at_its_successor() {
        let mut accounts = Accounts::default();
        let first = accounts.id(&account("a"), 0, |_| true);
        assert_ne!(accounts.slot(first), OTHER_SLOT);
        accounts.sweep(10);
        let second = accounts.id(&account("b"), 20, |_| true);
        assert_eq!(accounts.slot(second), first.0, "the slot is used again");
        assert_eq!(accounts.slot(first), OTHER_SLOT);
        assert_eq!(accounts.texts().get(first.0 as usize), r#"main_account="b",subaccount_id="sub""#);
    }

    #[test]
    fn accounts_with_series_or_recent_use_stay() {
        let mut accounts = Accounts::default();
        let (busy, recent) = (accounts.id(&account("busy"), 0, |_| true), accounts.id(&account("recent"), 9, |_| true));
        accounts.series(accounts.slot(busy), true);
        accounts.sweep(5);
        assert_ne!(accounts.slot(busy), OTHER_SLOT);
        assert_ne!(accounts.slot(recent), OTHER_SLOT);
        assert_eq!(accounts.ordinary, 2);
    }

    #[test]
    fn made_up_names_and_refused_accounts_fold_while_reserved_ones_always_pass() {
        let mut accounts = Accounts::default();
        assert_eq!(accounts.id(&account(&"x".repeat(200)), 0, |_| true).0, OTHER_SLOT);
        assert_eq!(accounts.id(&account("x"), 0, |_| false).0, OTHER_SLOT);
        let unknown = accounts.id(&account("unknown"), 0, |_| false);
        assert_ne!(accounts.slot(unknown), OTHER_SLOT);
        let other = Account { main: OTHER.into(), sub: OTHER.into() };
        assert_eq!(accounts.id(&other, 0, |_| false).0, OTHER_SLOT);
        for index in 0..100 {
            accounts.id(&Account { main: "unknown".into(), sub: index.to_string().into() }, 0, |_| false);
        }
        assert_eq!(accounts.entries.len() as u32, RESERVED);
    }
}
