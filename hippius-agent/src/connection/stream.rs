//! One direction: pieces of heads, in order.

use hippius_common::flow::Side;

use crate::decode::http1::{HeadBuffer, HeadError, RequestHead, ResponseHead};

/// Pieces of one direction's heads.
#[derive(Debug, Default)]
pub struct Stream {
    /// The beginning of a head that goes on in the next record.
    partial: Vec<u8>,
    /// Position of its first byte.
    partial_at: u64,
    /// The head that was put together last stays in `partial` until the next piece comes.
    used: bool,
    /// Position up to which captured bytes were taken.
    taken: u64,
    /// Heads seen.
    pub messages: u32,
}

/// What a piece of the request side was.
#[derive(Debug)]
pub enum RequestTaken<'a> {
    /// Nothing new, or a head that goes on.
    Nothing,
    /// A head, and the position of its first byte.
    Head(u64, RequestHead<'a>),
    /// No HTTP/1, or pieces that do not fit together.
    Malformed,
}

/// What a piece of the response side was.
#[derive(Debug)]
pub enum ResponseTaken<'a> {
    /// Nothing new, or a head that goes on.
    Nothing,
    /// A head, the position of its first byte, and what was captured of the body.
    Head(u64, ResponseHead<'a>, &'a [u8]),
    /// No HTTP/1, or pieces that do not fit together.
    Malformed,
}

impl Stream {
    /// Takes the bytes of a record that stand at position `at`. `whole`: a sweep's view, of which only a whole head is
    /// taken, because its record is still to come.
    pub fn request<'a>(
        &'a mut self,
        buffer: &'a mut HeadBuffer,
        side: &Side,
        at: u64,
        bytes: &'a [u8],
        whole: bool,
    ) -> RequestTaken<'a> {
        let Some((start, head)) = self.piece(side, at, bytes, whole) else { return RequestTaken::Nothing };
        match buffer.request(head) {
            Ok(head) => RequestTaken::Head(start, head),
            Err(HeadError::Incomplete) => RequestTaken::Nothing,
            Err(HeadError::Malformed) => RequestTaken::Malformed,
        }
    }

    /// Likewise for the response side.
    pub fn response<'a>(
        &'a mut self,
        buffer: &'a mut HeadBuffer,
        side: &Side,
        at: u64,
        bytes: &'a [u8],
        whole: bool,
    ) -> ResponseTaken<'a> {
        let Some((start, bytes)) = self.piece(side, at, bytes, whole) else { return ResponseTaken::Nothing };
        match buffer.response(bytes) {
            Ok(head) => {
                let body = bytes.get(head.len..).unwrap_or_default();
                ResponseTaken::Head(start, head, body)
            }
            Err(HeadError::Incomplete) => ResponseTaken::Nothing,
            Err(HeadError::Malformed) => ResponseTaken::Malformed,
        }
    }

    /// The bytes of a head that is complete with this piece, and its position. Keeps a piece that is not the last.
    fn piece<'a>(&'a mut self, side: &Side, at: u64, bytes: &'a [u8], whole: bool) -> Option<(u64, &'a [u8])> {
        if self.used {
            self.partial.clear();
            self.used = false;
        }
        // Behind a short error body, the capture may hold the beginning of the next head, which is captured again.
        let end = at.wrapping_add(bytes.len() as u64).min(side.total);
        // A record repeats a line that was only half read when a response went out in between.
        let offset = |position: u64| usize::try_from(position.saturating_sub(at)).unwrap_or(usize::MAX);
        let bytes = bytes.get(offset(self.taken)..offset(end)).unwrap_or_default();
        let at = at.max(self.taken);
        if bytes.is_empty() {
            return None;
        }
        // While the side is in the middle of a head, what was captured is a part of it.
        let is_last = side.head_len == 0 || side.head_at >= end;
        if is_last && side.messages == self.messages {
            // The side gave up in the middle of this head.
            self.partial.clear();
            self.taken = end;
            return None;
        }
        let follows = !self.partial.is_empty() && at == self.partial_at.wrapping_add(self.partial.len() as u64);
        if whole && (!is_last || (!follows && !self.partial.is_empty())) {
            return None;
        }
        self.taken = end;
        if is_last {
            self.messages = side.messages;
        }
        if !follows {
            self.partial.clear();
            self.partial_at = at;
            if is_last {
                return Some((at, bytes));
            }
        }
        self.partial.extend_from_slice(bytes);
        if !is_last {
            return None;
        }
        self.used = true;
        Some((self.partial_at, &self.partial))
    }

    /// How many heads a record shows that were never seen, and forgets them.
    pub fn missed(&mut self, side: &Side, captured: bool) -> u32 {
        let expected = self.messages.wrapping_add(u32::from(captured));
        let missed = side.messages.wrapping_sub(expected);
        if missed == 0 || missed > u32::MAX / 2 {
            return 0;
        }
        self.messages = self.messages.wrapping_add(missed);
        missed
    }
}
