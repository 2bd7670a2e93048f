//! Pairs requests with responses: pipelining, 1xx, aborts, timing.

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
