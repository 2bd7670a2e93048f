//! Finds the end of a head and the few fields that frame what follows (RFC 9112 sections 6.1 and 6.2).

use hippius_common::flow::Flow;

use super::bytes::{LOWER, ascii, byte, first_of, newlines, word, word_at};
use super::memory::{load, store};
use super::{side, side_mut};

/// Bits of `Side::step` while a head is read.
pub mod bit {
    /// The start line was read.
    pub const START_LINE: u16 = 1;
    /// `Transfer-Encoding: chunked`.
    pub const CHUNKED: u16 = 2;
    /// `Content-Length` was read.
    pub const LENGTH: u16 = 4;
    /// The beginning of the line being scanned has left the buffer.
    pub const MIDLINE: u16 = 8;
    /// The method is HEAD.
    pub const METHOD_HEAD: u16 = 16;
    /// The method is CONNECT.
    pub const METHOD_CONNECT: u16 = 32;
    /// The start line is none of HTTP/1.
    pub const NOT_HTTP: u16 = 64;
}

/// Iterations of one scan; a longer head is scanned in several steps.
const SCAN_LIMIT: u32 = 60;
/// Words that one iteration looks at.
const WORDS_AT_ONCE: u32 = 4;

/// Scans the capture up to `len`, from where it stopped last time. Sets `Flow::head_end` behind the head's closing empty
/// line, or to 0 when that is not found: the head goes on, or the scan, if `Side::scan` is still below `len`.
#[inline(always)]
pub fn scan<const OUT: bool>(flow: &mut Flow, len: u32) {
    store(&mut flow.head_end, 0);
    for _ in 0..SCAN_LIMIT {
        let at = u32::from(load(&side::<OUT>(flow).scan));
        if at >= len {
            break;
        }
        let mut begin = at & !7;
        let mut found = newlines(word(&flow.capture, at >> 3)) & (u64::MAX << ((at & 7) * 8));
        // Most lines end within these.
        for _ in 1..WORDS_AT_ONCE {
            if found == 0 {
                begin += 8;
                found = newlines(word(&flow.capture, begin >> 3));
            }
        }
        if found == 0 {
            let next = begin + 8;
            store(&mut side_mut::<OUT>(flow).scan, if next < len { next } else { len } as u16);
            continue;
        }
        let end = begin + first_of(found);
        if end >= len {
            store(&mut side_mut::<OUT>(flow).scan, len as u16);
            break;
        }
        line_ends::<OUT>(flow, end);
        let side = side_mut::<OUT>(flow);
        store(&mut side.scan, (end + 1) as u16);
        store(&mut side.line, (end + 1) as u16);
        if load(&flow.head_end) != 0 {
            break;
        }
    }
}

/// Reads the line that ends before the line feed at `end`; the empty one closes the head.
#[inline(always)]
fn line_ends<const OUT: bool>(flow: &mut Flow, end: u32) {
    let line = u32::from(load(&side::<OUT>(flow).line));
    let step = load(&side::<OUT>(flow).step);
    let first = word_at(&flow.capture, line);
    let len = end.wrapping_sub(line);
    if step & bit::MIDLINE != 0 {
        let start_line = if step & bit::START_LINE == 0 { long_start_line::<OUT>(flow, end) } else { 0 };
        store(&mut side_mut::<OUT>(flow).step, (step & !bit::MIDLINE) | start_line);
    } else if len == 0 || (len == 1 && first as u8 == b'\r') {
        // An empty line before the start line is to be ignored (RFC 9112 section 2.2).
        if step & bit::START_LINE != 0 {
            store(&mut flow.head_end, u64::from(end) + 1);
        }
    } else if step & bit::START_LINE == 0 {
        start_line::<OUT>(flow, first, line, end);
    } else {
        field::<OUT>(flow, first, line, end);
    }
}

#[inline(always)]
fn field<const OUT: bool>(flow: &mut Flow, first: u64, line: u32, end: u32) {
    let first = first | LOWER;
    if first != CONTENT && first != TRANSFER {
        return;
    }
    let second = word_at(&flow.capture, line + 8) | LOWER;
    if first == CONTENT && second & SEVEN == LENGTH {
        // Read when the head is complete: a loop in this loop would be walked by the verifier line for line. The value
        // ends before a control character, so its end need not be kept.
        store(&mut side_mut::<OUT>(flow).length_at, (line + 15) as u16);
    } else if first == TRANSFER && second == ENCODIN {
        transfer_encoding::<OUT>(flow, line + 16, end);
    }
}

const CONTENT: u64 = ascii(b"content-");
const LENGTH: u64 = ascii(b"length:\0");
const SEVEN: u64 = 0x00ff_ffff_ffff_ffff;
const TRANSFER: u64 = ascii(b"transfer");
const ENCODIN: u64 = ascii(b"-encodin");
const HTTP_1: u64 = ascii(b"http/1.\0");

#[inline(always)]
fn start_line<const OUT: bool>(flow: &mut Flow, first: u64, line: u32, end: u32) {
    let mut step = load(&side::<OUT>(flow).step) | bit::START_LINE;
    if OUT {
        if (first | LOWER) & SEVEN != HTTP_1 {
            step |= bit::NOT_HTTP;
        }
        let code = word_at(&flow.capture, line + 9);
        let status = digit(code) * 100 + digit(code >> 8) * 10 + digit(code >> 16);
        store(&mut side_mut::<OUT>(flow).status, status as u16);
    } else {
        if !ends_with_version(flow, end) {
            step |= bit::NOT_HTTP;
        }
        step |= method(first);
    }
    store(&mut side_mut::<OUT>(flow).step, step);
}

/// Bits for the end of a start line whose beginning has left the buffer: a request with a target of some 1.5 kB. A
/// status line is never so long.
#[inline(always)]
fn long_start_line<const OUT: bool>(flow: &Flow, end: u32) -> u16 {
    // Of a version that was cut in two, nothing is left to compare.
    if !OUT && (end < 9 || ends_with_version(flow, end)) { bit::START_LINE } else { bit::START_LINE | bit::NOT_HTTP }
}

/// "HTTP/1.1" before CR LF, or before a bare LF.
#[inline(always)]
fn ends_with_version(flow: &Flow, end: u32) -> bool {
    let version = word_at(&flow.capture, end.wrapping_sub(9)) | LOWER;
    let bare = word_at(&flow.capture, end.wrapping_sub(8)) | LOWER;
    version & SEVEN == HTTP_1 || bare & SEVEN == HTTP_1
}

/// Bits for the methods whose responses have no body, from a request's first eight bytes.
#[inline(always)]
pub fn method(first: u64) -> u16 {
    if first & 0xff_ffff_ffff == ascii(b"HEAD \0\0\0") {
        bit::METHOD_HEAD
    } else if first == ascii(b"CONNECT ") {
        bit::METHOD_CONNECT
    } else {
        0
    }
}

#[inline(always)]
fn digit(word: u64) -> u32 {
    (word as u8).wrapping_sub(b'0') as u32 % 10
}

/// Reads the number of the Content-Length field; what is no number leaves the field unread. Called before the capture
/// is emptied.
#[inline(always)]
pub fn content_length<const OUT: bool>(flow: &mut Flow) {
    let from = u32::from(side::<OUT>(flow).length_at);
    if from == 0 {
        return;
    }
    side_mut::<OUT>(flow).length_at = 0;
    side_mut::<OUT>(flow).length = 0;
    for offset in 0..32 {
        let byte = byte(&flow.capture, from + offset);
        let value = u64::from(byte.wrapping_sub(b'0'));
        if value < 10 {
            let side = side_mut::<OUT>(flow);
            let length = load(&side.length).wrapping_mul(10).wrapping_add(value);
            store(&mut side.length, length);
            let step = load(&side.step) | bit::LENGTH;
            store(&mut side.step, step);
        } else if byte != b' ' && byte != b'\t' {
            break;
        }
    }
}

/// `chunked` frames the body; `identity` (RFC 2616) does not.
#[inline(always)]
fn transfer_encoding<const OUT: bool>(flow: &mut Flow, from: u32, end: u32) {
    let (last, colon) = (byte(&flow.capture, from) | 0x20, byte(&flow.capture, from + 1));
    let value = byte(&flow.capture, from + 2);
    let value = if value == b' ' { byte(&flow.capture, from + 3) } else { value };
    if from + 3 < end && last == b'g' && colon == b':' && value | 0x20 != b'i' {
        let step = load(&side::<OUT>(flow).step) | bit::CHUNKED;
        store(&mut side_mut::<OUT>(flow).step, step);
    }
}

#[cfg(test)]
mod tests;
