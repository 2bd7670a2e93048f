//! Pairs requests with responses: pipelining, 1xx, aborts, timing.
//!
//! Positions come from the kernel side, lengths from the heads. Every byte that a connection moved is given to exactly
//! one exchange, or to none with a reason.

mod close;
mod message;
mod pair;
pub mod wire;

pub use pair::Exchanges;

use crate::decode::http1::{Fields, RequestHead, Version};

/// How an exchange ended. Never derived from a status that was not on the wire.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[repr(u8)]
pub enum Outcome {
    /// The whole response was accepted by the kernel.
    Complete,
    /// The client closed or reset the connection first.
    ClientAbort,
    /// The server closed or reset the connection first.
    ServerAbort,
    /// The connection timed out in the kernel (`ETIMEDOUT`).
    Timeout,
    /// The end was not seen (lost event, response that could not be read, agent started too late).
    Unobserved,
}

/// Bytes of one message, apart by kind. `head + body + framing` is everything that was accepted.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct MessageBytes {
    /// Start line and header fields, closing empty line included; 1xx heads count here too.
    pub head: u64,
    /// Content (RFC 9110 section 6.4): what remains when the transfer coding is taken off.
    pub body: u64,
    /// Chunk sizes, chunk extensions, trailers.
    pub framing: u64,
}

impl MessageBytes {
    /// Everything that was accepted for this message, in bytes.
    pub fn total(&self) -> u64 {
        self.head + self.body + self.framing
    }
}

/// What a connection is doing.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Stage {
    /// No exchange is under way.
    #[default]
    Idle,
    /// A request is on its way.
    Receive,
    /// The request is there, the response is not.
    Process,
    /// The response is on its way.
    Send,
}

/// Number of an exchange, as the owner of this stage's events keeps them.
pub type ExchangeId = u32;

/// Which way bytes went, seen from the server.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Direction {
    /// Request bytes.
    In,
    /// Response bytes.
    Out,
}

/// The result of an exchange. Bytes of its messages were told by [`Event::Transfer`] as they moved.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Finished {
    /// Status of the final response; `None` when none was seen.
    pub status: Option<u16>,
    /// How it ended.
    pub outcome: Outcome,
    /// Request sizes.
    pub request: MessageBytes,
    /// Response sizes.
    pub response: MessageBytes,
    /// The response's trailer section tells of an error (`X-Stream-Error`), whatever the status was.
    pub failed: bool,
    /// First to last request byte, in nanoseconds.
    pub receive_ns: u64,
    /// Last request byte to first byte of the final response, in nanoseconds.
    pub process_ns: Option<u64>,
    /// First to last byte of the final response, in nanoseconds.
    pub send_ns: Option<u64>,
    /// First request byte to last response byte, in nanoseconds.
    pub total_ns: u64,
}

/// What happened on a connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Event {
    /// Bytes of an exchange moved.
    Transfer(ExchangeId, Direction, u64),
    /// Bytes that belong to no exchange.
    Unattributed(&'static str, u64),
    /// Framing was lost and picked up again, or an exchange lost its response.
    Desynced(&'static str),
    /// A response came whose request was lost: one exchange is missing from the counts.
    RequestLost,
    /// An exchange is over. Bytes of its request may still come.
    Finished(ExchangeId, Finished),
    /// Nothing more comes of an exchange that is over.
    Released(ExchangeId),
}

/// What a response answers, as far as its framing depends on it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Answers {
    /// HEAD: no body follows.
    Head,
    /// CONNECT: with a 2xx status, a tunnel follows.
    Connect,
    /// Anything else.
    Other,
}

impl Answers {
    /// By the request's method.
    pub fn to(method: &str) -> Self {
        match method {
            "HEAD" => Self::Head,
            "CONNECT" => Self::Connect,
            _ => Self::Other,
        }
    }
}

/// How the body of a message is delimited (RFC 9112 section 6.3).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Framing {
    /// So many bytes; 0 for none.
    Length(u64),
    /// Chunked transfer coding.
    Chunked,
    /// Until the connection is closed.
    UntilClose,
    /// The connection speaks something else from here on.
    Opaque,
}

impl Framing {
    /// Of a request.
    pub fn of_request(head: &RequestHead<'_>) -> Self {
        if head.method == "CONNECT" {
            return Self::Length(0);
        }
        Self::of_fields(&head.fields, head.version).unwrap_or(Self::Length(0))
    }

    /// Of a final response to such a request.
    pub fn of_response(status: u16, fields: &Fields<'_>, version: Version, answers: Answers) -> Self {
        match status {
            101 => Self::Opaque,
            200..300 if answers == Answers::Connect => Self::Opaque,
            _ if answers == Answers::Head || status == 204 || status == 304 => Self::Length(0),
            _ => Self::of_fields(fields, version).unwrap_or(Self::UntilClose),
        }
    }

    fn of_fields(fields: &Fields<'_>, _version: Version) -> Option<Self> {
        let coding = fields.get("transfer-encoding").map(str::trim).filter(|coding| !coding.is_empty());
        if coding.is_some_and(|coding| !coding.eq_ignore_ascii_case("identity")) {
            return Some(Self::Chunked);
        }
        fields.get("content-length").and_then(|length| length.trim().parse().ok()).map(Self::Length)
    }
}
