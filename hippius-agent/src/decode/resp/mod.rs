//! RESP2 and RESP3, the protocol of Redis (<https://redis.io/docs/latest/develop/reference/protocol-spec/>).
//!
//! A [`Reader`] takes one direction of a connection in pieces of any size and tells its structure as [`Token`]s. It
//! keeps the beginning of one line and the numbers of elements that are still to come, never a value: texts go by in the
//! pieces in which they came. Bytes that were not seen may be [skipped](Reader::skip) where the length of the text
//! around them is known.

mod header;

use header::Header;

/// Longest beginning of a line that is kept, in bytes: numbers, words of errors, commands without framing.
pub const LINE_BYTES: usize = 128;

/// Deepest nesting of aggregates. Redis itself nests a few levels; scripts at most 255, which no reply of a command needs.
pub const MAX_DEPTH: usize = 64;

/// Which direction is read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Role {
    /// Arrays of texts, or commands without framing ("inline").
    Requests,
    /// Values of any kind.
    Replies,
}

/// Kind of an aggregate.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Aggregate {
    /// `*`
    Array,
    /// `~`
    Set,
    /// `%`; keys and values are elements in turn.
    Map,
    /// `>`: out of band, answers nothing.
    Push,
}

/// Where a value stands: how deep, and as which element of what is around it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Place {
    /// 0 for the message itself.
    pub depth: usize,
    /// 0 for the first element.
    pub index: u64,
}

/// A part of a message. Attributes (`|`) are read and not told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Token<'a> {
    /// An aggregate of so many elements begins.
    Open(Aggregate, u64),
    /// A text of so many bytes begins: `$`, or `=`, or `!` (an error).
    Text(u8, u64),
    /// Some bytes of the text.
    Piece(&'a [u8]),
    /// So many bytes of the text were not seen.
    Hidden(u64),
    /// A value of one line by its kind (`+ - : , # (`), and its beginning, at most [`LINE_BYTES`].
    Line(u8, &'a [u8]),
    /// A null of either version.
    Null,
    /// A command without framing: its beginning, and whether that is all of it.
    Inline(&'a [u8], bool),
    /// The value that began at this place is over.
    Ended,
}

/// Why a direction cannot be read on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum RespError {
    /// Bytes that are no RESP.
    #[error("not RESP")]
    Malformed,
    /// Nested deeper than [`MAX_DEPTH`].
    #[error("values are nested too deeply")]
    TooDeep,
    /// A gap with a boundary in it.
    #[error("bytes at the boundary of a value were not seen")]
    Gap,
}

/// How far a call of [`Reader::read`] came.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Progress {
    /// Bytes that were read.
    pub used: usize,
    /// Whether the last of them ended a message.
    pub ended: bool,
}

#[derive(Debug, Clone, Copy)]
struct Level {
    elements: u64,
    left: u64,
    attribute: bool,
}

/// One direction of a connection.
#[derive(Debug)]
pub struct Reader {
    role: Role,
    line: [u8; LINE_BYTES],
    kept: usize,
    /// Whole length of the line so far.
    length: usize,
    last: u8,
    /// Of the text at hand: bytes to come, the closing line end included.
    text: Option<u64>,
    levels: Vec<Level>,
    /// How many attributes are around the value at hand.
    muted: usize,
}

impl Reader {
    /// At the beginning of a message.
    pub fn new(role: Role) -> Self {
        let line = [0; LINE_BYTES];
        Self { role, line, kept: 0, length: 0, last: 0, text: None, levels: Vec::new(), muted: 0 }
    }

    /// Reads until a message ends or `bytes` do.
    pub fn read(&mut self, bytes: &[u8], tell: &mut impl FnMut(Place, Token<'_>)) -> Result<Progress, RespError> {
        let mut rest = bytes;
        while !rest.is_empty() {
            let ended =
                if self.text.is_some() { self.read_text(&mut rest, tell)? } else { self.read_line(&mut rest, tell)? };
            if ended {
                return Ok(Progress { used: bytes.len() - rest.len(), ended: true });
            }
        }
        Ok(Progress { used: bytes.len(), ended: false })
    }

    /// Goes over `count` bytes that were not seen. True where they end a message.
    pub fn skip(&mut self, count: u64, tell: &mut impl FnMut(Place, Token<'_>)) -> Result<bool, RespError> {
        let left = self.text.filter(|left| count <= *left).ok_or(RespError::Gap)?;
        let hidden = count.min(left.saturating_sub(2));
        if hidden > 0 {
            self.tell(tell, Token::Hidden(hidden));
        }
        self.text = Some(left - count);
        Ok(left == count && self.text_ends(tell))
    }

    /// Whether the next byte begins a message.
    pub fn is_between(&self) -> bool {
        self.text.is_none() && self.levels.is_empty() && self.length == 0
    }

    fn read_text(&mut self, rest: &mut &[u8], tell: &mut impl FnMut(Place, Token<'_>)) -> Result<bool, RespError> {
        let left = self.text.unwrap_or_default();
        let now = usize::try_from(left).unwrap_or(usize::MAX).min(rest.len());
        let (piece, after) = rest.split_at(now);
        let content = usize::try_from(left.saturating_sub(2)).unwrap_or(usize::MAX).min(piece.len());
        let (content, end) = piece.split_at(content);
        if !content.is_empty() {
            self.tell(tell, Token::Piece(content));
        }
        // What is left of the line end after the content: all of "\r\n", or its "\n".
        let expected: &[u8] = if left.saturating_sub(content.len() as u64) >= 2 { b"\r\n" } else { b"\n" };
        if !expected.starts_with(end) {
            return Err(RespError::Malformed);
        }
        *rest = after;
        self.text = Some(left - now as u64);
        Ok(left == now as u64 && self.text_ends(tell))
    }

    fn text_ends(&mut self, tell: &mut impl FnMut(Place, Token<'_>)) -> bool {
        self.text = None;
        self.value_ends(tell)
    }

    fn read_line(&mut self, rest: &mut &[u8], tell: &mut impl FnMut(Place, Token<'_>)) -> Result<bool, RespError> {
        let Some(end) = memchr::memchr(b'\n', rest) else {
            self.keep(rest);
            *rest = &[];
            // A number that never ends; lines of text may be long.
            let kind = self.line.first().copied().unwrap_or_default();
            let endless = self.length > LINE_BYTES && header::is_number(kind) && !self.is_inline(kind);
            return if endless { Err(RespError::Malformed) } else { Ok(false) };
        };
        let (line, after) = rest.split_at(end);
        self.keep(line);
        *rest = after.get(1..).unwrap_or_default();
        let (kept, length, last) = (self.kept, self.length, self.last);
        (self.kept, self.length, self.last) = (0, 0, 0);
        let closed = length > 0 && last == b'\r';
        let text_length = length - usize::from(closed);
        let line = self.line;
        let line = line.get(..kept.min(text_length)).unwrap_or_default();
        self.line_ends(line, text_length == line.len(), closed, tell)
    }

    /// Whether a line that begins so is a command without framing.
    fn is_inline(&self, kind: u8) -> bool {
        self.role == Role::Requests && self.levels.is_empty() && kind != b'*'
    }

    fn keep(&mut self, bytes: &[u8]) {
        let room = self.line.get_mut(self.kept..).unwrap_or_default();
        let count = room.len().min(bytes.len());
        room.iter_mut().zip(bytes).for_each(|(to, from)| *to = *from);
        self.kept += count;
        self.length = self.length.saturating_add(bytes.len());
        if let Some(last) = bytes.last() {
            self.last = *last;
        }
    }

    /// `closed`: by `\r\n`, as everything but commands without framing must be.
    fn line_ends(
        &mut self,
        line: &[u8],
        whole: bool,
        closed: bool,
        tell: &mut impl FnMut(Place, Token<'_>),
    ) -> Result<bool, RespError> {
        if self.is_inline(line.first().copied().unwrap_or_default()) {
            self.tell(tell, Token::Inline(line, whole));
            return Ok(self.value_ends(tell));
        }
        if !closed {
            return Err(RespError::Malformed);
        }
        match Header::parse(line, whole).ok_or(RespError::Malformed)? {
            Header::Text(kind, length) => {
                self.tell(tell, Token::Text(kind, length));
                self.text = Some(length + 2);
                Ok(false)
            }
            Header::Open(kind, elements) => {
                self.tell(tell, Token::Open(kind, elements));
                self.open(elements, false, tell)
            }
            Header::Attribute(elements) => {
                self.muted += 1;
                self.open(elements, true, tell)
            }
            Header::Null => {
                self.tell(tell, Token::Null);
                Ok(self.value_ends(tell))
            }
            Header::Line(kind, text) => {
                self.tell(tell, Token::Line(kind, text));
                Ok(self.value_ends(tell))
            }
        }
    }

    fn open(
        &mut self,
        elements: u64,
        attribute: bool,
        tell: &mut impl FnMut(Place, Token<'_>),
    ) -> Result<bool, RespError> {
        if self.levels.len() >= MAX_DEPTH {
            return Err(RespError::TooDeep);
        }
        if elements > 0 {
            self.levels.push(Level { elements, left: elements, attribute });
            return Ok(false);
        }
        if attribute {
            self.muted -= 1;
            return Ok(false);
        }
        Ok(self.value_ends(tell))
    }

    /// A value is over, and with it maybe those around it. True where it was the message.
    fn value_ends(&mut self, tell: &mut impl FnMut(Place, Token<'_>)) -> bool {
        loop {
            self.tell(tell, Token::Ended);
            let Some(level) = self.levels.last_mut() else { return true };
            level.left -= 1;
            if level.left > 0 {
                return false;
            }
            let attribute = level.attribute;
            self.levels.pop();
            if attribute {
                // It stands before the value that it is about, and is none.
                self.muted -= 1;
                return false;
            }
        }
    }

    fn tell(&self, tell: &mut impl FnMut(Place, Token<'_>), token: Token<'_>) {
        if self.muted == 0 {
            let index = self.levels.last().map_or(0, |level| level.elements - level.left);
            tell(Place { depth: self.levels.len(), index }, token);
        }
    }
}

#[cfg(test)]
mod tests;
