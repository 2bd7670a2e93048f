//! Small numbers for the names that make up labels: services, methods, handlers, operations, error codes.

use hashbrown::HashTable;

/// Label value for everything beyond a limit.
pub const OTHER: &str = "__other__";

/// A bounded table of names; index 0 is [`OTHER`], where names beyond the limit land.
#[derive(Debug)]
pub struct Names {
    table: HashTable<u16>,
    names: Vec<Box<str>>,
    hasher: ahash::RandomState,
    max: usize,
    /// What was asked for last, which is most often asked for again.
    last: u16,
}

impl Names {
    /// A table for up to `max` names (65 535 at most) and [`OTHER`].
    pub fn new(max: usize) -> Self {
        Self {
            table: HashTable::new(),
            names: vec![OTHER.into()],
            hasher: ahash::RandomState::new(),
            max: max.min(usize::from(u16::MAX)),
            last: 0,
        }
    }

    /// The number of `name`, a new one where it is not yet known and there is room.
    pub fn id(&mut self, name: &str) -> u16 {
        if self.name(self.last) == name {
            return self.last;
        }
        let hash = self.hasher.hash_one(name);
        let names = &self.names;
        let known = self.table.find(hash, |id| names.get(usize::from(*id)).is_some_and(|known| **known == *name));
        self.last = match known {
            Some(id) => *id,
            None => self.add(name, hash),
        };
        self.last
    }

    /// The name behind `id`, [`OTHER`] where there is none.
    pub fn name(&self, id: u16) -> &str {
        self.names.get(usize::from(id)).map_or(OTHER, |name| name)
    }

    #[cold]
    fn add(&mut self, name: &str, hash: u64) -> u16 {
        if name == OTHER || self.names.len() > self.max {
            return 0;
        }
        let Ok(id) = u16::try_from(self.names.len()) else { return 0 };
        self.names.push(name.into());
        let (names, hasher) = (&self.names, &self.hasher);
        self.table
            .insert_unique(hash, id, |id| hasher.hash_one(names.get(usize::from(*id)).map_or("", |name| &**name)));
        id
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_keeps_its_number_and_the_limit_holds() {
        let mut names = Names::new(2);
        let (first, second) = (names.id("a"), names.id("b"));
        assert_eq!((names.id("a"), names.id("b")), (first, second));
        assert_eq!(names.name(second), "b");
        let beyond = names.id("c");
        assert_eq!(names.name(beyond), OTHER);
        assert_eq!(names.id(OTHER), 0);
        assert_eq!(names.name(999), OTHER);
    }
}
