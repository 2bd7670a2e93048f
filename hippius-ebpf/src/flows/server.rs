//! The server's end of a connection: sockets with a watched port, or with a name.

use hippius_common::flow::{Flow, flag};
use hippius_common::loss;
use hippius_ebpf::capture::{lose, start};

use super::account::account_on;
use super::base::Before;
use super::{create, current_tgid, find, uncounted};
use crate::emit;
use crate::kernel::socket::Socket;
use crate::kernel::user_buffer::copy;
use crate::origin::Origin;
use crate::storage::{self, interest};

/// `bytes` were accepted by a call on `socket`. True when there is more to read than one run of a program may:
/// [`super::go_on`] follows.
#[inline(always)]
pub fn account<const SEND: bool>(
    socket: Socket,
    flow: Option<&'static mut Flow>,
    origin: impl Origin,
    bytes: u64,
) -> bool {
    if let Some(flow) = flow {
        return account_on::<SEND, SEND>(socket, flow, origin, bytes);
    }
    if !first_seen::<SEND>(socket, origin, bytes) {
        return false;
    }
    let Some(flow) = find(socket) else { return false };
    account_on::<SEND, SEND>(socket, flow, origin, bytes)
}

/// A socket with a watched port moves bytes for the first time since the agent runs.
/// True when it has a flow from now on.
#[inline(never)]
fn first_seen<const SEND: bool>(socket: Socket, origin: impl Origin, bytes: u64) -> bool {
    if socket.is_unix() || socket.is_mptcp() {
        return uncounted::first_seen::<SEND>(socket, origin, bytes);
    }
    let interest = storage::interest(socket);
    if interest == interest::NONE || interest == interest::OPENED || !socket.is_tcp() {
        return false;
    }
    let Some(before) = Before::of::<SEND>(socket, bytes, interest == interest::BORN) else { return false };
    let mut readable = false;
    if before.fresh && before.read == 0 {
        match first_bytes::<SEND>(socket, origin, bytes) {
            Some(result) => readable = result,
            None => {
                // From now on the socket costs two lookups.
                storage::set_interest(socket, interest::NONE);
                return false;
            }
        }
    }
    let Some(flow) = create(socket) else { return false };
    flow.header.cookie = socket.cookie();
    flow.header.tgid = current_tgid();
    flow.header.local_port = socket.local_port();
    if socket.is_ipv6() {
        flow.header.flags |= flag::IPV6;
    }
    if before.counters.fin_received {
        flow.header.flags |= flag::CLIENT_FIN | flag::CLIENT_FIN_FIRST;
    }
    before.apply::<SEND>(flow, bytes);
    if before.fresh && before.read == 0 && !readable {
        lose::<false>(flow, loss::NO_BUFFER);
        emit::count_loss(loss::NO_BUFFER);
    }
    true
}

/// Looks at the first bytes of a new connection. `None`: of no interest, for the server speaks first or it is no HTTP;
/// `Some(false)`: they cannot be read.
#[inline(always)]
fn first_bytes<const SEND: bool>(socket: Socket, origin: impl Origin, bytes: u64) -> Option<bool> {
    if SEND {
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
