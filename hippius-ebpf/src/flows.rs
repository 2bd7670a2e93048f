//! From a hook's arguments to the capture core: which sockets are watched, their state, and one call of each.

use core::intrinsics::{AtomicOrdering, atomic_xadd};

use aya_ebpf::helpers::generated::{bpf_get_current_pid_tgid, bpf_ktime_get_ns};
use hippius_common::flow::{Flow, MAX_TRIES, flag, kind, phase};
use hippius_common::loss;
use hippius_ebpf::capture::memory::{load, store};
use hippius_ebpf::capture::walk::{begin_call, finish, resync, skip, step};
use hippius_ebpf::capture::{lose, settle, side, start};

use crate::call::BufferCall;
use crate::emit;
use crate::kernel::fields::{Kernel, TCP_COPIED_SEQ};
use crate::kernel::socket::Socket;
use crate::kernel::user_buffer::{UserBuffer, copy};
use crate::maps::{PORT_WORDS, PORTS};
use crate::origin::Origin;
use crate::storage::{self, interest};

const IN: u16 = 1;
const OUT_DIRECTION: u16 = 2;

/// Whether sockets with this local port are watched.
#[inline(always)]
pub fn is_watched(port: u16) -> bool {
    let Some(words) = PORTS.get(0) else { return false };
    words[usize::from(port >> 6) & (PORT_WORDS - 1)] >> (port & 63) & 1 != 0
}

/// Whether bytes that a call has sent are watched. The connection may have ended in the middle of that call, and has given
/// its port back then.
#[inline(always)]
pub fn is_send_watched(socket: Socket) -> bool {
    is_watched(socket.local_port())
        || (socket.has_no_port() && find(socket).is_some_and(|flow| flow.header.flags & flag::CLOSING != 0))
}

/// Watches a port from now on.
#[inline(always)]
pub fn watch(port: u16) {
    if let Some(words) = PORTS.get_ptr_mut(0) {
        // SAFETY: the index is masked to the array. Two ports of one word that begin to listen in the same moment are
        // told apart again by the agent's own look at the listening sockets.
        unsafe { (*words)[usize::from(port >> 6) & (PORT_WORDS - 1)] |= 1 << (port & 63) };
    }
}

/// The state of a watched socket.
#[inline(always)]
pub fn find(socket: Socket) -> Option<&'static mut Flow> {
    storage::flow(socket)
}

/// `bytes` were accepted by a call on `socket` in the given direction. True when there is more to read than one run of a
/// program may: [`go_on`] follows.
#[inline(always)]
pub fn account<const OUT: bool>(socket: Socket, origin: impl Origin, bytes: u64) -> bool {
    if let Some(flow) = find(socket) {
        return account_on::<OUT>(socket, flow, origin, bytes);
    }
    if !first_seen::<OUT>(socket, origin, bytes) {
        return false;
    }
    let Some(flow) = find(socket) else { return false };
    account_on::<OUT>(socket, flow, origin, bytes)
}

#[inline(always)]
fn account_on<const OUT: bool>(socket: Socket, flow: &mut Flow, origin: impl Origin, bytes: u64) -> bool {
    // SAFETY: no precondition.
    let now_ns = unsafe { bpf_ktime_get_ns() };
    let direction = if OUT { OUT_DIRECTION } else { IN };
    let turned = flow.direction != direction;
    if !OUT || turned {
        account_unseen(socket, flow, if OUT { 0 } else { bytes }, now_ns);
    }
    flow.direction = direction;
    let side = side::<OUT>(flow);
    let resumable = turned && may_resume::<OUT>(flow);
    let counting = side.phase != phase::HEAD && side.want == 0 && side.next > side.total.wrapping_add(bytes);
    if !resumable && (counting || side.phase == phase::LOST) {
        let side = hippius_ebpf::capture::side_mut::<OUT>(flow);
        side.total = side.total.wrapping_add(bytes);
        side.last_ns = now_ns;
        flow.header.version = flow.header.version.wrapping_add(2);
        close_late::<OUT>(flow);
        return false;
    }
    read_heads::<OUT>(socket, flow, origin, bytes, now_ns, resumable)
}

/// Bytes that left the receive queue without a hook (splice, zero-copy receive, out-of-band data).
#[inline(always)]
fn account_unseen(socket: Socket, flow: &mut Flow, seen: u64, now_ns: u64) {
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
        skip::<false>(flow, u64::from(unseen), now_ns, loss::SPLICED);
    }
}

/// The direction has turned: may a message begin although the last one is not over?
#[inline(always)]
fn may_resume<const OUT: bool>(flow: &Flow) -> bool {
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
fn read_heads<const OUT: bool>(
    socket: Socket,
    flow: &mut Flow,
    origin: impl Origin,
    bytes: u64,
    now_ns: u64,
    resumable: bool,
) -> bool {
    if !enter(flow) {
        skip::<OUT>(flow, bytes, now_ns, loss::CONTENDED);
        emit::count_loss(loss::CONTENDED);
        close_late::<OUT>(flow);
        return false;
    }
    flow.header.version = flow.header.version.wrapping_add(1);
    flow.lost_before = u16::from(side::<OUT>(flow).phase == phase::LOST);
    begin_call::<OUT>(flow, bytes, now_ns);
    match origin.buffer(socket, flow, bytes) {
        Ok(buffer) => {
            buffer.store(flow);
            if resumable {
                resync::<OUT>(flow, &mut BufferCall { buffer }, bytes);
            }
            true
        }
        Err(reason) => {
            skip::<OUT>(flow, bytes, now_ns, reason);
            leave::<OUT>(flow);
            close_late::<OUT>(flow);
            false
        }
    }
}

/// The connection ended in the middle of this call, whose bytes are counted now.
#[inline(always)]
fn close_late<const OUT: bool>(flow: &mut Flow) {
    if OUT && flow.header.flags & flag::CLOSING != 0 {
        flow.header.flags &= !flag::CLOSING;
        publish(flow, kind::CLOSE);
    }
}

/// Emits the flow as it stands, with what was captured.
#[inline(always)]
pub fn publish(flow: &mut Flow, kind: u16) {
    flow.header.kind = kind;
    emit::record(flow);
    flow.ready = 0;
    flow.header.in_len = 0;
    flow.header.out_len = 0;
}

/// Reads on where [`account`] or the last [`go_on`] stopped. True when there is still more.
#[inline(always)]
pub fn go_on<const OUT: bool>(socket: Socket) -> bool {
    let Some(flow) = find(socket) else { return false };
    let mut call = BufferCall { buffer: UserBuffer::load(flow) };
    if !step::<OUT>(flow, &mut call) {
        return true;
    }
    end::<OUT>(flow);
    false
}

/// Ends a call that took several runs, or more than are allowed.
#[inline(always)]
pub fn end_call<const OUT: bool>(socket: Socket) {
    if let Some(flow) = find(socket) {
        end::<OUT>(flow);
    }
}

#[inline(always)]
fn end<const OUT: bool>(flow: &mut Flow) {
    let mut call = BufferCall { buffer: UserBuffer::load(flow) };
    finish::<OUT>(flow, &mut call);
    leave::<OUT>(flow);
    close_late::<OUT>(flow);
}

/// Takes the flow for this program, unless another has it. Two that come in the same moment may both be sent away.
///
/// Adding is the one atomic instruction that kernels before 5.12 take, and it does not return the value. So `entered`
/// counts those who hold or have held the flow and those who try; `left` counts those who gave it back. If nothing but
/// the own attempt was added since `left` was read, nobody holds the flow, and all who come later see this attempt.
#[inline(always)]
fn enter(flow: &mut Flow) -> bool {
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

#[inline(always)]
fn leave<const OUT: bool>(flow: &mut Flow) {
    if side::<OUT>(flow).phase == phase::LOST {
        flow.tries += 1;
        if flow.lost_before == 0 {
            emit::count_loss(side::<OUT>(flow).loss());
        }
    }
    flow.header.version = flow.header.version.wrapping_add(1);
    // A plain store: on x86-64 all that was written to the flow is visible before it is (total store order), and a locked
    // one would wait until all that was written to the ring is.
    let left = load(&flow.left);
    store(&mut flow.left, left.wrapping_add(1));
    if flow.tries > MAX_TRIES && flow.header.inbound.messages == 0 {
        settle::opaque(flow);
    }
}

/// A connection on a watched port was just accepted by the kernel: its bytes are counted from the first one.
#[inline(always)]
pub fn born(socket: Socket) {
    storage::set_interest(socket, interest::BORN);
}

/// Whether the socket was found to be of no interest.
#[inline(always)]
pub fn is_ignored(socket: Socket) -> bool {
    storage::interest(socket) == interest::NONE
}

/// A socket with a watched port moves bytes for the first time since the agent runs.
/// True when it has a flow from now on.
#[inline(never)]
fn first_seen<const OUT: bool>(socket: Socket, origin: impl Origin, bytes: u64) -> bool {
    let interest = storage::interest(socket);
    if interest == interest::NONE || !socket.is_tcp() {
        return false;
    }
    let tcp = socket.tcp();
    if tcp.is_null() {
        return false;
    }
    let counters = socket.counters(tcp);
    let before_in = if OUT { counters.read } else { counters.read.wrapping_sub(bytes) };
    let before_out = if OUT { counters.accepted.wrapping_sub(bytes) } else { counters.accepted };
    let fresh = interest == interest::BORN || (before_in == 0 && before_out <= 1);
    let mut readable = false;
    if fresh && before_in == 0 {
        match first_bytes::<OUT>(socket, origin, bytes) {
            Some(result) => readable = result,
            None => {
                ignore(socket);
                return false;
            }
        }
    }
    let Some(flow) = storage::create_flow(socket) else {
        emit::count_loss(loss::NO_STATE);
        return false;
    };
    flow.header.cookie = socket.cookie();
    // SAFETY: no precondition.
    flow.header.tgid = (unsafe { bpf_get_current_pid_tgid() } >> 32) as u32;
    flow.header.local_port = socket.local_port();
    if socket.is_ipv6() {
        flow.header.flags |= flag::IPV6;
    }
    if counters.fin_received {
        flow.header.flags |= flag::PEER_FIN | flag::PEER_FIN_FIRST;
    }
    // The sequence number up to which everything is accounted for: of a fresh connection the very first one, so that
    // what left it without a hook is found missing.
    let fin = u32::from(counters.fin_read);
    let read = if fresh {
        counters.read as u32
    } else if OUT {
        0
    } else {
        bytes as u32
    };
    flow.copied_seq = counters.copied_seq.wrapping_sub(read).wrapping_sub(fin);
    if !fresh {
        flow.base_in = before_in;
        flow.base_out = before_out;
        flow.header.flags |= flag::BEFORE_START;
        lose::<false>(flow, loss::BEFORE_START);
        lose::<true>(flow, loss::BEFORE_START);
    } else {
        flow.base_out = before_out & 1;
        if before_in == 0 && !readable {
            lose::<false>(flow, loss::NO_BUFFER);
            emit::count_loss(loss::NO_BUFFER);
        }
    }
    true
}

/// Looks at the first bytes of a new connection. `None`: of no interest, for the server speaks first or it is no HTTP;
/// `Some(false)`: they cannot be read.
#[inline(always)]
fn first_bytes<const OUT: bool>(socket: Socket, origin: impl Origin, bytes: u64) -> Option<bool> {
    if OUT {
        return None;
    }
    let Ok(buffer) = origin.first_buffer(socket, bytes) else { return Some(false) };
    let Ok((address, len)) = buffer.locate(0, if bytes < 8 { bytes as u32 } else { 8 }) else { return Some(false) };
    let mut window = [0u64; 4];
    let len = if len > 8 { 8 } else { len };
    // SAFETY: eight bytes of the stack.
    if unsafe { copy(window.as_mut_ptr().cast(), address, len) }.is_err() {
        return Some(false);
    }
    start::may_be_request(&window, len).then_some(true)
}

/// From now on the socket costs two lookups.
#[inline(always)]
fn ignore(socket: Socket) {
    storage::set_interest(socket, interest::NONE);
}

/// Accounts for what was read without a hook, before the flow ends.
#[inline(always)]
pub fn settle_unseen(socket: Socket, flow: &mut Flow) {
    // SAFETY: no precondition.
    let now_ns = unsafe { bpf_ktime_get_ns() };
    let last_ns = flow.header.inbound.last_ns;
    account_unseen(socket, flow, 0, now_ns);
    if flow.header.inbound.total == 0 {
        flow.header.inbound.last_ns = last_ns;
    }
}

/// Kernel type used by the hooks.
pub fn socket(pointer: *const u8) -> Socket {
    Socket(Kernel(pointer))
}
