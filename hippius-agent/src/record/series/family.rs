//! One metric family: series by (account, labels), their values in columns.

use hashbrown::HashTable;

use super::account::{Accounts, OTHER_SLOT};
use super::ladder::Ladder;
use super::names::OTHER;
use super::text::{Texts, push_label};
use crate::record::catalogue::Metric;
use crate::record::exemplar::{Exemplars, RayId};

/// In place of an account slot: the family has no account labels.
pub const NO_ACCOUNT: u32 = u32::MAX;

/// In place of an account slot: no series stands here.
pub const FREE: u32 = u32::MAX - 1;

/// Series whose slots are remembered.
const RECENT: usize = 8;

/// Most combinations of labels (the account's left out) in one family. Methods, handlers and operations come from
/// tables, but a status is what the server makes it; what is beyond goes to one series with `__other__` everywhere.
const MAX_TAILS: usize = 4096;

/// Key of the combination that takes what is beyond [`MAX_TAILS`]; no other key has all bits set.
const TAIL_BEYOND: u64 = u64::MAX;

/// How many cells a series has and how they are printed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Shape {
    /// One cell, printed as it is.
    Counter,
    /// One cell that holds an `i64`.
    Gauge,
    /// Buckets (not cumulative), then the sum.
    Histogram(&'static Ladder),
}

impl Shape {
    /// Cells of one series.
    pub fn cells(self) -> usize {
        match self {
            Self::Counter | Self::Gauge => 1,
            Self::Histogram(ladder) => ladder.cells(),
        }
    }

    /// Lines of one series on the page.
    pub fn lines(self) -> usize {
        match self {
            Self::Counter | Self::Gauge => 1,
            Self::Histogram(ladder) => ladder.lines(),
        }
    }
}

/// Which texts make up the labels of a series.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Labels {
    /// Slot of the account, [`NO_ACCOUNT`] or [`FREE`].
    pub account: u32,
    /// Index of the text of the other labels.
    pub tail: u32,
}

/// What all families share: the accounts, the budget and the clock.
#[derive(Debug)]
pub struct Gate {
    /// The accounts.
    pub accounts: Accounts,
    /// Lines of all families.
    pub lines: usize,
    /// Most lines of all families before new series of ordinary accounts fold.
    pub max_lines: usize,
    /// The same for one family.
    pub max_family_lines: usize,
    /// Time of the last update, in seconds.
    pub now_s: u32,
}

/// One family.
#[derive(Debug)]
pub struct Family {
    /// Its entry in the catalogue.
    pub metric: &'static Metric,
    /// What its series hold.
    pub shape: Shape,
    /// Updates that went to `__other__` for want of room.
    pub folded: u64,
    /// Labels of each series, by slot.
    pub labels: Vec<Labels>,
    /// Values, [`Shape::cells`] per slot.
    pub cells: Vec<u64>,
    /// Text of each combination of labels without the account's.
    pub tails: Texts,
    tail_keys: Vec<u64>,
    tail_table: HashTable<u32>,
    touched_s: Vec<u32>,
    free: Vec<u32>,
    table: HashTable<u32>,
    hasher: ahash::RandomState,
    /// Slots that were found last, each at a place of its key's: most updates are of the same few series.
    recent: [u32; RECENT],
}

impl Family {
    /// An empty family.
    pub fn new(metric: &'static Metric, shape: Shape) -> Self {
        Self {
            metric,
            shape,
            folded: 0,
            labels: Vec::new(),
            cells: Vec::new(),
            tails: Texts::default(),
            tail_keys: Vec::new(),
            tail_table: HashTable::new(),
            touched_s: Vec::new(),
            free: Vec::new(),
            table: HashTable::new(),
            hasher: ahash::RandomState::new(),
            recent: [0; RECENT],
        }
    }

    /// Adds to the counter of (`account`, `key`); `render` writes the labels of `key` when they are new.
    pub fn add(&mut self, gate: &mut Gate, account: u32, key: u64, amount: u64, render: impl FnOnce(&mut String)) {
        let slot = self.slot(gate, account, key, render);
        if let Some(cell) = self.cells.get_mut(slot) {
            *cell = cell.wrapping_add(amount);
        }
    }

    /// Observes a value in the histogram of (`account`, `key`). Returns the slot of the series that it went to.
    pub fn observe(
        &mut self,
        gate: &mut Gate,
        account: u32,
        key: u64,
        value: u64,
        render: impl FnOnce(&mut String),
    ) -> Option<usize> {
        let Shape::Histogram(ladder) = self.shape else { return None };
        let slot = self.slot(gate, account, key, render);
        let first = slot * ladder.cells();
        if let Some(cells) = self.cells.get_mut(first..first + ladder.cells())
            && let Some((sum, buckets)) = cells.split_last_mut()
        {
            *sum = sum.wrapping_add(value);
            if let Some(bucket) = buckets.get_mut(ladder.bucket(value)) {
                *bucket += 1;
            }
        }
        Some(slot)
    }

    /// The request behind the value that was observed last in the series at `slot`.
    pub fn exemplify(&self, exemplars: &Exemplars, accounts: &Accounts, slot: usize, value: u64, ray: RayId) {
        let (Shape::Histogram(ladder), Some(labels)) = (self.shape, self.labels.get(slot)) else { return };
        let account = if labels.account == NO_ACCOUNT { "" } else { accounts.texts().get(labels.account as usize) };
        let labels = [account, self.tails.get(labels.tail as usize)];
        exemplars.note(self.metric.name, labels, ladder.bucket(value), value, ray);
    }

    /// Drops the series of ordinary accounts that nobody updated since `before_s` and that a scrape has read since
    /// their last update (`seen_s`). Returns how many.
    pub fn sweep(&mut self, gate: &mut Gate, before_s: u32, seen_s: u32) -> u64 {
        let mut dropped = 0;
        for slot in 0..self.labels.len() {
            let (Some(labels), Some(touched_s)) = (self.labels.get(slot).copied(), self.touched_s.get(slot)) else {
                break;
            };
            let stays = labels.account >= FREE || Accounts::is_reserved(labels.account);
            if stays || *touched_s > before_s || *touched_s >= seen_s {
                continue;
            }
            self.clear(slot, labels);
            gate.accounts.series(labels.account, false);
            gate.lines -= self.shape.lines();
            dropped += 1;
        }
        dropped
    }

    /// Live series.
    pub fn live(&self) -> usize {
        self.labels.len() - self.free.len()
    }

    /// The slot of (`account`, `key`), or of what it folds into. `NO_ACCOUNT` and reserved accounts never fold.
    fn slot(&mut self, gate: &mut Gate, account: u32, key: u64, render: impl FnOnce(&mut String)) -> usize {
        self.folded += u64::from(account == OTHER_SLOT);
        if let Some(slot) = self.find(account, key) {
            if let Some(touched_s) = self.touched_s.get_mut(slot) {
                *touched_s = gate.now_s;
            }
            return slot;
        }
        self.admit(gate, account, key, render)
    }

    fn find(&mut self, account: u32, key: u64) -> Option<usize> {
        let is_it = |slot: &u32| {
            self.labels.get(*slot as usize).is_some_and(|labels| {
                labels.account == account && self.tail_keys.get(labels.tail as usize) == Some(&key)
            })
        };
        // The phases of an exchange, which differ in the middle of their keys, have different places.
        let place = (key >> 16) as usize % RECENT;
        if let Some(slot) = self.recent.get(place).filter(|slot| is_it(slot)) {
            return Some(*slot as usize);
        }
        let slot = *self.table.find(self.hasher.hash_one((account, key)), is_it)?;
        if let Some(recent) = self.recent.get_mut(place) {
            *recent = slot;
        }
        Some(slot as usize)
    }

    /// A series that was not found: it is born, or its update goes to `__other__` when there is no room for it.
    #[cold]
    fn admit(&mut self, gate: &mut Gate, mut account: u32, mut key: u64, render: impl FnOnce(&mut String)) -> usize {
        let lines = self.shape.lines();
        let full = self.live() * lines + lines > gate.max_family_lines || gate.lines + lines > gate.max_lines;
        if full && account != NO_ACCOUNT && !Accounts::is_reserved(account) {
            account = OTHER_SLOT;
            self.folded += 1;
        }
        let mut tail = self.tail(key, render);
        if tail.is_none() {
            key = TAIL_BEYOND;
            let names = self.metric.labels;
            tail = self.tail(key, |out| {
                for name in names.iter().filter(|name| !matches!(**name, "main_account" | "subaccount_id")) {
                    push_label(out, name, OTHER);
                }
            });
        }
        if let Some(slot) = self.find(account, key) {
            return slot;
        }
        gate.accounts.series(account, true);
        gate.lines += lines;
        self.born(Labels { account, tail: tail.unwrap_or(0) }, key, gate.now_s)
    }

    fn tail(&mut self, key: u64, render: impl FnOnce(&mut String)) -> Option<u32> {
        let hash = self.hasher.hash_one(key);
        let keys = &self.tail_keys;
        if let Some(tail) = self.tail_table.find(hash, |tail| keys.get(*tail as usize) == Some(&key)) {
            return Some(*tail);
        }
        if self.tail_keys.len() >= MAX_TAILS && key != TAIL_BEYOND {
            return None;
        }
        let mut text = String::new();
        render(&mut text);
        let tail = self.tails.push(text.into()) as u32;
        self.tail_keys.push(key);
        let (keys, hasher) = (&self.tail_keys, &self.hasher);
        self.tail_table
            .insert_unique(hash, tail, |tail| hasher.hash_one(keys.get(*tail as usize).copied().unwrap_or(0)));
        Some(tail)
    }

    fn born(&mut self, labels: Labels, key: u64, now_s: u32) -> usize {
        let slot = match self.free.pop() {
            Some(slot) => slot as usize,
            None => {
                self.labels.push(Labels { account: FREE, tail: 0 });
                self.touched_s.push(0);
                self.cells.resize(self.labels.len() * self.shape.cells(), 0);
                self.labels.len() - 1
            }
        };
        if let (Some(place), Some(touched_s)) = (self.labels.get_mut(slot), self.touched_s.get_mut(slot)) {
            (*place, *touched_s) = (labels, now_s);
        }
        let (all, keys, hasher) = (&self.labels, &self.tail_keys, &self.hasher);
        self.table.insert_unique(hasher.hash_one((labels.account, key)), slot as u32, |slot| {
            let labels = all.get(*slot as usize).copied().unwrap_or(Labels { account: FREE, tail: 0 });
            hasher.hash_one((labels.account, keys.get(labels.tail as usize).copied().unwrap_or(0)))
        });
        slot
    }

    fn clear(&mut self, slot: usize, labels: Labels) {
        let key = self.tail_keys.get(labels.tail as usize).copied().unwrap_or(0);
        let hash = self.hasher.hash_one((labels.account, key));
        if let Ok(entry) = self.table.find_entry(hash, |other| *other as usize == slot) {
            entry.remove();
        }
        if let Some(place) = self.labels.get_mut(slot) {
            place.account = FREE;
        }
        let cells = self.shape.cells();
        if let Some(cells) = self.cells.get_mut(slot * cells..(slot + 1) * cells) {
            cells.fill(0);
        }
        self.free.push(slot as u32);
    }
}
