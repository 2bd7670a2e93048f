//! Walks the bytes of one call: copies heads, reads chunk framing, counts the rest.

use hippius_common::flow::{
    FIRST_COPY_BYTES, Flow, MAX_HEAD_BYTES, NEXT_COPY_BYTES, NEXT_COPY_LIMIT, RESPONSE_COPY_BYTES, Side, WINDOW_BYTES,
    flag, phase,
};
use hippius_common::loss::{self, LossReason};

use super::bytes::word_at;
use super::head::bit;
use super::memory::{load, store};
use super::{chunks, head, lose, settle, side, side_mut, start};

/// Chunk-size lines that one step reads.
const CHUNK_LIMIT: u32 = 1;

/// Where the bytes of the call in flight can be read, and where records go.
pub trait Call {
    /// Copies up to `len` bytes at `offset` of the call's bytes into the capture at byte offset `at`, and returns how
    /// many there were without a gap (a scattered buffer may end earlier). `at` is 0 or at most [`NEXT_COPY_LIMIT`].
    fn copy(&mut self, flow: &mut Flow, at: u32, offset: u64, len: u32) -> Result<u32, LossReason>;

    /// Copies up to 32 bytes at `offset` into the window; likewise.
    fn peek(&mut self, flow: &mut Flow, offset: u64, len: u32) -> Result<u32, LossReason>;

    /// Writes the header and the capture to the ring.
    fn emit(&mut self, flow: &mut Flow);

    /// Moves `len` bytes of the capture at `from` to its beginning.
    fn shift(&mut self, flow: &mut Flow, from: u32, len: u32);
}

/// Begins to account for `bytes` accepted by a call that ended at `now_ns`: [`step`] follows until it is done, then
/// [`finish`].
#[inline(always)]
pub fn begin_call<const OUT: bool>(flow: &mut Flow, bytes: u64, now_ns: u64) {
    flow.call_from = side::<OUT>(flow).total;
    flow.call_until = flow.call_from.wrapping_add(bytes);
    flow.call_ns = now_ns;
}

/// Reads one head, or some chunk-size lines, and counts what needs no reading. True when the call is done.
#[inline(always)]
pub fn step<const OUT: bool>(flow: &mut Flow, call: &mut impl Call) -> bool {
    match side::<OUT>(flow).phase {
        phase::HEAD => head_step::<OUT>(flow, call),
        phase::CHUNKED => {
            if OUT && side::<OUT>(flow).want > 0 {
                tail_step(flow, call);
            }
            for _ in 0..CHUNK_LIMIT {
                count_step::<OUT>(flow);
                if left::<OUT>(flow) == 0 || side::<OUT>(flow).phase != phase::CHUNKED {
                    break;
                }
                chunk_step::<OUT>(flow, call);
            }
        }
        _ if OUT && side::<OUT>(flow).want > 0 => tail_step(flow, call),
        _ => {}
    }
    count_step::<OUT>(flow);
    left::<OUT>(flow) == 0 && !is_unscanned::<OUT>(flow)
}

/// The call is done: what waited for its end is emitted.
#[inline(always)]
pub fn finish<const OUT: bool>(flow: &mut Flow, call: &mut impl Call) {
    if left::<OUT>(flow) != 0 {
        lose::<OUT>(flow, loss::TOO_MANY_MESSAGES);
        side_mut::<OUT>(flow).total = flow.call_until;
    }
    side_mut::<OUT>(flow).last_ns = flow.call_ns;
    if OUT && flow.ready != 0 && flow.header.outbound.want == 0 {
        release_response(flow, call);
    }
}

/// Bytes of the call that are not accounted for yet.
#[inline(always)]
fn left<const OUT: bool>(flow: &Flow) -> u64 {
    flow.call_until.wrapping_sub(side::<OUT>(flow).total)
}

/// Offset in the call of the next byte.
#[inline(always)]
fn offset<const OUT: bool>(flow: &Flow) -> u64 {
    side::<OUT>(flow).total.wrapping_sub(flow.call_from)
}

/// Accounts for bytes that cannot be read: fine inside a body, a loss where a head or chunk framing stands.
#[inline(always)]
pub fn skip<const OUT: bool>(flow: &mut Flow, bytes: u64, now_ns: u64, reason: LossReason) {
    let side = side_mut::<OUT>(flow);
    let end = side.total.wrapping_add(bytes);
    let readable = side.phase != phase::HEAD && side.phase != phase::CHUNKED;
    if !readable && end > side.next {
        lose::<OUT>(flow, reason);
    } else if side.phase == phase::BODY && end >= side.next {
        if end > side.next {
            lose::<OUT>(flow, reason);
        } else {
            side.phase = phase::HEAD;
            side.step = 0;
        }
    }
    let side = side_mut::<OUT>(flow);
    side.total = end;
    side.last_ns = now_ns;
    side.want = 0;
}

/// Emits what is captured and empties the capture.
#[inline(always)]
pub fn release(flow: &mut Flow, call: &mut impl Call) {
    let is_ready = core::mem::take(&mut flow.ready) != 0;
    head::content_length::<false>(flow);
    head::content_length::<true>(flow);
    if is_ready || flow.header.in_len != 0 || flow.header.out_len != 0 || flow.header.flags & flag::STREAM_ERROR != 0 {
        call.emit(flow);
    }
    let request_end = flow.header.in_len;
    let response_end = request_end.wrapping_add(flow.header.out_len);
    flow.header.in_len = 0;
    flow.header.out_len = 0;
    leave_line(&mut flow.header.inbound, 0, request_end);
    leave_line(&mut flow.header.outbound, request_end, response_end);
}

/// What stood in the capture from `begin` to `end` is gone, with the beginning of a line that is being read.
#[inline(always)]
fn leave_line(side: &mut Side, begin: u16, end: u16) {
    if side.head_len != 0 && begin != end && side.line != end {
        side.step |= bit::MIDLINE;
    }
    side.scan = 0;
    side.line = 0;
}

/// Emits a response. A pipelined request's line that is only half read stays: it may be one that frames a body. The
/// record carries its beginning too, and the next one repeats it.
#[inline(always)]
fn release_response(flow: &mut Flow, call: &mut impl Call) {
    let line = u32::from(flow.header.inbound.line);
    let rest = u32::from(flow.header.in_len).wrapping_sub(line);
    let midline = flow.header.inbound.step & bit::MIDLINE != 0;
    let stays = flow.header.inbound.head_len != 0 && !midline && rest != 0 && rest <= NEXT_COPY_BYTES;
    release(flow, call);
    if stays {
        call.shift(flow, line, rest);
        flow.header.in_at = flow.header.in_at.wrapping_add(u64::from(line));
        flow.header.in_len = rest as u16;
        flow.header.inbound.step &= !bit::MIDLINE;
        flow.header.inbound.scan = rest as u16;
    }
}

#[inline(always)]
fn head_step<const OUT: bool>(flow: &mut Flow, call: &mut impl Call) {
    let captured = u32::from(flow.header.in_len) + u32::from(flow.header.out_len);
    let (used, copied) = if is_unscanned::<OUT>(flow) { (captured, 0) } else { more_head::<OUT>(flow, call) };
    store(&mut flow.captured_before, used);
    store(&mut flow.captured_now, copied);
    if load(&side::<OUT>(flow).phase) == phase::LOST {
        return;
    }
    let len = load(&flow.captured_before).wrapping_add(load(&flow.captured_now));
    head::scan::<OUT>(flow, len);
    let end = load(&flow.head_end) as u32;
    let used = load(&flow.captured_before);
    let copied = load(&flow.captured_now);
    let scanned = u32::from(side::<OUT>(flow).scan) >= used + copied;
    // What was copied behind the head is not part of it; it may have been copied by an earlier step.
    let surplus = if end == 0 { 0 } else { (used + copied).wrapping_sub(end) };
    let taken = copied.wrapping_sub(surplus);
    let now_ns = flow.call_ns;
    if OUT {
        flow.header.out_len = flow.header.out_len.wrapping_add(taken as u16);
    } else {
        flow.header.in_len = flow.header.in_len.wrapping_add(taken as u16);
    }
    let side = side_mut::<OUT>(flow);
    side.last_ns = now_ns;
    side.head_len = side.head_len.wrapping_add(taken);
    side.total = side.total.wrapping_add(taken as i32 as u64);
    if end != 0 {
        head::content_length::<OUT>(flow);
        let position = side_mut::<OUT>(flow).total;
        settle::head_complete::<OUT>(flow, position);
        if OUT {
            flow.ready = 1;
        }
    } else if scanned && side.head_len > MAX_HEAD_BYTES {
        lose::<OUT>(flow, loss::HEAD_TOO_LONG);
    }
}

/// The capture holds bytes of a head that were not scanned yet.
#[inline(always)]
fn is_unscanned<const OUT: bool>(flow: &Flow) -> bool {
    let side = side::<OUT>(flow);
    let (in_len, out_len) = (u32::from(flow.header.in_len), u32::from(flow.header.out_len));
    // A response is captured behind what there is of a request.
    let (len, end) = if OUT { (out_len, in_len + out_len) } else { (in_len, in_len) };
    side.phase == phase::HEAD && side.head_len != 0 && len != 0 && u32::from(side.scan) < end
}

/// Copies more of a head: (what was captured before, what was added).
#[inline(always)]
fn more_head<const OUT: bool>(flow: &mut Flow, call: &mut impl Call) -> (u32, u32) {
    if side::<OUT>(flow).head_len == 0 {
        begin::<OUT>(flow, call);
    } else if !OUT && flow.header.out_len != 0 {
        release(flow, call);
    }
    make_room::<OUT>(flow, call);
    let at = side::<OUT>(flow).total;
    let used = u32::from(flow.header.in_len) + u32::from(flow.header.out_len);
    if OUT && flow.header.out_len == 0 {
        flow.header.out_at = at;
        // A request may have come into the head.
        let side = side_mut::<OUT>(flow);
        side.scan = used as u16;
        side.line = used as u16;
    }
    if !OUT && flow.header.in_len == 0 {
        flow.header.in_at = at;
    }
    let limit = if OUT && flow.header.out_len == 0 {
        RESPONSE_COPY_BYTES
    } else if used == 0 {
        FIRST_COPY_BYTES
    } else {
        NEXT_COPY_BYTES
    };
    let left = left::<OUT>(flow);
    let len = if left < u64::from(limit) { left as u32 } else { limit };
    match call.copy(flow, used, offset::<OUT>(flow), len) {
        Ok(copied) => (used, copied),
        Err(reason) => {
            unreadable::<OUT>(flow, reason);
            (used, 0)
        }
    }
}

/// A new message begins: whatever else is there to tell goes out first, with the times and totals as they are.
#[inline(always)]
fn begin<const OUT: bool>(flow: &mut Flow, call: &mut impl Call) {
    if OUT && (flow.header.out_len != 0 || flow.header.inbound.head_len != 0 || flow.ready != 0) {
        release_response(flow, call);
    } else if !OUT && (flow.header.in_len != 0 || flow.header.out_len != 0) {
        release(flow, call);
    }
    if OUT {
        flow.header.flags &= !flag::STREAM_ERROR;
    }
    let used = flow.header.in_len;
    let now_ns = flow.call_ns;
    let side = side_mut::<OUT>(flow);
    side.head_at = side.total;
    side.next = side.total;
    side.payload_before = side.payload;
    side.previous_last_ns = side.last_ns;
    side.first_ns = now_ns;
    side.scan = used;
    side.line = used;
    side.step = 0;
    side.length = 0;
    side.length_at = 0;
    side.status = 0;
    side.lost = 0;
}

/// Sends a long head on in parts. The line that is being scanned stays, unless it is too long to matter.
#[inline(always)]
fn make_room<const OUT: bool>(flow: &mut Flow, call: &mut impl Call) {
    let used = u32::from(flow.header.in_len) + u32::from(flow.header.out_len);
    if used <= NEXT_COPY_LIMIT {
        return;
    }
    let line = u32::from(side::<OUT>(flow).line);
    let rest = used.wrapping_sub(line);
    let step = side::<OUT>(flow).step;
    let midline = step & bit::MIDLINE != 0;
    if OUT && rest == 0 {
        release_response(flow, call);
        return;
    }
    if midline || rest == 0 || rest > NEXT_COPY_BYTES || line == 0 {
        // The rest of a line this long frames nothing, but a request's may end in the version.
        if !OUT && !midline && rest != 0 && step & bit::START_LINE == 0 {
            side_mut::<OUT>(flow).step = step | head::method(word_at(&flow.capture, line));
        }
        release(flow, call);
        return;
    }
    let total = side::<OUT>(flow).total;
    if OUT {
        flow.header.out_len = flow.header.out_len.wrapping_sub(rest as u16);
    } else {
        flow.header.in_len = flow.header.in_len.wrapping_sub(rest as u16);
    }
    release(flow, call);
    call.shift(flow, line, rest);
    if OUT {
        flow.header.out_len = rest as u16;
        flow.header.out_at = total.wrapping_sub(u64::from(rest));
    } else {
        flow.header.in_len = rest as u16;
        flow.header.in_at = total.wrapping_sub(u64::from(rest));
    }
    let side = side_mut::<OUT>(flow);
    // The line is whole again. Other bits may be new: the release has read a Content-Length.
    side.step &= !bit::MIDLINE;
    side.scan = rest as u16;
}

/// Captures the beginning of an error response's body. Of a chunked one, a single piece: its framing is captured with it
/// and read again by [`chunk_step`], so nothing is accounted for here.
#[inline(always)]
fn tail_step(flow: &mut Flow, call: &mut impl Call) {
    let used = u32::from(flow.header.in_len) + u32::from(flow.header.out_len);
    let want = u32::from(flow.header.outbound.want);
    let left = left::<true>(flow);
    let len = if left < u64::from(want) { left as u32 } else { want };
    flow.header.outbound.want = 0;
    if used > NEXT_COPY_LIMIT || flow.header.out_len == 0 {
        return;
    }
    let Ok(copied) = call.copy(flow, used, offset::<true>(flow), len) else { return };
    flow.header.out_len = flow.header.out_len.wrapping_add(copied as u16);
    if flow.header.outbound.phase != phase::CHUNKED {
        flow.header.outbound.want = want.wrapping_sub(copied) as u16;
        count::<true>(flow, u64::from(copied));
    }
}

#[inline(always)]
fn chunk_step<const OUT: bool>(flow: &mut Flow, call: &mut impl Call) {
    let left = left::<OUT>(flow);
    let len = if left < u64::from(WINDOW_BYTES) { left as u32 } else { WINDOW_BYTES };
    match call.peek(flow, offset::<OUT>(flow), len) {
        Ok(len) => {
            chunks::read::<OUT>(flow, len);
            side_mut::<OUT>(flow).last_ns = flow.call_ns;
        }
        Err(reason) => unreadable::<OUT>(flow, reason),
    }
}

/// Counts up to the next byte that has to be read.
#[inline(always)]
fn count_step<const OUT: bool>(flow: &mut Flow) {
    let left = left::<OUT>(flow);
    let side = side::<OUT>(flow);
    let until = match side.phase {
        phase::HEAD => 0,
        phase::LOST => left,
        _ if OUT && side.want > 0 => 0,
        _ => side.next.wrapping_sub(side.total),
    };
    count::<OUT>(flow, if until < left { until } else { left });
}

#[inline(always)]
fn count<const OUT: bool>(flow: &mut Flow, bytes: u64) {
    let now_ns = flow.call_ns;
    let side = side_mut::<OUT>(flow);
    if bytes != 0 {
        side.last_ns = now_ns;
    }
    side.total = side.total.wrapping_add(bytes);
    if side.phase == phase::BODY && side.total >= side.next {
        side.phase = phase::HEAD;
        side.step = 0;
        side.want = 0;
    }
}

#[inline(always)]
fn unreadable<const OUT: bool>(flow: &mut Flow, reason: LossReason) {
    lose::<OUT>(flow, reason);
    side_mut::<OUT>(flow).total = flow.call_until;
}

/// Where a stream may be picked up again: the direction has turned, and the side is lost or in the middle of a message.
#[inline(always)]
pub fn resync<const OUT: bool>(flow: &mut Flow, call: &mut impl Call, bytes: u64) {
    let len = if bytes < u64::from(WINDOW_BYTES) { bytes as u32 } else { WINDOW_BYTES };
    let looks = match call.peek(flow, 0, len) {
        Ok(len) if OUT => start::is_response(&flow.window, len),
        Ok(len) => start::is_request(&flow.window, len),
        Err(_) => false,
    };
    settle::resume::<OUT>(flow, looks);
}

#[cfg(test)]
mod tests;
