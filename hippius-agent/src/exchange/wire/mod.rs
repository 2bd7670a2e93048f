//! Pairs what a client sends to Redis or PostgreSQL with what comes back, from the client's socket.
//!
//! A [`Session`] takes the bytes of one connection as calls moved them and tells [`Event`]s: operations with their
//! durations, items that went into and out of configured queues, and what could not be followed. Replies come in the
//! order of the requests, so pairing is counting; every count that does not fit ends it.
//!
//! # When a connection cannot be followed
//!
//! A gap inside of a value or message of known length is harmless. Where a boundary lies in a gap, it is not known how
//! many requests were in it, so nothing can be paired: both directions are *lost*, with a [`Reason`]. They are picked up
//! where it is certain that nothing is under way:
//!
//! - PostgreSQL: the last bytes that came were a whole `ReadyForQuery`, and the next call sends the beginning of a message.
//! - Redis, which has no such sign: the last bytes came from the server, nothing has moved for [`QUIET_NS`], and the next call
//!   begins with the whole first word of a command of the table. (Redis answers at once whatever does not block, and who
//!   waits in a blocking command sends nothing.)
//!
//! Should replies to earlier requests come all the same, they do not fit: then the connection is lost again.
//!
//! Nothing of a value is kept. Of what a client sends this stage knows the command or verb, keyed hashes of names of
//! statements, and keyed hashes of keys and items of queues ([`queues`]).

pub mod dwell;
mod held;
mod postgres;
pub mod queues;
mod resp;
mod session;

pub use resp::commands::{COMMANDS, Command};
pub use session::Session;

use queues::{Item, QueueId};

/// How long a Redis connection must have been silent to be picked up, in nanoseconds.
pub const QUIET_NS: u64 = 100_000_000;

/// Most requests of one connection that may wait for their reply: a hundred times what clients send in one pipeline.
pub const MAX_PENDING: usize = 1 << 16;

/// Most items of one command whose time in the queue is followed; the others are only counted.
pub const MAX_TRACKED_ITEMS: usize = 256;

/// What is spoken on a connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum System {
    /// Redis and what speaks like it.
    Redis,
    /// PostgreSQL and what speaks like it.
    Postgres,
}

impl System {
    /// As a label, by OpenTelemetry's names (`db.system.name`).
    pub fn name(self) -> &'static str {
        match self {
            Self::Redis => "redis",
            Self::Postgres => "postgresql",
        }
    }
}

/// When the first and the last of some bytes moved, in nanoseconds of one clock.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Times {
    /// Of the first byte.
    pub first_ns: u64,
    /// Of the last byte.
    pub last_ns: u64,
}

/// A request with its reply.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Operation {
    /// Who answered.
    pub system: System,
    /// Command or SQL verb, from a table.
    pub operation: &'static str,
    /// From the first byte of the request to the last byte of its reply, in nanoseconds.
    pub duration_ns: u64,
    /// What kind of error the reply was, from a table.
    pub error: Option<&'static str>,
    /// Bytes of the request.
    pub request_bytes: u64,
    /// Bytes of the reply.
    pub response_bytes: u64,
}

/// Why a connection could not be followed for a while.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Reason {
    /// It was open before it was watched.
    BeforeStart,
    /// Bytes at a boundary were not seen.
    Gap,
    /// Bytes that the protocol does not have.
    Malformed,
    /// A reply that nothing asked for.
    Unpaired,
    /// More than [`MAX_PENDING`] requests without a reply.
    TooManyPending,
    /// Both sides went over to TLS or GSSAPI encryption, or to a replication stream: nothing more is read.
    Opaque,
}

impl Reason {
    /// All of them.
    pub const ALL: [Self; 6] =
        [Self::BeforeStart, Self::Gap, Self::Malformed, Self::Unpaired, Self::TooManyPending, Self::Opaque];

    /// As a label.
    pub fn name(self) -> &'static str {
        match self {
            Self::BeforeStart => "before_start",
            Self::Gap => "gap",
            Self::Malformed => "malformed",
            Self::Unpaired => "unpaired",
            Self::TooManyPending => "too_many_pending",
            Self::Opaque => "opaque",
        }
    }
}

/// What happened on a connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Event {
    /// A request was answered.
    Operation(Operation),
    /// The connection ended before the answer.
    Unanswered(System, &'static str),
    /// The client has asked for no reply (`CLIENT REPLY`).
    Silent(&'static str),
    /// One item went into a queue; `None` where its content was not seen. The time is when it was sent.
    Pushed(QueueId, Option<Item>, u64),
    /// So many more items went into a queue.
    Enqueued(QueueId, u64),
    /// One item came out of a queue; `None` where its content was not seen. The time is when it was received.
    Popped(QueueId, Option<Item>, u64),
    /// So many more items came out of a queue.
    Dequeued(QueueId, u64),
    /// The connection cannot be followed, with as many requests as waited for their reply.
    Lost(Reason, u64),
}
