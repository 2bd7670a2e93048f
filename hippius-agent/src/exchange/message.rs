//! One message: where it begins, how it ends, when it moved.

use hippius_common::flow::{Side, phase};
use hippius_common::loss;

use super::{Framing, MessageBytes};

/// A request, or a final response.
#[derive(Debug, Clone, Copy)]
pub struct Message {
    /// Position of its first byte.
    pub at: u64,
    /// Length of its head.
    pub head: u64,
    /// How its body is delimited.
    pub framing: Framing,
    /// Bytes given to it so far, head included.
    pub bytes: u64,
    /// Payload of its chunks so far.
    pub payload: u64,
    /// The side's payload when it began.
    payload_before: u64,
    /// When its first byte moved.
    pub first_ns: u64,
    /// When its last byte so far moved.
    pub last_ns: u64,
    /// Its last byte has moved.
    pub complete: bool,
    /// Its trailer section says that its body broke off.
    pub failed: bool,
    /// Its chunk framing was lost, so that its end was not seen, whatever came behind it.
    pub lost: bool,
}

impl Message {
    /// A message whose head of `head` bytes stands at position `at`.
    pub fn new(at: u64, head: usize, framing: Framing, side: &Side) -> Self {
        let known = side.head_at == at;
        Self {
            at,
            head: head as u64,
            framing,
            bytes: 0,
            payload: 0,
            payload_before: side.payload_before,
            first_ns: if known { side.first_ns } else { side.previous_last_ns },
            last_ns: if known { side.last_ns } else { side.previous_last_ns },
            complete: false,
            failed: false,
            lost: false,
        }
    }

    /// Position behind its last byte, where its head tells.
    pub fn end(&self) -> Option<u64> {
        match self.framing {
            Framing::Length(length) => Some(self.at.saturating_add(self.head).saturating_add(length)),
            Framing::Opaque => Some(self.at.saturating_add(self.head)),
            Framing::Chunked | Framing::UntilClose => None,
        }
    }

    /// Brings times, payload and completeness up to what the side shows; `accounted` is the position up to which bytes
    /// were given out.
    pub fn update(&mut self, side: &Side, accounted: u64) {
        if self.complete {
            return;
        }
        let is_current = side.head_at == self.at;
        if is_current {
            // Stays until the next message begins.
            self.lost |= self.framing == Framing::Chunked && side.loss() != loss::NONE;
            self.last_ns = side.last_ns.max(self.first_ns);
            self.payload = side.payload.wrapping_sub(side.payload_before);
            if side.phase == phase::CHUNKED && side.next > side.total {
                self.payload = self.payload.saturating_sub(side.next - side.total);
            }
        } else if side.head_at > self.at {
            self.last_ns = side.previous_last_ns.max(self.first_ns);
            self.payload = side.payload_before.wrapping_sub(self.payload_before);
        }
        self.complete = match (self.framing, self.end()) {
            (_, Some(end)) => accounted >= end,
            (Framing::Chunked, None) if is_current => side.phase == phase::HEAD && side.head_len == 0,
            (Framing::Chunked, None) => side.head_at > self.at,
            (_, None) => false,
        };
    }

    /// Its bytes by kind.
    pub fn sizes(&self) -> MessageBytes {
        let head = self.head.min(self.bytes);
        let rest = self.bytes - head;
        let body = if self.framing == Framing::Chunked { self.payload.min(rest) } else { rest };
        MessageBytes { head, body, framing: rest - body }
    }
}
