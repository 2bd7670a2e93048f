//! How long items were in their queue: pushes are matched with pops of the same content.
//!
//! The table knows items by keyed hashes and is bounded in number and time. A pop may be seen a moment before its push
//! (two sockets, two processors), so a pop without a push waits that moment.

use std::collections::VecDeque;

use hashbrown::HashMap;

use super::queues::{Item, QueueId};

/// Most items that are followed at once: about 6 MiB.
const MOST_ITEMS: usize = 65_536;

/// How long an item is followed: a day.
const LONGEST_NS: u64 = 24 * 3600 * 1_000_000_000;

/// How long a pop waits for its push to be seen: a second, twenty times the time between two looks at the ring.
const PATIENCE_NS: u64 = 1_000_000_000;

/// Why the time of an item in its queue is not known.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Unmatched {
    /// It was popped, and its push was not seen.
    PushNotSeen,
    /// It was pushed, and not popped for a day.
    Expired,
    /// The table was full.
    TableFull,
}

impl Unmatched {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::PushNotSeen, Self::Expired, Self::TableFull];

    /// As a label.
    pub fn name(self) -> &'static str {
        match self {
            Self::PushNotSeen => "push_not_seen",
            Self::Expired => "expired",
            Self::TableFull => "table_full",
        }
    }
}

/// What became of an item.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Dwelt {
    /// It was so long in the queue, in nanoseconds.
    For(QueueId, u64),
    /// That is not known.
    Unknown(QueueId, Unmatched),
}

#[derive(Debug, Clone, Copy)]
struct Seen {
    at_ns: u64,
    /// Tells this entry from others of the same item.
    number: u64,
}

type Key = (QueueId, Item);

/// Items that are in their queues.
#[derive(Debug, Default)]
pub struct Dwell {
    pushed: HashMap<Key, VecDeque<Seen>, ahash::RandomState>,
    /// Oldest first, those that are popped already included.
    order: VecDeque<(Key, Seen)>,
    waiting: VecDeque<(Key, u64)>,
    followed: usize,
    number: u64,
}

impl Dwell {
    /// An item was pushed.
    pub fn pushed(&mut self, queue: QueueId, item: Item, at_ns: u64, tell: &mut impl FnMut(Dwelt)) {
        let key = (queue, item);
        let popped = self.waiting.iter().position(|(waiting, popped_ns)| *waiting == key && *popped_ns >= at_ns);
        if let Some((_, popped_ns)) = popped.and_then(|at| self.waiting.remove(at)) {
            tell(Dwelt::For(queue, popped_ns - at_ns));
            return;
        }
        while self.followed >= MOST_ITEMS {
            self.drop_oldest(Unmatched::TableFull, tell);
        }
        if self.order.len() >= 2 * MOST_ITEMS {
            // Half of it or more was popped since.
            let mut order = std::mem::take(&mut self.order);
            order.retain(|(key, seen)| self.is_followed(*key, *seen));
            self.order = order;
        }
        self.number += 1;
        let seen = Seen { at_ns, number: self.number };
        self.pushed.entry(key).or_default().push_back(seen);
        self.order.push_back((key, seen));
        self.followed += 1;
    }

    /// An item was popped.
    pub fn popped(&mut self, queue: QueueId, item: Item, at_ns: u64, tell: &mut impl FnMut(Dwelt)) {
        let key = (queue, item);
        if let Some(pushed_ns) = self.take(key) {
            tell(Dwelt::For(queue, at_ns.saturating_sub(pushed_ns)));
            return;
        }
        self.waiting.push_back((key, at_ns));
        if self.waiting.len() > MOST_ITEMS / 16
            && let Some(((queue, _), _)) = self.waiting.pop_front()
        {
            tell(Dwelt::Unknown(queue, Unmatched::PushNotSeen));
        }
    }

    /// Gives up what has waited for too long. Call it about once a second.
    pub fn tick(&mut self, now_ns: u64, tell: &mut impl FnMut(Dwelt)) {
        while let Some(((queue, _), _)) =
            self.waiting.pop_front_if(|(_, at_ns)| now_ns.saturating_sub(*at_ns) > PATIENCE_NS)
        {
            tell(Dwelt::Unknown(queue, Unmatched::PushNotSeen));
        }
        while self.order.front().is_some_and(|(_, seen)| now_ns.saturating_sub(seen.at_ns) > LONGEST_NS) {
            self.drop_oldest(Unmatched::Expired, tell);
        }
    }

    /// Items that are followed now.
    pub fn len(&self) -> usize {
        self.followed
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.followed == 0
    }

    /// The oldest push of an item.
    fn take(&mut self, key: Key) -> Option<u64> {
        let all = self.pushed.get_mut(&key)?;
        let seen = all.pop_front()?;
        if all.is_empty() {
            self.pushed.remove(&key);
        }
        self.followed -= 1;
        // Items mostly leave in the order in which they came.
        while let Some((key, seen)) = self.order.front() {
            if self.is_followed(*key, *seen) {
                break;
            }
            self.order.pop_front();
        }
        Some(seen.at_ns)
    }

    fn drop_oldest(&mut self, why: Unmatched, tell: &mut impl FnMut(Dwelt)) {
        let Some((key, seen)) = self.order.pop_front() else { return };
        if self.is_followed(key, seen) {
            self.take(key);
            tell(Dwelt::Unknown(key.0, why));
        }
    }

    fn is_followed(&self, key: Key, seen: Seen) -> bool {
        self.pushed.get(&key).and_then(VecDeque::front).is_some_and(|first| first.number <= seen.number)
    }
}

#[cfg(test)]
mod tests {
    use super::super::queues::Queues;
    use super::*;

    const SECOND: u64 = 1_000_000_000;

    fn item(number: u64) -> Item {
        Queues::with_keys(&[1; 32]).item(&number.to_be_bytes())
    }

    #[test]
    fn equal_items_leave_in_the_order_in_which_they_came() {
        let (mut dwell, mut told) = (Dwell::default(), Vec::new());
        let mut tell = |what| told.push(what);
        dwell.pushed(0, item(1), 100, &mut tell);
        dwell.pushed(0, item(1), 200, &mut tell);
        dwell.pushed(1, item(1), 300, &mut tell);
        dwell.popped(0, item(1), 1100, &mut tell);
        dwell.popped(0, item(1), 1300, &mut tell);
        dwell.popped(1, item(1), 1400, &mut tell);
        assert!(dwell.is_empty());
        assert_eq!(told, [Dwelt::For(0, 1000), Dwelt::For(0, 1100), Dwelt::For(1, 1100)]);
    }

    #[test]
    fn a_pop_waits_a_moment_for_its_push() {
        let (mut dwell, mut told) = (Dwell::default(), Vec::new());
        let mut tell = |what| told.push(what);
        dwell.popped(0, item(1), 1000, &mut tell);
        dwell.popped(0, item(2), 1000, &mut tell);
        // Pushed after that pop: another item of the same content.
        dwell.pushed(0, item(1), 2000, &mut tell);
        dwell.pushed(0, item(1), 900, &mut tell);
        dwell.tick(1000 + SECOND, &mut tell);
        dwell.tick(1001 + SECOND, &mut tell);
        assert_eq!(told, [Dwelt::For(0, 100), Dwelt::Unknown(0, Unmatched::PushNotSeen)]);
        assert_eq!(dwell.len(), 1);
    }

    #[test]
    fn the_table_is_bounded_and_says_what_it_drops() {
        let (mut dwell, mut told) = (Dwell::default(), Vec::new());
        let mut tell = |what| told.push(what);
        for number in 0..MOST_ITEMS as u64 + 3 {
            dwell.pushed(0, item(number), number, &mut tell);
        }
        assert_eq!(dwell.len(), MOST_ITEMS);
        dwell.popped(0, item(1), 70_000, &mut tell);
        dwell.tick(LONGEST_NS + 5, &mut tell);
        let full = [Dwelt::Unknown(0, Unmatched::TableFull); 3];
        let late = Dwelt::Unknown(0, Unmatched::PushNotSeen);
        assert_eq!(told[..3], full);
        assert_eq!(told[3..], [late, Dwelt::Unknown(0, Unmatched::Expired), Dwelt::Unknown(0, Unmatched::Expired)]);
        assert_eq!(dwell.len(), MOST_ITEMS - 2);
    }

    #[test]
    fn what_was_popped_takes_no_room() {
        let mut dwell = Dwell::default();
        let mut tell = |what| assert!(matches!(what, Dwelt::For(..)), "{what:?}");
        dwell.pushed(0, item(0), 0, &mut tell);
        for number in 1..MOST_ITEMS as u64 * 4 {
            dwell.pushed(0, item(number), number, &mut tell);
            dwell.popped(0, item(number), number, &mut tell);
        }
        assert_eq!(dwell.len(), 1);
        assert!(dwell.order.len() <= 2 * MOST_ITEMS);
    }
}
