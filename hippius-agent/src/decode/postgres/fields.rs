//! What is read of a message's content.

use std::hash::Hasher as _;

use siphasher::sip::SipHasher24;

use super::Role;
use super::verb::{Verb, VerbReader};

/// Hashes names of statements and portals with a key that is random per process.
#[derive(Clone)]
pub struct NameHasher(SipHasher24);

impl NameHasher {
    /// With this key.
    pub fn with_key(key: &[u8; 16]) -> Self {
        Self(SipHasher24::new_with_key(key))
    }
}

impl std::fmt::Debug for NameHasher {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("NameHasher([redacted])")
    }
}

/// A name by its keyed hash; `None` where a part of it was not seen.
pub type Name = Option<u64>;

/// What is known of a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fields {
    /// Nothing is wanted of this kind.
    Nothing,
    /// `Query`: the verb of its first statement. `CommandComplete`: that of its tag.
    Verb(Verb),
    /// `Parse`: the statement's name and verb.
    Statement(Name, Verb),
    /// `Bind`: names of portal and statement.
    Bind(Name, Name),
    /// `Execute`: the portal's name.
    Portal(Name),
    /// `Close` and `Describe`: `S` for a statement or `P` for a portal, and its name.
    Target(u8, Name),
    /// `ErrorResponse`: the SQLSTATE, zeroes where it was not seen.
    SqlState([u8; 5]),
    /// `ReadyForQuery`: `I`, `T` or `E`; 0 where it was not seen.
    Status(u8),
}

#[derive(Debug)]
enum Step {
    /// Nothing of the rest is wanted.
    Done,
    /// One byte, then a name.
    Target,
    /// The first name.
    FirstName,
    /// The second name.
    SecondName,
    /// SQL, or a tag.
    Verb,
    /// The kind of an error's field.
    ErrorKind,
    /// The content of an error's field; the bytes of SQLSTATE so far where it is that.
    ErrorText(Option<usize>),
}

/// Reads a content as it goes by.
#[derive(Debug)]
pub(super) struct FieldReader {
    kind: Kind,
    step: Step,
    fresh: SipHasher24,
    hasher: SipHasher24,
    names: [Name; 2],
    verb: VerbReader,
    byte: u8,
    state: [u8; 5],
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Nothing,
    Verb,
    Statement,
    Bind,
    Portal,
    Target,
    SqlState,
    Status,
}

impl FieldReader {
    pub(super) fn new(role: Role, kind: u8, names: &NameHasher) -> Self {
        let (kind, step) = match (role, kind) {
            (Role::Frontend, b'Q') | (Role::Backend, b'C') => (Kind::Verb, Step::Verb),
            (Role::Frontend, b'P') => (Kind::Statement, Step::FirstName),
            (Role::Frontend, b'B') => (Kind::Bind, Step::FirstName),
            (Role::Frontend, b'E') => (Kind::Portal, Step::FirstName),
            (Role::Frontend, b'C' | b'D') => (Kind::Target, Step::Target),
            (Role::Backend, b'E') => (Kind::SqlState, Step::ErrorKind),
            (Role::Backend, b'Z') => (Kind::Status, Step::Target),
            _ => (Kind::Nothing, Step::Done),
        };
        let (fresh, hasher) = (names.0, names.0);
        Self { kind, step, fresh, hasher, names: [None; 2], verb: VerbReader::default(), byte: 0, state: [0; 5] }
    }

    /// The next bytes.
    pub(super) fn take(&mut self, mut bytes: &[u8]) {
        while let Some((&byte, rest)) = bytes.split_first() {
            match self.step {
                Step::Done => return,
                Step::Verb => {
                    self.verb.take(bytes);
                    return;
                }
                Step::Target => {
                    self.byte = byte;
                    self.step = if self.kind == Kind::Target { Step::FirstName } else { Step::Done };
                }
                Step::FirstName | Step::SecondName => {
                    bytes = self.take_name(bytes);
                    continue;
                }
                // A zero ends the list of fields.
                Step::ErrorKind if byte == 0 => self.step = Step::Done,
                Step::ErrorKind => self.step = Step::ErrorText((byte == b'C').then_some(0)),
                Step::ErrorText(_) if byte == 0 => self.step = Step::ErrorKind,
                Step::ErrorText(None) => {
                    let end = memchr::memchr(0, bytes).unwrap_or(bytes.len());
                    bytes = bytes.get(end..).unwrap_or_default();
                    continue;
                }
                Step::ErrorText(Some(at)) => {
                    if let Some(place) = self.state.get_mut(at) {
                        *place = byte;
                    }
                    self.step = Step::ErrorText(Some(at + 1));
                }
            }
            bytes = rest;
        }
    }

    /// So many of the next bytes were not seen.
    pub(super) fn hide(&mut self, count: u64) {
        if count > 0 {
            self.verb.hide();
            self.step = Step::Done;
        }
    }

    pub(super) fn result(&self) -> Fields {
        let [first, second] = self.names;
        match self.kind {
            Kind::Nothing => Fields::Nothing,
            Kind::Verb => Fields::Verb(self.verb.result()),
            Kind::Statement => Fields::Statement(first, self.verb.result()),
            Kind::Bind => Fields::Bind(first, second),
            Kind::Portal => Fields::Portal(first),
            Kind::Target => Fields::Target(self.byte, first),
            Kind::SqlState => Fields::SqlState(self.state),
            Kind::Status => Fields::Status(self.byte),
        }
    }

    /// Takes bytes of a name and gives what follows it.
    fn take_name<'a>(&mut self, bytes: &'a [u8]) -> &'a [u8] {
        let Some(end) = memchr::memchr(0, bytes) else {
            self.hasher.write(bytes);
            return &[];
        };
        let (name, rest) = bytes.split_at(end);
        self.hasher.write(name);
        let name = Some(self.hasher.finish());
        self.hasher = self.fresh;
        let is_first = matches!(self.step, Step::FirstName);
        if let Some(place) = self.names.get_mut(usize::from(!is_first)) {
            *place = name;
        }
        self.step = match self.kind {
            Kind::Statement => Step::Verb,
            Kind::Bind if is_first => Step::SecondName,
            _ => Step::Done,
        };
        rest.get(1..).unwrap_or_default()
    }
}
