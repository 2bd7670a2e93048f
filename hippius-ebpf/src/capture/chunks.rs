//! Chunk framing (RFC 9112 section 7.1), read a few bytes at a time wherever calls cut it.

use hippius_common::flow::{Flow, WINDOW_BYTES, flag, phase};
use hippius_common::loss;

use super::bytes::byte;
use super::memory::{load, store};
use super::{lose, side, side_mut};

/// Values of `Side::step` while a chunked body is read.
pub mod step {
    /// Digits of a chunk size.
    pub const SIZE: u16 = 0;
    /// A chunk extension, to the end of the line.
    pub const EXTENSION: u16 = 1;
    /// The line feed behind a chunk size.
    pub const SIZE_LF: u16 = 2;
    /// The carriage return behind a chunk's data.
    pub const DATA_CR: u16 = 3;
    /// The line feed behind a chunk's data.
    pub const DATA_LF: u16 = 4;
    /// The beginning of a trailer line, or of the empty line.
    pub const TRAILER: u16 = 5;
    /// Inside a trailer line.
    pub const TRAILER_LINE: u16 = 6;
    /// The line feed of the empty line.
    pub const LAST_LF: u16 = 7;
    /// Inside the name of a trailer field; so many characters of [`STREAM_ERROR`](super::STREAM_ERROR) stood there.
    pub const TRAILER_NAME: u16 = 16;
}

/// The field that tells of an error in a response that has begun already, in lower case
/// (<https://github.com/ipfs/kubo/issues/2386>).
const STREAM_ERROR: [u64; 2] = [u64::from_le_bytes(*b"x-stream"), u64::from_le_bytes(*b"-error:\0")];
/// Its length, with the colon.
const STREAM_ERROR_BYTES: u16 = 15;

/// Accounts for up to `len` bytes of the window. Stops where chunk data begins, where the message ends, or where the
/// framing is wrong.
#[inline(always)]
pub fn read<const OUT: bool>(flow: &mut Flow, len: u32) {
    for index in 0..WINDOW_BYTES {
        if index >= len {
            return;
        }
        let byte = byte(&flow.window, index);
        let position = load(&side::<OUT>(flow).total) + 1;
        store(&mut side_mut::<OUT>(flow).total, position);
        if take::<OUT>(flow, byte, position) {
            return;
        }
    }
}

/// Takes one byte; `position` is the one behind it. True when reading stops here.
#[inline(always)]
fn take<const OUT: bool>(flow: &mut Flow, byte: u8, position: u64) -> bool {
    let side = side_mut::<OUT>(flow);
    store(&mut side.next, position);
    let next = match load(&side.step) {
        step::SIZE => return size::<OUT>(flow, byte),
        step::EXTENSION if byte != b'\n' => step::EXTENSION,
        step::EXTENSION => return size_line_ends::<OUT>(flow, position),
        step::SIZE_LF if byte == b'\n' => return size_line_ends::<OUT>(flow, position),
        step::DATA_CR if byte == b'\r' => step::DATA_LF,
        step::DATA_LF if byte == b'\n' => {
            store(&mut side.length, 0);
            step::SIZE
        }
        step::TRAILER if byte == b'\r' => step::LAST_LF,
        step::TRAILER if byte == b'\n' => return message_ends::<OUT>(flow),
        step::TRAILER => trailer_name::<OUT>(flow, byte, 0),
        step::TRAILER_LINE if byte == b'\n' => step::TRAILER,
        step::TRAILER_LINE => step::TRAILER_LINE,
        step::LAST_LF if byte == b'\n' => return message_ends::<OUT>(flow),
        found if found >= step::TRAILER_NAME => trailer_name::<OUT>(flow, byte, found - step::TRAILER_NAME),
        _ => {
            lose::<OUT>(flow, loss::BAD_CHUNK);
            return true;
        }
    };
    store(&mut side_mut::<OUT>(flow).step, next);
    false
}

/// The next character of a trailer field's name, of which `found` were those of the field that is looked for. The step
/// that follows.
#[inline(always)]
fn trailer_name<const OUT: bool>(flow: &mut Flow, byte: u8, found: u16) -> u16 {
    let lower = if byte.wrapping_sub(b'A') < 26 { byte | 0x20 } else { byte };
    let [begin, end] = STREAM_ERROR;
    let wanted = (if found < 8 { begin } else { end }) >> (8 * u32::from(found & 7));
    if byte == b'\n' {
        step::TRAILER
    } else if lower != wanted as u8 {
        step::TRAILER_LINE
    } else if found + 1 < STREAM_ERROR_BYTES {
        step::TRAILER_NAME + found + 1
    } else {
        if OUT {
            // Told by the end of this call, whatever else there is to tell.
            flow.header.flags |= flag::STREAM_ERROR;
            flow.ready = 1;
        }
        step::TRAILER_LINE
    }
}

#[inline(always)]
fn size<const OUT: bool>(flow: &mut Flow, byte: u8) -> bool {
    let side = side_mut::<OUT>(flow);
    let digit = byte.wrapping_sub(b'0');
    let letter = (byte | 0x20).wrapping_sub(b'a');
    if digit < 10 || letter < 6 {
        let value = if digit < 10 { digit } else { letter + 10 };
        let length = (load(&side.length) << 4) | u64::from(value);
        store(&mut side.length, length);
        return false;
    }
    match byte {
        b'\r' => store(&mut side.step, step::SIZE_LF),
        b'\n' => {
            let position = load(&side.next);
            return size_line_ends::<OUT>(flow, position);
        }
        b';' | b' ' | b'\t' => store(&mut side.step, step::EXTENSION),
        _ => {
            lose::<OUT>(flow, loss::BAD_CHUNK);
            return true;
        }
    }
    false
}

#[inline(always)]
fn size_line_ends<const OUT: bool>(flow: &mut Flow, position: u64) -> bool {
    let side = side_mut::<OUT>(flow);
    let size = load(&side.length);
    if size == 0 {
        store(&mut side.step, step::TRAILER);
        return false;
    }
    side.payload = side.payload.wrapping_add(size);
    side.next = position.wrapping_add(size);
    store(&mut side.step, step::DATA_CR);
    true
}

#[inline(always)]
fn message_ends<const OUT: bool>(flow: &mut Flow) -> bool {
    let side = side_mut::<OUT>(flow);
    side.phase = phase::HEAD;
    side.step = 0;
    true
}

#[cfg(test)]
mod tests;
