//! One interval of the history: what moved, packed, never more than so many bytes.
//!
//! An entry is a number for an account, labels and a metric. Entries are sorted by that key, and keys are kept as
//! distances from the one before, so that an entry takes some five bytes instead of sixteen.

use std::collections::{HashMap, HashSet};

use super::names::{REST, TAIL_OTHER};

/// What an entry counts.
pub mod metric {
    /// Finished exchanges.
    pub const REQUESTS: u8 = 0;
    /// Bytes received.
    pub const RECEIVED: u8 = 1;
    /// Bytes sent.
    pub const SENT: u8 = 2;
    /// S3 operations.
    pub const OPERATIONS: u8 = 3;
    /// Failed S3 operations, by code.
    pub const S3_ERRORS: u8 = 4;
    /// First bucket of the durations of exchanges.
    pub const DURATION: u8 = 32;
    /// First bucket of the phase "receive".
    pub const RECEIVE: u8 = 64;
    /// First bucket of the phase "process".
    pub const PROCESS: u8 = 96;
    /// First bucket of the phase "send".
    pub const SEND: u8 = 128;
    /// Metrics from one histogram to the next.
    pub const LADDER: u8 = 32;
}

/// So much of one metric by one account with these labels.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Entry {
    key: u64,
    /// How much.
    pub value: u64,
}

impl Entry {
    /// An entry. `tail` is below 2^24.
    pub fn new(account: u32, tail: u32, metric: u8, value: u64) -> Self {
        Self { key: u64::from(account) << 32 | u64::from(tail) << 8 | u64::from(metric), value }
    }

    /// Whose.
    pub fn account(self) -> u32 {
        (self.key >> 32) as u32
    }

    /// With which labels.
    pub fn tail(self) -> u32 {
        (self.key as u32) >> 8
    }

    /// Of what.
    pub fn metric(self) -> u8 {
        self.key as u8
    }

    /// The same for another account.
    pub fn of(self, account: u32) -> Self {
        Self::new(account, self.tail(), self.metric(), self.value)
    }

    /// How much it counts when the busiest are looked for: a request, or 64 KiB moved.
    pub fn weight(self) -> u64 {
        match self.metric() {
            metric::REQUESTS => self.value,
            metric::RECEIVED | metric::SENT => self.value >> 16,
            _ => 0,
        }
    }

    /// No less than the bytes that it takes: a key is at most six bytes from the one before, up to a thousand accounts on.
    fn room(self) -> usize {
        6 + varint_len(self.value)
    }
}

/// What moved in an interval.
#[derive(Debug, Clone, Default)]
pub struct Frame {
    /// How long the interval was, in milliseconds.
    pub interval_ms: u32,
    /// Accounts that are named.
    pub accounts: Box<[u32]>,
    /// Some accounts stand under [`REST`].
    pub partial: bool,
    packed: Box<[u8]>,
}

impl Frame {
    /// Packs entries that [`combine`] has sorted; they take no more than their room.
    pub fn new(interval_ms: u32, entries: &[Entry], partial: bool) -> Self {
        let mut accounts: Vec<u32> = entries.iter().map(|entry| entry.account()).filter(|id| *id != REST).collect();
        accounts.dedup();
        Self { interval_ms, accounts: accounts.into(), partial, packed: pack(entries) }
    }

    /// Its entries, by account.
    pub fn entries(&self) -> impl Iterator<Item = Entry> {
        let (mut rest, mut key) = (&*self.packed, 0);
        std::iter::from_fn(move || {
            key += varint(&mut rest)?;
            Some(Entry { key, value: varint(&mut rest)? })
        })
    }

    /// Bytes on the heap.
    pub fn bytes(&self) -> usize {
        self.packed.len() + self.accounts.len() * size_of::<u32>()
    }
}

/// Sorts entries and adds up those with the same key.
pub fn combine(entries: &mut Vec<Entry>) {
    entries.sort_unstable_by_key(|entry| entry.key);
    entries.dedup_by(|next, kept| {
        let same = next.key == kept.key;
        if same {
            kept.value += next.value;
        }
        same
    });
}

/// Brings sorted entries down to `room` bytes: the busiest accounts keep their entries, the others are added up under
/// [`REST`]. Where that is not enough, so are the labels of least weight under [`TAIL_OTHER`]. No sum over all changes.
/// Returns whether accounts were folded.
pub fn fit(entries: &mut Vec<Entry>, room: usize) -> bool {
    if size(entries) <= room {
        return false;
    }
    // Half of it is left to what everybody together takes.
    let kept = heaviest(entries, |entry| entry.account(), room / 2);
    let mut partial = false;
    for entry in entries.iter_mut().filter(|entry| entry.account() != REST && !kept.contains(&entry.account())) {
        *entry = entry.of(REST);
        partial = true;
    }
    combine(entries);
    if size(entries) > room {
        let kept = heaviest(entries, |entry| entry.tail(), room / 2);
        for entry in entries.iter_mut().filter(|entry| !kept.contains(&entry.tail())) {
            *entry = Entry::new(entry.account(), TAIL_OTHER, entry.metric(), entry.value);
        }
        combine(entries);
    }
    partial
}

fn size(entries: &[Entry]) -> usize {
    entries.iter().map(|entry| entry.room()).sum()
}

/// The groups of most weight that fit into `room` together.
fn heaviest(entries: &[Entry], group: impl Fn(&Entry) -> u32, room: usize) -> HashSet<u32> {
    let mut groups: HashMap<u32, (u64, usize)> = HashMap::new();
    for entry in entries {
        let (weight, bytes) = groups.entry(group(entry)).or_default();
        *weight += entry.weight();
        *bytes += entry.room();
    }
    let mut groups: Vec<_> = groups.into_iter().collect();
    groups.sort_unstable_by_key(|(id, (weight, _))| (std::cmp::Reverse(*weight), *id));
    let mut left = room;
    let fitting = groups.into_iter().map_while(|(id, (_, bytes))| {
        left = left.checked_sub(bytes)?;
        Some(id)
    });
    fitting.collect()
}

fn pack(entries: &[Entry]) -> Box<[u8]> {
    let (mut out, mut last) = (Vec::with_capacity(size(entries)), 0);
    for entry in entries {
        push_varint(&mut out, entry.key - last);
        push_varint(&mut out, entry.value);
        last = entry.key;
    }
    out.into()
}

/// LEB128: seven bits a byte, the low ones first.
fn push_varint(out: &mut Vec<u8>, mut value: u64) {
    while value >= 0x80 {
        out.push(value as u8 | 0x80);
        value >>= 7;
    }
    out.push(value as u8);
}

fn varint_len(value: u64) -> usize {
    (64 - (value | 1).leading_zeros() as usize).div_ceil(7)
}

fn varint(bytes: &mut &[u8]) -> Option<u64> {
    let mut value = 0;
    for shift in (0..64).step_by(7) {
        let (byte, rest) = bytes.split_first()?;
        *bytes = rest;
        value |= u64::from(byte & 0x7f) << shift;
        if byte & 0x80 == 0 {
            return Some(value);
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_packed_comes_back() {
        let mut entries = vec![
            Entry::new(7, 3, metric::SENT, u64::MAX),
            Entry::new(7, 3, metric::REQUESTS, 1),
            Entry::new(REST, 0, metric::SEND, 300),
            Entry::new(7, 3, metric::REQUESTS, 2),
            Entry::new(u32::MAX, (1 << 24) - 1, 255, 0),
        ];
        combine(&mut entries);
        let frame = Frame::new(5000, &entries, false);
        assert_eq!(frame.entries().collect::<Vec<_>>(), entries);
        assert_eq!(entries.len(), 4);
        assert_eq!(entries[1], Entry::new(7, 3, metric::REQUESTS, 3));
        assert_eq!(*frame.accounts, [7, u32::MAX]);
        assert_eq!((entries[1].account(), entries[1].tail(), entries[1].metric()), (7, 3, 0));
    }

    #[test]
    fn a_frame_of_many_accounts_fits_and_keeps_its_sums() {
        let mut entries: Vec<_> = (1..=10_000)
            .map(|account| Entry::new(account, account % 5, metric::REQUESTS, u64::from(account)))
            .collect();
        let total: u64 = entries.iter().map(|entry| entry.value).sum();
        combine(&mut entries);
        assert!(fit(&mut entries, 8192));
        let frame = Frame::new(5000, &entries, true);
        assert!(frame.bytes() <= 12_288, "{}", frame.bytes());
        assert_eq!(frame.entries().map(|entry| entry.value).sum::<u64>(), total);
        assert!(frame.accounts.contains(&10_000) && !frame.accounts.contains(&1), "the busiest are named");
        assert!(frame.accounts.len() > 300, "{}", frame.accounts.len());
    }

    #[test]
    fn labels_fold_too_where_they_are_too_many() {
        let mut entries: Vec<_> =
            (0..4000).map(|tail| Entry::new(REST, tail, metric::REQUESTS, u64::from(tail) + 1)).collect();
        combine(&mut entries);
        fit(&mut entries, 4096);
        assert_eq!(entries.iter().map(|entry| entry.value).sum::<u64>(), 4000 * 4001 / 2);
        assert!(Frame::new(1, &entries, false).bytes() <= 4096);
        assert!(entries.iter().any(|entry| entry.tail() == 3999));
    }

    #[test]
    fn a_frame_that_has_room_stays_as_it_is() {
        let mut entries = vec![Entry::new(1, 0, metric::REQUESTS, 5)];
        assert!(!fit(&mut entries, 100));
        assert_eq!(entries[0].account(), 1);
    }

    #[test]
    fn lengths_are_those_that_are_written() {
        for value in [0, 1, 127, 128, 16_383, 16_384, u64::from(u32::MAX), u64::MAX] {
            let mut out = Vec::new();
            push_varint(&mut out, value);
            assert_eq!(out.len(), varint_len(value), "{value}");
            assert_eq!(varint(&mut &*out), Some(value));
        }
        assert_eq!(varint(&mut &[0x80][..]), None);
    }
}
