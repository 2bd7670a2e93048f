//! Copies the bytes of a connection that the agent frames: as they pass, call by call.
//!
//! A request's bytes wait in the capture for the response, so that a question and its answer are one record. What is
//! longer than the capture goes out in parts; of a call that takes more runs of programs than there may be, the rest is
//! counted and not copied, but for the last bytes of a response: they tell that it has ended. Positions tell the agent what
//! is missing.

use hippius_common::flow::{FIRST_COPY_BYTES, Flow, NEXT_COPY_BYTES, NEXT_COPY_LIMIT, phase};
use hippius_common::loss::{self, LossReason};

use super::memory::{load, store};
use super::walk::Call;
use super::{side, side_mut};

/// Last bytes of a response that was not copied as a whole. PostgreSQL ends one with `CommandComplete`, whose tag has a few words,
/// and `ReadyForQuery` (<https://www.postgresql.org/docs/current/protocol-message-formats.html>).
const TAIL_BYTES: u32 = 64;

/// From here on all bytes are copied, in both directions.
#[inline(always)]
pub fn begin(flow: &mut Flow) {
    for side in [&mut flow.header.inbound, &mut flow.header.outbound] {
        side.phase = phase::STREAM;
        side.next = u64::MAX;
        side.want = 0;
        side.lost = 0;
        side.head_len = 0;
    }
}

/// A call begins: a request goes into an empty capture, and nothing stands there with a gap behind it.
#[inline(always)]
pub fn begin_call<const OUT: bool>(flow: &mut Flow, call: &mut impl Call) {
    let captured = if OUT { flow.header.out_len } else { flow.header.in_len | flow.header.out_len };
    if captured != 0 {
        release(flow, call);
    }
}

/// Copies what one run may. True when the call is done.
#[inline(always)]
pub fn step<const OUT: bool>(flow: &mut Flow, call: &mut impl Call) -> bool {
    if u32::from(flow.header.in_len) + u32::from(flow.header.out_len) > NEXT_COPY_LIMIT {
        release(flow, call);
    }
    let used = u32::from(flow.header.in_len) + u32::from(flow.header.out_len);
    let at = side::<OUT>(flow).total;
    if OUT && flow.header.out_len == 0 {
        flow.header.out_at = at;
    }
    if !OUT && flow.header.in_len == 0 {
        flow.header.in_at = at;
    }
    let limit = if used == 0 { FIRST_COPY_BYTES } else { NEXT_COPY_BYTES };
    let left = flow.call_until.wrapping_sub(at);
    let len = if left < u64::from(limit) { left as u32 } else { limit };
    let offset = at.wrapping_sub(flow.call_from);
    let copied = match call.copy(flow, used, offset, len) {
        Ok(copied) => copied,
        Err(reason) => {
            side_mut::<OUT>(flow).lost = reason as u16;
            return true;
        }
    };
    store(&mut flow.captured_now, copied);
    let copied = load(&flow.captured_now);
    if OUT {
        flow.header.out_len = flow.header.out_len.wrapping_add(copied as u16);
    } else {
        flow.header.in_len = flow.header.in_len.wrapping_add(copied as u16);
    }
    let now_ns = flow.call_ns;
    let side = side_mut::<OUT>(flow);
    side.total = side.total.wrapping_add(u64::from(copied));
    side.last_ns = now_ns;
    side.total == flow.call_until || copied == 0
}

/// The call is over: an answer goes out, and whatever could not be copied is counted. Returns why there is such, if
/// it is not that the call was long.
#[inline(always)]
pub fn finish<const OUT: bool>(flow: &mut Flow, call: &mut impl Call) -> LossReason {
    let (until, now_ns) = (flow.call_until, flow.call_ns);
    let side = side_mut::<OUT>(flow);
    let missing = until.wrapping_sub(side.total);
    let lost = side.loss();
    side.lost = 0;
    side.last_ns = now_ns;
    if OUT && lost == loss::NONE && missing != 0 {
        release(flow, call);
        tail(flow, call, if missing < u64::from(TAIL_BYTES) { missing as u32 } else { TAIL_BYTES });
    }
    side_mut::<OUT>(flow).total = until;
    if OUT || missing != 0 {
        release(flow, call);
    }
    lost
}

/// Copies the end of a response into the empty capture.
#[inline(always)]
fn tail(flow: &mut Flow, call: &mut impl Call, len: u32) {
    let at = flow.call_until.wrapping_sub(u64::from(len));
    flow.header.out_at = at;
    let offset = at.wrapping_sub(flow.call_from);
    let Ok(copied) = call.copy(flow, 0, offset, len) else { return };
    store(&mut flow.captured_now, copied);
    flow.header.out_len = load(&flow.captured_now) as u16;
}

#[inline(always)]
fn release(flow: &mut Flow, call: &mut impl Call) {
    if flow.header.in_len != 0 || flow.header.out_len != 0 {
        call.emit(flow);
    }
    flow.header.in_len = 0;
    flow.header.out_len = 0;
}

#[cfg(test)]
mod tests;
