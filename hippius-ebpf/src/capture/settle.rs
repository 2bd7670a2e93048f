//! What follows a complete head: the message body length of RFC 9112 section 6.3.

use hippius_common::flow::{ERROR_BODY_BYTES, Flow, phase};
use hippius_common::loss;

use super::head::bit;
use super::{chunks, side, side_mut};

/// Most requests in flight on one connection whose method is remembered.
const REMEMBERED: u32 = 64;

/// The head that ends at position `end` is complete.
#[inline(always)]
pub fn head_complete<const OUT: bool>(flow: &mut Flow, end: u64) {
    let side = side_mut::<OUT>(flow);
    side.messages = side.messages.wrapping_add(1);
    side.next = end;
    side.head_len = 0;
    if side.step & bit::NOT_HTTP != 0 {
        opaque(flow);
        side_mut::<OUT>(flow).lost = loss::NOT_HTTP as u16;
    } else if OUT {
        response(flow, end);
    } else {
        request(flow, end);
    }
}

#[inline(always)]
fn request(flow: &mut Flow, end: u64) {
    let step = flow.header.inbound.step;
    if flow.header.outbound.phase == phase::LOST && flow.header.outbound.last_ns >= flow.header.inbound.previous_last_ns
    {
        // What went out since the last request answered it, unseen.
        flow.header.unanswered = 0;
        flow.bodiless = 0;
    }
    if flow.header.unanswered < REMEMBERED {
        let bodiless = step & bit::METHOD_HEAD != 0;
        flow.bodiless |= u64::from(bodiless) << (flow.header.unanswered & (REMEMBERED - 1));
    }
    flow.connect = u16::from(step & bit::METHOD_CONNECT != 0);
    flow.header.unanswered = flow.header.unanswered.wrapping_add(1);
    body::<false>(flow, end, false);
}

#[inline(always)]
fn response(flow: &mut Flow, end: u64) {
    let status = flow.header.outbound.status;
    if status < 200 && status != 101 {
        // Interim; the final response is still to come (RFC 9110 section 15.2).
        begin_head::<true>(flow);
        return;
    }
    let bodiless = flow.bodiless & 1 != 0 || status == 204 || status == 304;
    flow.bodiless >>= 1;
    flow.header.unanswered = flow.header.unanswered.saturating_sub(1);
    // Nothing can follow CONNECT before its response, so it is answered when nothing else waits (RFC 9110 section 9.3.6).
    let tunnel = status < 300 && flow.connect != 0 && flow.header.unanswered == 0;
    if status == 101 || tunnel {
        opaque(flow);
        return;
    }
    body::<true>(flow, end, bodiless);
    let side = &mut flow.header.outbound;
    if status >= 400 && side.phase != phase::HEAD {
        let announced = if side.phase == phase::BODY { side.length } else { ERROR_BODY_BYTES };
        side.want = (if announced < ERROR_BODY_BYTES { announced } else { ERROR_BODY_BYTES }) as u16;
    }
}

#[inline(always)]
fn body<const OUT: bool>(flow: &mut Flow, end: u64, bodiless: bool) {
    let step = side::<OUT>(flow).step;
    let side = side_mut::<OUT>(flow);
    if bodiless {
        begin_head::<OUT>(flow);
    } else if step & bit::CHUNKED != 0 {
        side.phase = phase::CHUNKED;
        side.step = chunks::step::SIZE;
        side.length = 0;
    } else if step & bit::LENGTH != 0 {
        if side.length == 0 {
            begin_head::<OUT>(flow);
        } else {
            side.phase = phase::BODY;
            side.next = end.wrapping_add(side.length);
        }
    } else if OUT {
        side.phase = phase::UNTIL_CLOSE;
        side.next = u64::MAX;
    } else {
        begin_head::<OUT>(flow);
    }
}

#[inline(always)]
fn begin_head<const OUT: bool>(flow: &mut Flow) {
    let side = side_mut::<OUT>(flow);
    side.phase = phase::HEAD;
    side.step = 0;
}

/// From here on the connection speaks something else, in both directions.
#[inline(always)]
pub fn opaque(flow: &mut Flow) {
    for side in [&mut flow.header.inbound, &mut flow.header.outbound] {
        side.phase = phase::OPAQUE;
        side.next = u64::MAX;
        side.want = 0;
    }
}

/// The direction has turned although the side's message is not over: a response without the announced body (HEAD whose
/// request was not seen), or a request behind one that was answered early. Begins a head if the bytes look like it.
#[inline(always)]
pub fn resume<const OUT: bool>(flow: &mut Flow, looks_like_a_head: bool) {
    if looks_like_a_head {
        let side = side_mut::<OUT>(flow);
        side.next = side.total;
        side.want = 0;
        side.head_len = 0;
        begin_head::<OUT>(flow);
    }
}

#[cfg(test)]
mod tests;
