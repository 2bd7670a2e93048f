//! Chunk framing (RFC 9112 section 7.1), read a few bytes at a time wherever calls cut it.

use hippius_common::flow::{Flow, WINDOW_BYTES, phase};
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
}

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
        step::TRAILER => step::TRAILER_LINE,
        step::TRAILER_LINE if byte == b'\n' => step::TRAILER,
        step::TRAILER_LINE => step::TRAILER_LINE,
        step::LAST_LF if byte == b'\n' => return message_ends::<OUT>(flow),
        _ => {
            lose::<OUT>(flow, loss::BAD_CHUNK);
            return true;
        }
    };
    store(&mut side_mut::<OUT>(flow).step, next);
    false
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
