//! The frontend/backend protocol 3 of PostgreSQL (<https://www.postgresql.org/docs/current/protocol-message-formats.html>).
//!
//! A [`Reader`] takes one direction of a connection in pieces of any size and tells each message when its last byte has
//! gone by: its kind, its size, and as much as pairing and labels need. Of SQL that is the first word, of an error its
//! SQLSTATE, of names of statements and portals a keyed hash. Values, passwords and keys go by unread.
//!
//! Every message tells its length, so bytes that were not seen are harmless within one ([`Reader::skip`]).

mod fields;
mod verb;

pub use fields::{Fields, Name, NameHasher};
pub use verb::{VERBS, Verb};

/// Longest message. The server takes messages of up to 1 GiB (`PQ_LARGE_MESSAGE_LIMIT` in its `libpq.h`).
const MAX_MESSAGE_BYTES: u64 = 1 << 30;

/// Longest first message of a client (`MAX_STARTUP_PACKET_LENGTH` in the server's `pqcomm.h`).
const MAX_STARTUP_BYTES: u64 = 10_000;

/// Which direction is read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Role {
    /// What the client sends.
    Frontend,
    /// What the server sends.
    Backend,
}

/// The messages that have no kind byte: the first ones of a client.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum First {
    /// `StartupMessage` of protocol 3.
    Startup,
    /// `SSLRequest` or `GSSENCRequest`: one byte answers it.
    Encryption,
    /// `CancelRequest`: the server closes without an answer.
    Cancel,
}

/// What stood in a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Message {
    /// A message without a kind byte.
    First(First),
    /// The byte that answers [`First::Encryption`].
    Encryption(u8),
    /// Any other: its kind byte and what is known of its content.
    Typed(u8, Fields),
}

/// Why a direction cannot be read on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum PostgresError {
    /// Bytes that are no message of this protocol.
    #[error("not the PostgreSQL protocol")]
    Malformed,
    /// A gap with a boundary in it.
    #[error("bytes at the boundary of a message were not seen")]
    Gap,
}

/// A message that is over.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Whole {
    /// What it is.
    pub message: Message,
    /// All of its bytes.
    pub bytes: u64,
}

/// How far a call of [`Reader::read`] came.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Progress {
    /// Bytes that were read.
    pub used: usize,
    /// The message that the last of them ended.
    pub whole: Option<Whole>,
}

#[derive(Debug)]
#[expect(
    clippy::large_enum_variant,
    reason = "one for each direction of a connection, and most of the time the large one"
)]
enum State {
    /// Length and code of a first message.
    First,
    /// The answer to a request for encryption.
    OneByte,
    /// Kind and length.
    Header,
    /// Bytes of the message to come.
    Body { kind: u8, left: u64, bytes: u64, fields: fields::FieldReader },
    /// The rest of a first message.
    FirstBody { first: First, left: u64, bytes: u64 },
}

/// One direction of a connection.
#[derive(Debug)]
pub struct Reader {
    role: Role,
    state: State,
    header: [u8; 8],
    kept: usize,
}

impl Reader {
    /// At the beginning of a connection.
    pub fn first(role: Role) -> Self {
        let state = if role == Role::Frontend { State::First } else { State::Header };
        Self { role, state, header: [0; 8], kept: 0 }
    }

    /// At the beginning of a message with a kind byte.
    pub fn typed(role: Role) -> Self {
        Self { role, state: State::Header, header: [0; 8], kept: 0 }
    }

    /// The next byte answers a request for encryption.
    pub fn expect_one_byte(&mut self) {
        self.state = State::OneByte;
    }

    /// The next message has no kind byte, again.
    pub fn expect_first(&mut self) {
        self.state = State::First;
    }

    /// Whether the next byte begins a message.
    pub fn is_between(&self) -> bool {
        self.kept == 0 && !matches!(self.state, State::Body { .. } | State::FirstBody { .. })
    }

    /// Reads until a message ends or `bytes` do.
    pub fn read(&mut self, bytes: &[u8], names: &NameHasher) -> Result<Progress, PostgresError> {
        let mut rest = bytes;
        while let Some(&byte) = rest.first() {
            let whole = match &mut self.state {
                State::OneByte => {
                    rest = rest.get(1..).unwrap_or_default();
                    self.state = State::Header;
                    Some(Whole { message: Message::Encryption(byte), bytes: 1 })
                }
                State::First => self.keep(&mut rest, 8).then(|| self.first_begins()).transpose()?.flatten(),
                State::Header => self.keep(&mut rest, 5).then(|| self.typed_begins(names)).transpose()?.flatten(),
                State::Body { left, fields, .. } => {
                    let (now, after) = split(rest, *left);
                    fields.take(now);
                    *left -= now.len() as u64;
                    rest = after;
                    self.body_ends()
                }
                State::FirstBody { left, .. } => {
                    let (now, after) = split(rest, *left);
                    *left -= now.len() as u64;
                    rest = after;
                    self.body_ends()
                }
            };
            if whole.is_some() {
                return Ok(Progress { used: bytes.len() - rest.len(), whole });
            }
        }
        Ok(Progress { used: bytes.len(), whole: None })
    }

    /// Goes over `count` bytes that were not seen; gives the message that they end.
    pub fn skip(&mut self, count: u64) -> Result<Option<Whole>, PostgresError> {
        match &mut self.state {
            State::Body { left, fields, .. } if count <= *left => {
                fields.hide(count);
                *left -= count;
            }
            State::FirstBody { left, .. } if count <= *left => *left -= count,
            _ => return Err(PostgresError::Gap),
        }
        Ok(self.body_ends())
    }

    /// Keeps bytes of a header. True when it is whole.
    fn keep(&mut self, rest: &mut &[u8], wanted: usize) -> bool {
        let room = self.header.get_mut(self.kept..wanted).unwrap_or_default();
        let (now, after) = rest.split_at(room.len().min(rest.len()));
        room.iter_mut().zip(now).for_each(|(to, from)| *to = *from);
        self.kept += now.len();
        *rest = after;
        self.kept >= wanted
    }

    fn first_begins(&mut self) -> Result<Option<Whole>, PostgresError> {
        let [a, b, c, d, code @ ..] = self.header;
        self.kept = 0;
        let bytes = u64::from(u32::from_be_bytes([a, b, c, d]));
        let first = match u32::from_be_bytes(code) {
            // Protocol 3 of any minor version.
            code if code >> 16 == 3 => First::Startup,
            80_877_103 | 80_877_104 if bytes == 8 => First::Encryption,
            80_877_102 => First::Cancel,
            _ => return Err(PostgresError::Malformed),
        };
        if !(8..=MAX_STARTUP_BYTES).contains(&bytes) {
            return Err(PostgresError::Malformed);
        }
        self.state = State::FirstBody { first, left: bytes - 8, bytes };
        Ok(self.body_ends())
    }

    fn typed_begins(&mut self, names: &NameHasher) -> Result<Option<Whole>, PostgresError> {
        let [kind, a, b, c, d, ..] = self.header;
        self.kept = 0;
        let length = u64::from(u32::from_be_bytes([a, b, c, d]));
        if !(4..=MAX_MESSAGE_BYTES).contains(&length) || !is_kind(self.role, kind) {
            return Err(PostgresError::Malformed);
        }
        let fields = fields::FieldReader::new(self.role, kind, names);
        self.state = State::Body { kind, left: length - 4, bytes: length + 1, fields };
        Ok(self.body_ends())
    }

    /// The message at hand, if nothing of it is left.
    fn body_ends(&mut self) -> Option<Whole> {
        let whole = match &self.state {
            State::Body { kind, left: 0, bytes, fields } => {
                Whole { message: Message::Typed(*kind, fields.result()), bytes: *bytes }
            }
            State::FirstBody { first, left: 0, bytes } => Whole { message: Message::First(*first), bytes: *bytes },
            _ => return None,
        };
        self.state = State::Header;
        Some(whole)
    }
}

/// Whether `bytes` begin like a message of this direction: its kind and a possible length.
pub fn begins_message(role: Role, bytes: &[u8]) -> bool {
    let Some(&[kind, a, b, c, d]) = bytes.first_chunk() else { return false };
    let length = u64::from(u32::from_be_bytes([a, b, c, d]));
    is_kind(role, kind) && (4..=MAX_MESSAGE_BYTES).contains(&length)
}

/// The kinds of protocol 3.0 to 3.2.
fn is_kind(role: Role, kind: u8) -> bool {
    match role {
        Role::Frontend => b"BCDEFHPQSXcdfp".contains(&kind),
        Role::Backend => b"123ACDEGHIKNRSTVWZcdnstv".contains(&kind),
    }
}

fn split(bytes: &[u8], at: u64) -> (&[u8], &[u8]) {
    bytes.split_at(usize::try_from(at).unwrap_or(usize::MAX).min(bytes.len()))
}

#[cfg(test)]
mod tests;
