//! Chunk framing in the kernel core against a plain decoder, however calls cut it: the message ends at the same place,
//! with as much payload, or the framing is given up by both.
//!
//! Input: two bytes that say how calls cut the body, then the body.
#![no_main]

use hippius_common::flow::{Flow, WINDOW_BYTES, phase};
use hippius_ebpf::capture::{chunks, side, side_mut};
use hippius_fuzz::call::new_flow;
use hippius_fuzz::pieces::Pieces;
use libfuzzer_sys::fuzz_target;
use zerocopy::IntoBytes;

fuzz_target!(|bytes: &[u8]| {
    let Some((&[seed, size], body)) = bytes.split_first_chunk() else { return };
    let Some(expected) = reference(body) else { return };
    assert_eq!(core::<false>(body, Pieces::new(seed, size)), expected);
    assert_eq!(core::<true>(body, Pieces::new(seed, size)), expected);
});

/// What becomes of a body.
#[derive(Debug, PartialEq)]
enum Outcome {
    /// It ends at a position, with so much payload.
    Ends(usize, u64),
    /// It goes on; so much payload was announced.
    GoesOn(u64),
    /// It is not chunked.
    Wrong,
}

/// The core, called as `walk` calls it: skips to `next`, then reads through the window.
fn core<const OUT: bool>(body: &[u8], mut pieces: Pieces) -> Outcome {
    let mut flow = new_flow();
    side_mut::<OUT>(&mut flow).phase = phase::CHUNKED;
    let mut call_end = 0;
    while call_end < body.len() {
        call_end = call_end.saturating_add(pieces.next_len()).min(body.len());
        while let Some(at) = next::<OUT>(&mut flow, call_end) {
            let len = (call_end - at).min(WINDOW_BYTES as usize);
            flow.window.as_mut_bytes()[..len].copy_from_slice(&body[at..at + len]);
            chunks::read::<OUT>(&mut flow, len as u32);
            let read = side::<OUT>(&flow).total as usize - at;
            assert!((1..=len).contains(&read), "{read} of {len} bytes read");
            match side::<OUT>(&flow).phase {
                phase::HEAD => return Outcome::Ends(at + read, side::<OUT>(&flow).payload),
                phase::LOST => return Outcome::Wrong,
                _ => {}
            }
        }
    }
    Outcome::GoesOn(side::<OUT>(&flow).payload)
}

/// Counts chunk data; gives the position of the framing that follows, if the call goes so far.
fn next<const OUT: bool>(flow: &mut Flow, call_end: usize) -> Option<usize> {
    let side = side_mut::<OUT>(flow);
    side.total = side.next.min(call_end as u64);
    (side.total < call_end as u64).then_some(side.total as usize)
}

/// Bodies whose sizes need more than 60 bits are nobody's: `None`. A bare line feed ends a line, a size line without a
/// digit says 0, and what stands behind a size is up to its line's end an extension.
fn reference(body: &[u8]) -> Option<Outcome> {
    let mut payload = 0u64;
    let mut at = 0;
    loop {
        let digits = body[at..].iter().take_while(|byte| byte.is_ascii_hexdigit()).count();
        let significant = body[at..at + digits].iter().skip_while(|byte| **byte == b'0').count();
        if significant > 15 || digits > 64 {
            return None;
        }
        let text = std::str::from_utf8(&body[at..at + digits]).ok()?;
        let size = if digits == 0 { 0 } else { u64::from_str_radix(text, 16).ok()? };
        at += digits;
        let line = match body.get(at..)? {
            [] | [b'\r'] => return Some(Outcome::GoesOn(payload)),
            [b'\r', b'\n', ..] => 2,
            [b'\n', ..] => 1,
            [b';' | b' ' | b'\t', rest @ ..] => match rest.iter().position(|byte| *byte == b'\n') {
                Some(end) => end + 2,
                None => return Some(Outcome::GoesOn(payload)),
            },
            _ => return Some(Outcome::Wrong),
        };
        at += line;
        if size == 0 {
            return Some(trailers(body, at, payload));
        }
        payload = payload.checked_add(size)?;
        let Some(after) = usize::try_from(size).ok().and_then(|size| body.get(at.checked_add(size)?..)) else {
            return Some(Outcome::GoesOn(payload));
        };
        match after {
            [] | [b'\r'] => return Some(Outcome::GoesOn(payload)),
            [b'\r', b'\n', ..] => at = body.len() - after.len() + 2,
            _ => return Some(Outcome::Wrong),
        }
    }
}

/// Lines up to the empty one.
fn trailers(body: &[u8], mut at: usize, payload: u64) -> Outcome {
    loop {
        match &body[at..] {
            [b'\n', ..] => return Outcome::Ends(at + 1, payload),
            [b'\r', b'\n', ..] => return Outcome::Ends(at + 2, payload),
            [] | [b'\r'] => return Outcome::GoesOn(payload),
            [b'\r', ..] => return Outcome::Wrong,
            line => match line.iter().position(|byte| *byte == b'\n') {
                Some(end) => at += end + 1,
                None => return Outcome::GoesOn(payload),
            },
        }
    }
}
