//! The client's end of a connection: sockets that a watched process has opened.

use hippius_common::flow::{Connected, Flow, FlowHeader, flag, kind, phase};
use hippius_common::loss;
use hippius_ebpf::capture::protocol::{self, Protocol};
use hippius_ebpf::capture::{lose, settle, stream};

use super::account::{account_on, leave_call, prepare, turns};
use super::base::Before;
use super::{Next, create, current_tgid, find, is_client, is_listened};
use crate::call::BufferCall;
use crate::emit;
use crate::kernel::clock;
use crate::kernel::socket::Socket;
use crate::kernel::user_buffer::{UserBuffer, copy};
use crate::origin::{KernelPages, Origin};
use crate::starts;

/// `ECANCELED` (include/uapi/asm-generic/errno.h): the process closed the socket before the server had answered.
const ECANCELED: u32 = 125;

/// How many bytes say what a connection speaks.
const FIRST_BYTES: u64 = 8;

/// A process opens a connection. Runs in that process.
#[inline(always)]
pub fn connects(socket: Socket) {
    let tgid = current_tgid();
    // In this order: [`starts`] says why.
    let started_ns = starts::undecided(tgid);
    let known = is_client(tgid);
    if !(known || started_ns != 0) || !socket.is_tcp() {
        return;
    }
    if socket.is_subflow() {
        // Its bytes pass another socket, whose calls nobody follows.
        emit::count_loss(loss::MPTCP);
        return;
    }
    let Some(flow) = create(socket) else { return };
    flow.connect_ns = clock::now();
    flow.started_ns = if known { 0 } else { started_ns };
    adopt(socket, flow, tgid);
}

/// A process holds a socket of a connection that was made before it was watched.
#[inline(always)]
pub fn adopt_open(socket: Socket, tgid: u32) {
    let port = socket.local_port();
    // What has a listened port was accepted, not opened.
    if port == 0 || is_listened(port) || !socket.is_tcp() {
        return;
    }
    if let Some(flow) = find(socket) {
        adopt_again(socket, flow, tgid);
        return;
    }
    if let Some(flow) = create(socket) {
        adopt(socket, flow, tgid);
    }
}

/// Takes up what its process opened before it was known to be a client.
#[inline(always)]
fn adopt_again(socket: Socket, flow: &mut Flow, tgid: u32) {
    if starts::is_left_alone(flow) {
        // Nothing was used of what it has moved.
        flow.header = FlowHeader::default();
        (flow.bodiless, flow.head_end, flow.connect_ns, flow.started_ns) = (0, 0, 0, 0);
        (flow.direction, flow.ready, flow.tries, flow.connect) = (0, 0, 0, 0);
        adopt(socket, flow, tgid);
    } else if flow.direction == 0 {
        // The agent has not been told of it yet.
        flow.started_ns = 0;
    }
}

/// Takes a socket for a client's that `tgid` holds.
#[inline(always)]
fn adopt(socket: Socket, flow: &mut Flow, tgid: u32) {
    flow.header.tgid = tgid;
    flow.header.cookie = socket.cookie();
    flow.header.flags = if socket.is_ipv6() { flag::CLIENT | flag::IPV6 } else { flag::CLIENT };
}

/// The handshake is over.
#[inline(always)]
pub fn connected(flow: &mut Flow) {
    flow.connect_ns = clock::now().wrapping_sub(flow.connect_ns);
}

/// The connection ends; nothing was ever moved if nobody was told of it. `made`: there was a handshake.
#[inline(always)]
pub fn give_up(socket: Socket, flow: &mut Flow, made: bool) {
    if flow.direction == 0 {
        let error = u32::from(socket.error());
        if made {
            tell(socket, flow, 0);
        } else {
            flow.connect_ns = 0;
            tell(socket, flow, if error == 0 { ECANCELED } else { error });
        }
    }
}

/// `bytes` were accepted by a call.
#[inline(always)]
pub fn account<const SEND: bool>(socket: Socket, origin: impl Origin, bytes: u64) -> Next {
    let Some(flow) = find(socket) else { return Next::Nothing };
    if flow.direction == 0 && !begin::<SEND>(socket, flow, bytes) {
        return Next::Nothing;
    }
    if SEND {
        let speaks_tls = flow.header.flags & flag::STREAM != 0 && flow.header.inbound.total == FIRST_BYTES;
        if speaks_tls || is_undecided(flow) {
            decide(socket, flow, origin, bytes);
        }
    } else if flow.header.inbound.total == 0 && flow.header.inbound.phase == phase::HEAD {
        // The server speaks first.
        leave_alone(flow);
    }
    if flow.header.flags & flag::STREAM != 0 {
        let more = if SEND {
            account_stream::<false, true>(socket, flow, origin, bytes)
        } else {
            account_stream::<true, false>(socket, flow, origin, bytes)
        };
        return if more { Next::Bytes } else { Next::Nothing };
    }
    let more = if SEND {
        account_on::<false, true>(socket, flow, origin, bytes)
    } else {
        account_on::<true, false>(socket, flow, origin, bytes)
    };
    if more { Next::Heads } else { Next::Nothing }
}

/// Bytes of a file or a pipe were sent.
#[inline(always)]
pub fn account_pages(socket: Socket, flow: &mut Flow, bytes: u64) {
    if starts::is_left_alone(flow) {
        return;
    }
    if flow.direction != 0 || begin::<true>(socket, flow, bytes) {
        account_on::<false, true>(socket, flow, KernelPages, bytes);
    }
}

/// The first call that is seen of a connection. False for what is no TCP.
#[inline(always)]
fn begin<const SEND: bool>(socket: Socket, flow: &mut Flow, bytes: u64) -> bool {
    let Some(before) = Before::of::<SEND>(socket, bytes, false) else { return false };
    flow.header.local_port = socket.local_port();
    if before.counters.fin_received {
        flow.header.flags |= flag::SERVER_FIN;
    }
    before.apply::<SEND>(flow, bytes);
    // The kernel's counters go with the way of the bytes, the flow's with who asks and who answers.
    (flow.base_in, flow.base_out) = (flow.base_out, flow.base_in);
    tell(socket, flow, 0);
    true
}

/// What a connection speaks is told by what the client sends: at its beginning, or, of one that was open before, where
/// the client begins to send.
#[inline(always)]
fn is_undecided(flow: &Flow) -> bool {
    let side = &flow.header.inbound;
    let decided = flow.header.flags & (flag::STREAM | flag::TLS) != 0 || side.messages != 0 || side.head_len != 0;
    !decided && (side.phase == phase::HEAD || side.phase == phase::LOST)
}

#[inline(always)]
fn decide(socket: Socket, flow: &mut Flow, origin: impl Origin, bytes: u64) {
    let fresh = flow.header.inbound.phase != phase::LOST;
    let Some((window, len)) = first_bytes(socket, origin, bytes) else {
        if fresh && flow.header.flags & flag::STREAM == 0 {
            lose::<false>(flow, loss::NO_BUFFER);
            emit::count_loss(loss::NO_BUFFER);
        }
        return;
    };
    let speaks =
        if fresh { protocol::of_first_bytes(&window, len) } else { protocol::of_later_bytes(&window, len, bytes) };
    match speaks {
        Protocol::Tls => {
            flow.header.flags = flow.header.flags & !flag::STREAM | flag::TLS;
            leave_alone(flow);
        }
        Protocol::Stream if flow.header.flags & flag::STREAM == 0 => {
            flow.header.flags |= flag::STREAM;
            stream::begin(flow);
        }
        // In the middle of a connection it is no more than not known yet.
        Protocol::Unknown if fresh && flow.header.flags & flag::STREAM == 0 => leave_alone(flow),
        _ => {}
    }
}

#[inline(always)]
fn first_bytes(socket: Socket, origin: impl Origin, bytes: u64) -> Option<([u64; 4], u32)> {
    let buffer = origin.first_buffer(socket, bytes).ok()?;
    let (address, len) = buffer.locate(0, if bytes < FIRST_BYTES { bytes as u32 } else { FIRST_BYTES as u32 }).ok()?;
    let mut window = [0u64; 4];
    let len = if len > FIRST_BYTES as u32 { FIRST_BYTES as u32 } else { len };
    // SAFETY: eight bytes of the stack.
    unsafe { copy(window.as_mut_ptr().cast(), address, len) }.ok()?;
    Some((window, len))
}

/// From now on the bytes are counted, and no more.
#[inline(always)]
fn leave_alone(flow: &mut Flow) {
    settle::opaque(flow);
    flow.header.inbound.lost = loss::NOT_HTTP as u16;
    flow.header.outbound.lost = loss::NOT_HTTP as u16;
}

#[inline(always)]
fn account_stream<const OUT: bool, const SEND: bool>(
    socket: Socket,
    flow: &mut Flow,
    origin: impl Origin,
    bytes: u64,
) -> bool {
    turns::<OUT, SEND>(socket, flow, bytes);
    if !prepare::<OUT, SEND>(socket, flow, origin, bytes) {
        return false;
    }
    let mut call = BufferCall { buffer: UserBuffer::load(flow) };
    stream::begin_call::<OUT>(flow, &mut call);
    true
}

/// Copies on where the last run stopped. True when there is still more and `last` does not end it.
#[inline(always)]
pub fn go_on_stream<const OUT: bool, const SEND: bool>(socket: Socket, last: bool) -> bool {
    let Some(flow) = find(socket) else { return false };
    let mut call = BufferCall { buffer: UserBuffer::load(flow) };
    if !last && !stream::step::<OUT>(flow, &mut call) {
        return true;
    }
    let lost = stream::finish::<OUT>(flow, &mut call);
    if lost != loss::NONE {
        emit::count_loss(lost);
    }
    leave_call::<OUT, SEND>(flow);
    false
}

/// Tells the agent with whom the connection is made that a TLS session goes over. Its connect time is the connection's.
#[inline(always)]
pub fn introduce(socket: Socket, session: &Flow) {
    tell(socket, session, 0);
}

/// Tells the agent who is connected with whom.
#[inline(always)]
fn tell(socket: Socket, flow: &Flow, error: u32) {
    let mut connected = Connected {
        kind: kind::CONNECTED,
        flags: flow.header.flags,
        port: socket.peer_port(),
        local_port: socket.local_port(),
        cookie: flow.header.cookie,
        connect_ns: flow.connect_ns,
        address: socket.peer_address(),
        tgid: flow.header.tgid,
        error,
        started_ns: flow.started_ns,
    };
    emit::connected(&mut connected);
}
