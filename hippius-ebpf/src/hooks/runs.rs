//! One call on a socket, in as many runs of programs as it takes: both back-ends go on by tail calls.

use aya_ebpf::EbpfContext;
use aya_ebpf::helpers::generated::bpf_tail_call;

use crate::flows::{self, Next};
use crate::kernel::socket::Socket;
use crate::maps::{MPTCP_RECV_ON, MPTCP_SEND_ON, MapPointer, RECV_ON, SEND_ON, UNIX_RECV_ON, UNIX_SEND_ON};
use crate::origin::Origin;
use crate::{calls, sessions, starts, storage};

/// `MSG_PEEK` and `MSG_ERRQUEUE` (include/linux/socket.h): what they return is no traffic.
pub const NO_TRAFFIC: i32 = 0x2 | 0x2000;

/// Programs that others go on with: their places in `RECV_ON` and `SEND_ON`.
mod place {
    /// Reads on, on a server's socket.
    pub const SERVER_ON: u32 = 0;
    /// Begins, on a client's.
    pub const CLIENT: u32 = 1;
    /// Reads on, on a client's.
    pub const CLIENT_ON: u32 = 2;
    /// Copies on, on a client's.
    pub const STREAM_ON: u32 = 3;
}

/// Whose sockets pass a hook.
pub mod family {
    /// Those of IPv4 and IPv6.
    pub const INET: u8 = 1;
    /// Unix sockets.
    pub const UNIX: u8 = 2;
    /// All.
    pub const ANY: u8 = 3;
    /// Those of MPTCP.
    pub const MPTCP: u8 = 4;
}

/// `EPIPE` and `ECONNRESET` (include/uapi/asm-generic): the other end is gone.
const EPIPE: i32 = 32;
const ECONNRESET: i32 = 104;

/// A call has moved `bytes`, more than none, on any socket of the host.
#[inline(always)]
pub fn begin<const SEND: bool, const FAMILY: u8>(
    ctx: &impl EbpfContext,
    socket: Socket,
    origin: impl Origin,
    bytes: i32,
) {
    let watched = if FAMILY == family::UNIX || (FAMILY == family::ANY && socket.is_unix()) {
        if !flows::concerns(socket) {
            return;
        }
        true
    } else {
        if calls::are_possible() {
            sessions::join::<SEND>(socket, origin, u64::from(bytes as u32));
        }
        flows::is_watched(socket.local_port())
    };
    if !watched && storage::is_empty(socket) {
        return;
    }
    let mut flow = flows::find(socket);
    match &mut flow {
        // Of Unix sockets and MPTCP only the server's end is watched.
        Some(flow) if FAMILY != family::UNIX && FAMILY != family::MPTCP && flows::is_client_side(flow) => {
            if !starts::is_left_alone(flow) {
                go::<SEND>(ctx, place::CLIENT);
            }
            return;
        }
        // A connection that ended in the middle of this call has given its port back already.
        Some(flow) if watched || flows::is_closing(flow) => {}
        None if watched => {}
        _ => return,
    }
    if flows::account::<SEND>(socket, flow, origin, u64::from(bytes as u32)) {
        go_on_server::<SEND, FAMILY>(ctx);
        flows::end_call::<SEND, SEND>(socket);
    }
}

/// A call has moved nothing: of a socket without counters, that may say that the connection is over.
#[inline(always)]
pub fn failed<const SEND: bool>(socket: Socket, result: i32) {
    if (result == 0 && !SEND) || (result == -EPIPE && SEND) || result == -ECONNRESET {
        flows::peer_ended(socket, result.wrapping_neg() as u16);
    }
}

/// Goes on where the last run on a server's socket stopped.
#[inline(always)]
pub fn go_on<const SEND: bool, const FAMILY: u8>(ctx: &impl EbpfContext, socket: Socket) {
    if flows::go_on::<SEND, SEND>(socket) {
        go_on_server::<SEND, FAMILY>(ctx);
        flows::end_call::<SEND, SEND>(socket);
    }
}

/// The same call on a client's socket.
#[inline(always)]
pub fn begin_client<const SEND: bool>(ctx: &impl EbpfContext, socket: Socket, origin: impl Origin, bytes: i32) {
    match flows::account_client::<SEND>(socket, origin, u64::from(bytes as u32)) {
        Next::Nothing => {}
        Next::Heads => {
            go::<SEND>(ctx, place::CLIENT_ON);
            end_client::<SEND>(socket);
        }
        Next::Bytes => {
            go::<SEND>(ctx, place::STREAM_ON);
            stream::<SEND>(socket, true);
        }
    }
}

/// Goes on where the last run on a client's socket stopped.
#[inline(always)]
pub fn go_on_client<const SEND: bool>(ctx: &impl EbpfContext, socket: Socket) {
    let more = if SEND { flows::go_on::<false, true>(socket) } else { flows::go_on::<true, false>(socket) };
    if more {
        go::<SEND>(ctx, place::CLIENT_ON);
        end_client::<SEND>(socket);
    }
}

/// Goes on with the copying of a call.
#[inline(always)]
pub fn go_on_stream<const SEND: bool>(ctx: &impl EbpfContext, socket: Socket) {
    if stream::<SEND>(socket, false) {
        go::<SEND>(ctx, place::STREAM_ON);
        stream::<SEND>(socket, true);
    }
}

#[inline(always)]
fn end_client<const SEND: bool>(socket: Socket) {
    if SEND {
        flows::end_call::<false, true>(socket);
    } else {
        flows::end_call::<true, false>(socket);
    }
}

#[inline(always)]
fn stream<const SEND: bool>(socket: Socket, last: bool) -> bool {
    if SEND {
        flows::go_on_stream::<false, true>(socket, last)
    } else {
        flows::go_on_stream::<true, false>(socket, last)
    }
}

#[inline(always)]
fn go_on_server<const SEND: bool, const FAMILY: u8>(ctx: &impl EbpfContext) {
    let programs = match (FAMILY, SEND) {
        (family::UNIX, false) => UNIX_RECV_ON.pointer(),
        (family::UNIX, true) => UNIX_SEND_ON.pointer(),
        (family::MPTCP, false) => MPTCP_RECV_ON.pointer(),
        (family::MPTCP, true) => MPTCP_SEND_ON.pointer(),
        _ => return go::<SEND>(ctx, place::SERVER_ON),
    };
    // SAFETY: the context and a program array of this object.
    unsafe { bpf_tail_call(ctx.as_ptr(), programs, place::SERVER_ON) };
}

/// The next program takes over. It returns only where the kernel's limit of tail calls is reached.
#[inline(always)]
fn go<const SEND: bool>(ctx: &impl EbpfContext, place: u32) {
    let programs = if SEND { SEND_ON.pointer() } else { RECV_ON.pointer() };
    // SAFETY: the context and a program array of this object.
    unsafe { bpf_tail_call(ctx.as_ptr(), programs, place) };
}
