//! One call on a socket whose framing is followed.

use core::intrinsics::{AtomicOrdering, atomic_xadd};

use hippius_common::flow::{Flow, MAX_TRIES, flag, kind, phase};
use hippius_common::loss;
use hippius_ebpf::capture::memory::{load, store};
use hippius_ebpf::capture::walk::{begin_call, finish, resync, skip, step};
use hippius_ebpf::capture::{settle, side, side_mut};

use super::{find, publish, uncounted};
use crate::call::BufferCall;
use crate::emit;
use crate::kernel::clock;
use crate::kernel::fields::TCP_COPIED_SEQ;
use crate::kernel::socket::Socket;
use crate::kernel::user_buffer::UserBuffer;
use crate::origin::Origin;

/// [`Flow::direction`]: the last bytes were a request's.
pub const IN: u16 = 1;
/// They were a response's.
pub const OUT_DIRECTION: u16 = 2;

/// `bytes` were accepted by a call. True when there is more to read than one run of a program may: [`go_on`] follows.
#[inline(always)]
pub fn account_on<const OUT: bool, const SEND: bool>(
    socket: Socket,
    flow: &mut Flow,
    origin: impl Origin,
    bytes: u64,
) -> bool {
    let turned = turns::<OUT, SEND>(socket, flow, bytes);
    let side = side::<OUT>(flow);
    let resumable = turned && may_resume::<OUT>(flow);
    let counting = side.phase != phase::HEAD && side.want == 0 && side.next > side.total.wrapping_add(bytes);
    if !resumable && (counting || side.phase == phase::LOST) {
        count::<OUT, SEND>(flow, bytes);
        return false;
    }
    if !prepare::<OUT, SEND>(socket, flow, origin, bytes) {
        return false;
    }
    if resumable {
        resync::<OUT>(flow, &mut BufferCall { buffer: UserBuffer::load(flow) }, bytes);
    }
    true
}

/// Notes the direction of a call, and what was received without one. True if the last call went the other way.
#[inline(always)]
pub fn turns<const OUT: bool, const SEND: bool>(socket: Socket, flow: &mut Flow, bytes: u64) -> bool {
    let direction = if OUT { OUT_DIRECTION } else { IN };
    let turned = flow.direction != direction;
    if !SEND {
        account_unseen::<OUT>(socket, flow, bytes);
    } else if turned {
        received_unseen(socket, flow);
    }
    flow.direction = direction;
    turned
}

/// Counts bytes that need no reading.
///
/// In the middle of a message the time is read once in a tick: the call that ends the message reads it again. Only one that
/// is broken off seems to end up to a tick too early.
#[inline(always)]
fn count<const OUT: bool, const SEND: bool>(flow: &mut Flow, bytes: u64) {
    let has_end = matches!(side::<OUT>(flow).phase, phase::BODY | phase::CHUNKED);
    let tick = clock::tick();
    if tick != flow.tick || !has_end {
        flow.tick = tick;
        flow.tick_ns = clock::now();
    }
    let tick_ns = flow.tick_ns;
    let side = side_mut::<OUT>(flow);
    side.total = side.total.wrapping_add(bytes);
    if tick_ns > side.last_ns {
        side.last_ns = tick_ns;
    }
    flow.header.version = flow.header.version.wrapping_add(2);
    uncounted::tell_counted::<OUT>(flow);
    close_late::<SEND>(flow);
}

#[inline(always)]
fn received_unseen(socket: Socket, flow: &mut Flow) {
    if super::is_client_side(flow) {
        account_unseen::<true>(socket, flow, 0);
    } else {
        account_unseen::<false>(socket, flow, 0);
    }
}

/// Bytes that left the receive queue without a hook (splice, zero-copy receive, out-of-band data).
#[inline(always)]
fn account_unseen<const OUT: bool>(socket: Socket, flow: &mut Flow, seen: u64) {
    let tcp = socket.tcp();
    if tcp.is_null() {
        return;
    }
    let expected = flow.copied_seq.wrapping_add(seen as u32);
    if tcp.read::<u32>(&TCP_COPIED_SEQ) == expected {
        flow.copied_seq = expected;
        return;
    }
    let counters = socket.counters(tcp);
    let mut unseen = counters.copied_seq.wrapping_sub(expected);
    if counters.fin_read && flow.header.flags & flag::FIN_READ == 0 {
        flow.header.flags |= flag::FIN_READ;
        unseen = unseen.wrapping_sub(1);
    }
    flow.copied_seq = counters.copied_seq;
    if unseen != 0 && unseen < 1 << 31 {
        skip::<OUT>(flow, u64::from(unseen), clock::now(), loss::SPLICED);
    }
}

/// The direction has turned: may a message begin although the last one is not over?
#[inline(always)]
pub fn may_resume<const OUT: bool>(flow: &Flow) -> bool {
    let side = side::<OUT>(flow);
    match side.phase {
        phase::LOST => true,
        phase::BODY | phase::CHUNKED => OUT || flow.header.unanswered == 0,
        phase::UNTIL_CLOSE => true,
        _ => false,
    }
}

/// Prepares the reading of a call; [`go_on`] does it. In a program of its own, so that the verifier walks it once and not
/// once more for each way that leads there.
#[inline(always)]
pub fn prepare<const OUT: bool, const SEND: bool>(
    socket: Socket,
    flow: &mut Flow,
    origin: impl Origin,
    bytes: u64,
) -> bool {
    let now_ns = clock::now();
    if !enter(flow) {
        emit::count_loss(loss::CONTENDED);
        skip::<OUT>(flow, bytes, now_ns, loss::CONTENDED);
        close_late::<SEND>(flow);
        return false;
    }
    flow.header.version = flow.header.version.wrapping_add(1);
    flow.lost_before = u16::from(side::<OUT>(flow).phase == phase::LOST);
    begin_call::<OUT>(flow, bytes, now_ns);
    match origin.buffer(socket, flow, bytes) {
        Ok(buffer) => {
            buffer.store(flow);
            true
        }
        Err(reason) => {
            skip::<OUT>(flow, bytes, now_ns, reason);
            leave_call::<OUT, SEND>(flow);
            false
        }
    }
}

/// The connection ended in the middle of this call, whose bytes are counted now.
#[inline(always)]
pub fn close_late<const SEND: bool>(flow: &mut Flow) {
    if SEND && flow.header.flags & flag::CLOSING != 0 {
        flow.header.flags &= !flag::CLOSING;
        publish(flow, kind::CLOSE);
    }
}

/// Reads on where [`account_on`] or the last run stopped. True when there is still more.
#[inline(always)]
pub fn go_on<const OUT: bool, const SEND: bool>(socket: Socket) -> bool {
    let Some(flow) = find(socket) else { return false };
    let mut call = BufferCall { buffer: UserBuffer::load(flow) };
    if !step::<OUT>(flow, &mut call) {
        return true;
    }
    end::<OUT, SEND>(flow);
    false
}

/// Ends a call that took several runs, or more than are allowed.
#[inline(always)]
pub fn end_call<const OUT: bool, const SEND: bool>(socket: Socket) {
    if let Some(flow) = find(socket) {
        end::<OUT, SEND>(flow);
    }
}

#[inline(always)]
fn end<const OUT: bool, const SEND: bool>(flow: &mut Flow) {
    let mut call = BufferCall { buffer: UserBuffer::load(flow) };
    finish::<OUT>(flow, &mut call);
    leave_call::<OUT, SEND>(flow);
}

/// A call is over; its connection may be too.
#[inline(always)]
pub fn leave_call<const OUT: bool, const SEND: bool>(flow: &mut Flow) {
    uncounted::tell::<OUT>(flow);
    leave::<OUT>(flow);
    close_late::<SEND>(flow);
}

/// Takes the flow for this program, unless another has it. Two that come in the same moment may both be sent away.
///
/// Adding is the one atomic instruction that kernels before 5.12 take, and it does not return the value. So `entered`
/// counts those who hold or have held the flow and those who try; `left` counts those who gave it back. If nothing but
/// the own attempt was added since `left` was read, nobody holds the flow, and all who come later see this attempt.
#[inline(always)]
pub fn enter(flow: &mut Flow) -> bool {
    let left = load(&flow.left);
    add(&mut flow.entered, 1);
    if load(&flow.entered) == left.wrapping_add(1) {
        return true;
    }
    add(&mut flow.entered, u64::MAX);
    false
}

#[inline(always)]
fn add(word: &mut u64, value: u64) {
    // SAFETY: a word of the flow, which outlives this program's run. Relaxed is what makes it the plain instruction;
    // on x86-64 it is a full barrier nevertheless.
    unsafe { atomic_xadd::<u64, u64, { AtomicOrdering::Relaxed }>(word, value) };
}

/// Gives the flow back.
#[inline(always)]
pub fn leave<const OUT: bool>(flow: &mut Flow) {
    if side::<OUT>(flow).phase == phase::LOST {
        flow.tries += 1;
        if flow.lost_before == 0 {
            emit::count_loss(side::<OUT>(flow).loss());
        }
    }
    flow.header.version = flow.header.version.wrapping_add(1);
    give_back(flow);
    if flow.tries > MAX_TRIES && flow.header.inbound.messages == 0 {
        settle::opaque(flow);
    }
}

/// What [`enter`] took.
#[inline(always)]
pub fn give_back(flow: &mut Flow) {
    // A plain store: on x86-64 all that was written to the flow is visible before it is (total store order), and a locked
    // one would wait until all that was written to the ring is.
    let left = load(&flow.left);
    store(&mut flow.left, left.wrapping_add(1));
}

/// Accounts for what was read without a hook, before the flow ends.
#[inline(always)]
pub fn settle_unseen(socket: Socket, flow: &mut Flow) {
    let last_ns = flow.header.inbound.last_ns;
    received_unseen(socket, flow);
    if flow.header.inbound.total == 0 {
        flow.header.inbound.last_ns = last_ns;
    }
}
