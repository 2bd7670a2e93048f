//! Small numbers for the accounts and labels that the history speaks of.

use std::collections::HashMap;
use std::sync::Arc;

use super::labels;
use crate::record::series::names::OTHER;

/// Number of everybody who is not named in a frame, and of what has no account.
pub const REST: u32 = 0;

/// Number of the labels that take what is beyond the limit.
pub const TAIL_OTHER: u32 = 0;

/// Most combinations of labels. Handlers, operations and codes come from tables; a server alone can exceed this.
const MAX_TAILS: usize = 2048;

/// Labels of a counter besides the account's.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Tail {
    /// The watched service.
    pub service: Arc<str>,
    /// Whether `what` is a handler.
    pub has_handler: bool,
    /// Handler or S3 operation, by the metric; empty for error codes.
    pub what: Arc<str>,
    /// Status, outcome, error code or success, by the metric.
    pub detail: Arc<str>,
}

/// The label combinations seen so far. They never go: their number is bounded.
#[derive(Debug)]
pub struct Tails {
    ids: HashMap<Tail, u32>,
    list: Vec<Tail>,
    words: HashMap<Arc<str>, ()>,
}

impl Default for Tails {
    fn default() -> Self {
        let mut tails = Self { ids: HashMap::new(), list: Vec::new(), words: HashMap::new() };
        tails.id(OTHER, (true, OTHER), "");
        tails
    }
}

impl Tails {
    /// The number of a combination; that of [`TAIL_OTHER`] when the table is full. `what` says whether it is a handler.
    pub fn id(&mut self, service: &str, (has_handler, what): (bool, &str), detail: &str) -> u32 {
        let (service, what, detail) = (self.word(service), self.word(what), self.word(detail));
        let tail = Tail { service, has_handler, what, detail };
        if let Some(id) = self.ids.get(&tail) {
            return *id;
        }
        if self.list.len() >= MAX_TAILS {
            return TAIL_OTHER;
        }
        let id = self.list.len() as u32;
        self.list.push(tail.clone());
        self.ids.insert(tail, id);
        id
    }

    /// The combination behind a number.
    pub fn get(&self, id: u32) -> Option<&Tail> {
        self.list.get(id as usize).or(self.list.first())
    }

    /// All of them by number.
    pub fn all(&self) -> &[Tail] {
        &self.list
    }

    /// Every word stands in memory once.
    fn word(&mut self, text: &str) -> Arc<str> {
        if let Some((word, ())) = self.words.get_key_value(text) {
            return Arc::clone(word);
        }
        let word: Arc<str> = text.into();
        if self.list.len() < MAX_TAILS {
            self.words.insert(Arc::clone(&word), ());
        }
        word
    }
}

/// An account by name.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Person {
    /// `main_account`.
    pub main: Arc<str>,
    /// `subaccount_id`.
    pub sub: Arc<str>,
}

impl Person {
    /// From an account's printed labels.
    pub fn read(text: &str) -> Self {
        Self { main: labels::value(text, "main_account").into(), sub: labels::value(text, "subaccount_id").into() }
    }
}

#[derive(Debug)]
struct Entry {
    person: Option<Person>,
    frames: u32,
}

/// The accounts that frames name. One that no frame names any more is forgotten.
#[derive(Debug)]
pub struct People {
    ids: HashMap<Person, u32>,
    entries: Vec<Entry>,
    free: Vec<u32>,
}

impl Default for People {
    fn default() -> Self {
        Self { ids: HashMap::new(), entries: vec![Entry { person: None, frames: 0 }], free: Vec::new() }
    }
}

impl People {
    /// The number of an account. [`hold`](Self::hold) it before the next [`release`](Self::release).
    pub fn id(&mut self, person: Person) -> u32 {
        if let Some(id) = self.ids.get(&person) {
            return *id;
        }
        let id = self.free.pop().unwrap_or_else(|| {
            self.entries.push(Entry { person: None, frames: 0 });
            (self.entries.len() - 1) as u32
        });
        if let Some(entry) = self.entries.get_mut(id as usize) {
            entry.person = Some(person.clone());
        }
        self.ids.insert(person, id);
        id
    }

    /// A frame names these.
    pub fn hold(&mut self, ids: &[u32]) {
        for id in ids {
            if let Some(entry) = self.entries.get_mut(*id as usize) {
                entry.frames += 1;
            }
        }
    }

    /// A frame that named these is gone.
    pub fn release(&mut self, ids: &[u32]) {
        for id in ids {
            let Some(entry) = self.entries.get_mut(*id as usize) else { continue };
            entry.frames = entry.frames.saturating_sub(1);
            if entry.frames == 0
                && let Some(person) = entry.person.take()
            {
                self.ids.remove(&person);
                self.free.push(*id);
            }
        }
    }

    /// The account behind a number; `None` for [`REST`].
    pub fn get(&self, id: u32) -> Option<&Person> {
        self.entries.get(id as usize).and_then(|entry| entry.person.as_ref())
    }

    /// How many are named.
    pub fn count(&self) -> usize {
        self.ids.len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn person(main: &str) -> Person {
        Person { main: main.into(), sub: "s".into() }
    }

    #[test]
    fn a_person_is_forgotten_with_the_last_frame_that_names_it() {
        let mut people = People::default();
        let (one, two) = (people.id(person("a")), people.id(person("b")));
        people.hold(&[one, two]);
        people.hold(&[one]);
        people.release(&[one, two]);
        assert_eq!((people.get(one), people.get(two), people.count()), (Some(&person("a")), None, 1));
        assert_eq!(people.id(person("c")), two, "the number is given again");
        assert_eq!(people.get(REST), None);
    }

    #[test]
    fn tails_are_bounded_and_keep_their_number() {
        let mut tails = Tails::default();
        let first = tails.id("api", (true, "get_object"), "200");
        for index in 0..5000 {
            tails.id("api", (true, "get_object"), &index.to_string());
        }
        assert_eq!(tails.id("api", (true, "get_object"), "200"), first);
        assert_eq!(tails.id("api", (true, "beyond"), ""), TAIL_OTHER);
        assert_eq!(tails.all().len(), MAX_TAILS);
        assert!(tails.words.len() <= 2 * MAX_TAILS);
    }

    #[test]
    fn accounts_are_read_from_their_labels() {
        assert_eq!(Person::read(r#"main_account="a",subaccount_id="s""#), person("a"));
    }
}
