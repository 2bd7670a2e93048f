//! Which statement a portal runs, and the classes of errors.

use hashbrown::{HashMap, HashSet};

use crate::decode::postgres::{Name, Verb};

/// Most names that are remembered of one connection; drivers keep about a hundred. A statement beyond it has the verb `other` where
/// the server does not say one.
const MOST_NAMES: usize = 1024;

/// Verbs by names of statements and portals.
#[derive(Debug, Default)]
pub(super) struct Statements {
    statements: HashMap<u64, Verb, ahash::RandomState>,
    portals: HashMap<u64, Verb, ahash::RandomState>,
    /// Portals that were run before: what they give now is more of the same.
    begun: HashSet<u64, ahash::RandomState>,
}

impl Statements {
    /// `Parse`
    pub(super) fn parsed(&mut self, name: Name, verb: Verb) {
        remember(&mut self.statements, name, verb);
    }

    /// `Bind`: the verb of the statement that the portal runs from now on.
    pub(super) fn bound(&mut self, portal: Name, statement: Name) -> Verb {
        let verb = find(&self.statements, statement);
        remember(&mut self.portals, portal, verb);
        portal.map(|portal| self.begun.remove(&portal));
        verb
    }

    /// `Execute`: the verb, and whether the portal was run before.
    pub(super) fn executed(&mut self, portal: Name) -> (Verb, bool) {
        let verb = find(&self.portals, portal);
        let Some(portal) = portal.filter(|portal| self.portals.contains_key(portal)) else { return (verb, false) };
        (verb, !self.begun.insert(portal))
    }

    /// `Describe`
    pub(super) fn of(&self, kind: u8, name: Name) -> Verb {
        find(if kind == b'S' { &self.statements } else { &self.portals }, name)
    }

    /// `Close`
    pub(super) fn closed(&mut self, kind: u8, name: Name) {
        let names = if kind == b'S' { &mut self.statements } else { &mut self.portals };
        name.map(|name| names.remove(&name));
    }
}

fn find(names: &HashMap<u64, Verb, ahash::RandomState>, name: Name) -> Verb {
    name.and_then(|name| names.get(&name)).copied().unwrap_or(Verb::OTHER)
}

fn remember(names: &mut HashMap<u64, Verb, ahash::RandomState>, name: Name, verb: Verb) {
    let Some(name) = name else { return };
    if names.len() < MOST_NAMES || names.contains_key(&name) {
        names.insert(name, verb);
    }
}

/// Classes of SQLSTATE (<https://www.postgresql.org/docs/current/errcodes-appendix.html>), sorted.
const CLASSES: [&str; 42] = [
    "01", "02", "03", "08", "09", "0A", "0B", "0F", "0L", "0P", "0Z", "10", "20", "21", "22", "23", "24", "25", "26",
    "27", "28", "2B", "2D", "2F", "34", "38", "39", "3B", "3D", "3F", "40", "42", "44", "53", "54", "55", "57", "58",
    "F0", "HV", "P0", "XX",
];

/// The class of an SQLSTATE, if it is a known one.
pub(super) fn class(state: &[u8; 5]) -> &'static str {
    let [a, b, ..] = state;
    let found = CLASSES.binary_search_by(|class| class.as_bytes().cmp(&[*a, *b])).ok();
    found.and_then(|at| CLASSES.get(at)).copied().unwrap_or("other")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_class_comes_from_the_table() {
        assert!(CLASSES.is_sorted());
        assert_eq!(class(b"23505"), "23");
        assert_eq!(class(b"ZZ000"), "other");
        assert_eq!(class(&[0; 5]), "other");
    }

    #[test]
    fn names_are_bounded_and_known_ones_stay_current() {
        let mut statements = Statements::default();
        for name in 0..2 * MOST_NAMES as u64 {
            statements.parsed(Some(name), Verb::of(b"SELECT"));
        }
        statements.parsed(Some(1), Verb::of(b"INSERT"));
        assert_eq!(statements.bound(Some(7), Some(1)).name(), "INSERT");
        assert_eq!(statements.executed(Some(7)), (Verb::of(b"INSERT"), false));
        assert_eq!(statements.executed(Some(7)), (Verb::of(b"INSERT"), true));
        assert_eq!(statements.bound(Some(7), Some(MOST_NAMES as u64)).name(), "other");
        statements.closed(b'S', Some(1));
        assert_eq!(statements.of(b'S', Some(1)).name(), "other");
        assert_eq!(statements.of(b'P', None).name(), "other");
    }
}
