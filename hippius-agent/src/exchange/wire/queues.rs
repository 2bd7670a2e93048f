//! Names of queues and items of queues, known by keyed hashes only.

use std::hash::Hasher as _;
use std::sync::Arc;

use hashbrown::HashMap;
use siphasher::sip128::{Hasher128 as _, SipHasher24};

use crate::decode::postgres::NameHasher;

/// Number of a queue; the same for a name as long as the process lives.
pub type QueueId = u16;

/// An item by its keyed hash, which means nothing outside of this process.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Item(u128);

impl std::fmt::Debug for Item {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Item({:08x})", self.0 & 0xffff_ffff)
    }
}

/// Hashes one key or item as its bytes go by.
#[derive(Clone)]
pub struct ItemHasher(SipHasher24);

impl ItemHasher {
    /// The next bytes.
    pub fn add(&mut self, bytes: &[u8]) {
        self.0.write(bytes);
    }

    /// The whole.
    pub fn finish(&self) -> Item {
        Item(self.0.finish128().as_u128())
    }
}

impl std::fmt::Debug for ItemHasher {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("ItemHasher([redacted])")
    }
}

/// The queues that are counted, and the keys of the hashes.
#[derive(Debug)]
pub struct Queues {
    hasher: ItemHasher,
    statements: NameHasher,
    names: Vec<Arc<str>>,
    counted: HashMap<Item, QueueId, ahash::RandomState>,
}

impl Queues {
    /// With random keys from the operating system; fails only where it has none to give.
    pub fn random() -> Result<Self, getrandom::Error> {
        let mut keys = zeroize::Zeroizing::new([0; 32]);
        getrandom::fill(keys.as_mut_slice())?;
        Ok(Self::with_keys(&keys))
    }

    /// With given keys, for tests that need the same values every time.
    pub fn with_keys(keys: &[u8; 32]) -> Self {
        let mut halves = zeroize::Zeroizing::new([[0; 16]; 2]);
        halves.as_flattened_mut().iter_mut().zip(keys).for_each(|(to, from)| *to = *from);
        let [items, statements] = &*halves;
        Self {
            hasher: ItemHasher(SipHasher24::new_with_key(items)),
            statements: NameHasher::with_key(statements),
            names: Vec::new(),
            counted: HashMap::default(),
        }
    }

    /// Counts these from now on, and no others.
    pub fn configure<'a>(&mut self, names: impl IntoIterator<Item = &'a str>) {
        self.counted.clear();
        for name in names {
            let known = self.names.iter().position(|known| **known == *name);
            let index = known.unwrap_or_else(|| {
                self.names.push(name.into());
                self.names.len() - 1
            });
            if let Ok(id) = QueueId::try_from(index) {
                self.counted.insert(self.item(name.as_bytes()), id);
            }
        }
    }

    /// Whether there is nothing to be counted.
    pub fn is_empty(&self) -> bool {
        self.counted.is_empty()
    }

    /// The name of a queue.
    pub fn name(&self, id: QueueId) -> Option<&Arc<str>> {
        self.names.get(usize::from(id))
    }

    /// All names that were ever counted, by number.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.names.iter().map(|name| &**name)
    }

    /// For the next key or item.
    pub(super) fn hasher(&self) -> ItemHasher {
        self.hasher.clone()
    }

    /// The hash of a whole key or item.
    pub fn item(&self, bytes: &[u8]) -> Item {
        let mut hasher = self.hasher();
        hasher.add(bytes);
        hasher.finish()
    }

    /// The queue of that key.
    pub(super) fn find(&self, key: Item) -> Option<QueueId> {
        self.counted.get(&key).copied()
    }

    /// For names of statements.
    pub(super) fn statements(&self) -> &NameHasher {
        &self.statements
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_queue_keeps_its_number_over_reloads() {
        let mut queues = Queues::with_keys(&[3; 32]);
        queues.configure(["a", "b"]);
        let b = queues.find(queues.item(b"b"));
        queues.configure(["b", "c"]);
        assert_eq!(queues.find(queues.item(b"b")), b);
        assert_eq!(queues.find(queues.item(b"a")), None, "no longer counted");
        assert_eq!(queues.find(queues.item(b"c")).and_then(|id| queues.name(id)).map(|name| &**name), Some("c"));
    }

    #[test]
    fn hashes_differ_between_processes() {
        let (one, other) = (Queues::with_keys(&[1; 32]), Queues::random().expect("random bytes"));
        assert_ne!(one.item(b"a"), other.item(b"a"));
    }
}
