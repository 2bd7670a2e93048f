//! The server's end of connections of which the kernel keeps no counters: Unix stream sockets and MPTCP.
//!
//! Nothing tells what such a socket has moved before it is seen, nor, of a Unix socket, that it was just accepted. So a
//! flow begins where a call receives the beginning of a request, and the direction has turned; a few turns without one,
//! and the socket is left alone.

use hippius_common::fields::backend;
use hippius_common::flow::{Flow, Named, WINDOW_BYTES, flag, kind, phase};
use hippius_common::loss;
use hippius_ebpf::capture::{side, start};

use super::account::{close_late, enter, give_back};
use super::{create, current_tgid, find, publish};
use crate::emit;
use crate::kernel::socket::Socket;
use crate::kernel::unix;
use crate::kernel::user_buffer::{BACKEND, copy};
use crate::maps::{MPTCP, UNIX};
use crate::origin::Origin;
use crate::storage::{self, interest};

/// So many turns without a request.
const MAX_TURNS: u32 = 8;

/// Whether a Unix socket may be of interest: somebody has asked for such services, and it is a stream with a name. Those
/// that connect have none, most often.
#[inline(always)]
pub fn concerns(socket: Socket) -> bool {
    UNIX.get(0).is_some_and(|watched| *watched != 0) && unix::stream_address(socket) != 0
}

/// A socket that has no flow yet moves bytes. True when it has one from now on.
#[inline(always)]
pub fn first_seen<const SEND: bool>(socket: Socket, origin: impl Origin, bytes: u64) -> bool {
    let known = storage::interest(socket);
    if known == interest::NONE || known == interest::OPENED || (socket.is_mptcp() && !is_mptcp_seen()) {
        return false;
    }
    let turns = if known & interest::TURNS == 0 { interest::TURNS } else { known };
    if SEND {
        if turns & interest::RECEIVED != 0 || turns != known {
            storage::set_interest(socket, turns & !interest::RECEIVED);
        }
        return false;
    }
    if turns & interest::RECEIVED != 0 {
        return false;
    }
    if !begins_request(socket, origin, bytes) {
        let turns = (turns | interest::RECEIVED) + interest::TURN;
        let given_up = turns >= interest::TURN * MAX_TURNS;
        storage::set_interest(socket, if given_up { interest::NONE } else { turns });
        return false;
    }
    let Some(flow) = create(socket) else { return false };
    flow.header.cookie = socket.cookie();
    flow.header.tgid = current_tgid();
    if socket.is_unix() {
        flow.header.flags = flag::UNIX | flag::UNAUDITED;
        tell_name(socket, flow);
        return true;
    }
    flow.header.local_port = socket.local_port();
    flow.header.flags = if socket.is_ipv6() { flag::IPV6 | flag::UNAUDITED } else { flag::UNAUDITED };
    if socket.is_at_end() {
        // The client has left before its request was read.
        flow.header.flags |= flag::CLIENT_FIN | flag::CLIENT_FIN_FIRST;
    }
    true
}

/// Whether the bytes of a call that receives begin a request, as far as they go.
#[inline(always)]
fn begins_request(socket: Socket, origin: impl Origin, bytes: u64) -> bool {
    let Ok(buffer) = origin.first_buffer(socket, bytes) else { return false };
    let len = if bytes < u64::from(WINDOW_BYTES) { bytes as u32 } else { WINDOW_BYTES };
    let Ok((address, len)) = buffer.locate(0, len) else { return false };
    let mut window = [0u64; 4];
    let len = if len > WINDOW_BYTES { WINDOW_BYTES } else { len };
    // SAFETY: the window has WINDOW_BYTES.
    unsafe { copy(window.as_mut_ptr().cast(), address, len) }.is_ok() && start::may_be_request_line(&window, len)
}

/// Tells the agent whose connection this is. The capture, which is still empty, has room for it.
#[inline(always)]
fn tell_name(socket: Socket, flow: &mut Flow) {
    let (flags, tgid, cookie) = (flow.header.flags, flow.header.tgid, flow.header.cookie);
    // SAFETY: the capture is larger than a `Named`, as aligned, and of plain numbers.
    let named = unsafe { &mut *flow.capture.as_mut_ptr().cast::<Named>() };
    named.kind = kind::NAMED;
    named.flags = flags;
    named.tgid = tgid;
    named.cookie = cookie;
    unix::read_name(socket, named);
    emit::named(named);
}

/// Whether the calls of MPTCP sockets are counted, and not lost.
#[inline(always)]
fn is_mptcp_seen() -> bool {
    MPTCP.get(0).is_some_and(|seen| *seen != 0)
}

/// A connection over MPTCP begins: a loss where no program sees its calls.
#[inline(always)]
pub fn mptcp_begins() {
    if !is_mptcp_seen() {
        emit::count_loss(loss::MPTCP);
    }
}

/// A call says that the other end is gone, with this error, or none where there is nothing more to read.
#[inline(always)]
pub fn peer_ended(socket: Socket, error: u16) {
    if socket.is_mptcp() {
        if let Some(flow) = find(socket) {
            close_late::<true>(flow);
        }
        return;
    }
    if !socket.is_unix() || !concerns(socket) {
        return;
    }
    let Some(flow) = find(socket) else { return };
    // Nothing is read either where no bytes were asked for.
    if error == 0 && !socket.is_at_end() {
        return;
    }
    flow.header.flags |= flag::CLIENT_FIN | flag::CLIENT_FIN_FIRST;
    if error != 0 {
        flow.header.error = error;
    }
    flow.header.version = flow.header.version.wrapping_add(2);
    let busy = flow.header.unanswered != 0
        || flow.header.in_len != 0
        || flow.header.inbound.phase != phase::HEAD
        || flow.header.outbound.phase != phase::HEAD;
    if is_unended(flow) && busy && flow.header.outbound.head_len == 0 && flow.header.outbound.want == 0 && enter(flow) {
        publish(flow, kind::CAPTURE);
        give_back(flow);
    }
}

/// The process has closed the socket.
#[inline(always)]
pub fn released(socket: Socket) {
    if let Some(flow) = find(socket) {
        if socket.is_at_end() {
            flow.header.flags |= flag::CLIENT_FIN;
        }
        if flow.header.error == 0 {
            flow.header.error = socket.error();
        }
        flow.header.flags |= flag::SERVER_FIN | flag::CLOSED;
        publish(flow, kind::CLOSE);
    }
}

/// Whether nothing will tell the end of this flow: tracepoints do not see that a Unix socket is closed. What it has moved
/// must be told while it lives.
#[inline(always)]
fn is_unended(flow: &Flow) -> bool {
    BACKEND.load() == backend::TRACEPOINT && flow.header.flags & flag::UNIX != 0
}

/// A call that read heads, or the end of a message, is over. The caller holds the flow.
#[inline(always)]
pub fn tell<const OUT: bool>(flow: &mut Flow) {
    if !is_unended(flow) {
        return;
    }
    let header = &flow.header;
    if header.inbound.head_len != 0 || header.outbound.head_len != 0 || header.outbound.want != 0 {
        // More of it will come.
        return;
    }
    let side = side::<OUT>(flow);
    // What began in this call was told when its head was.
    let ended = side.phase == phase::HEAD && side.head_at < flow.call_from;
    if header.in_len != 0 || header.out_len != 0 || ended || (OUT && side.phase == phase::UNTIL_CLOSE) {
        publish(flow, kind::CAPTURE);
    }
}

/// Bytes were counted. Where a response ends with its connection, any of them may be the last.
#[inline(always)]
pub fn tell_counted<const OUT: bool>(flow: &mut Flow) {
    if OUT
        && is_unended(flow)
        && flow.header.outbound.phase == phase::UNTIL_CLOSE
        && flow.header.inbound.head_len == 0
        && enter(flow)
    {
        publish(flow, kind::CAPTURE);
        give_back(flow);
    }
}
