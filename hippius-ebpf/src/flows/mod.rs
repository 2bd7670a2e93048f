//! From a hook's arguments to the capture core: which sockets are watched, their state, and one call of each.
//!
//! Two things are told apart everywhere: whether a call sends or receives (`SEND`), and whether it carries responses or
//! requests (`OUT`). A server sends responses, a client receives them.

mod account;
mod base;
mod client;
mod server;
mod uncounted;

use aya_ebpf::helpers::generated::bpf_get_current_pid_tgid;
use hippius_common::flow::{Flow, flag};
use hippius_common::loss;

pub use account::{IN, OUT_DIRECTION, close_late, end_call, enter, go_on, leave, may_resume, settle_unseen};
pub use client::{
    account as account_client, account_pages, adopt_open, connected, connects, give_up, go_on_stream, introduce,
};
pub use server::account;
pub use uncounted::{concerns, mptcp_begins, peer_ended, released};

use crate::emit;
use crate::kernel::fields::Kernel;
use crate::kernel::socket::Socket;
use crate::maps::{CLIENTS, LISTENED, OUTBOUND, PORT_WORDS, PORTS};
use crate::storage::{self, interest};

/// What a program leaves to be done.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Next {
    /// Nothing.
    Nothing,
    /// Messages have to be read: [`go_on`].
    Heads,
    /// Bytes have to be copied: [`go_on_stream`].
    Bytes,
}

/// Whether sockets with this local port are watched.
#[inline(always)]
pub fn is_watched(port: u16) -> bool {
    let Some(words) = PORTS.get(0) else { return false };
    words[usize::from(port >> 6) & (PORT_WORDS - 1)] >> (port & 63) & 1 != 0
}

/// Whether somebody listens on this port, as far as the agent knew when it last looked.
#[inline(always)]
fn is_listened(port: u16) -> bool {
    let Some(words) = LISTENED.get(0) else { return false };
    words[usize::from(port >> 6) & (PORT_WORDS - 1)] >> (port & 63) & 1 != 0
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

/// Whether connections that this process opens are watched.
#[inline(always)]
pub fn is_client(tgid: u32) -> bool {
    // SAFETY: whether there is an entry, whose value is not looked at.
    unsafe { CLIENTS.get(&tgid) }.is_some()
}

/// Watches the connections that a process opens from now on.
#[inline(always)]
pub fn watch_client(tgid: u32) {
    if OUTBOUND.get(0).is_some_and(|outbound| *outbound != 0) {
        // A full table is looked after by the agent, which knows the processes too.
        let _ = CLIENTS.insert(tgid, 1, 0);
    }
}

/// The running process.
#[inline(always)]
pub fn current_tgid() -> u32 {
    // SAFETY: no precondition.
    (unsafe { bpf_get_current_pid_tgid() } >> 32) as u32
}

/// The state of a watched socket.
#[inline(always)]
pub fn find(socket: Socket) -> Option<&'static mut Flow> {
    storage::flow(socket)
}

/// Whether the client's end of the connection is watched.
#[inline(always)]
pub fn is_client_side(flow: &Flow) -> bool {
    flow.header.flags & flag::CLIENT != 0
}

/// Whether the connection ended in the middle of a send call.
#[inline(always)]
pub fn is_closing(flow: &Flow) -> bool {
    flow.header.flags & flag::CLOSING != 0
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

/// Begins the state of a socket, or counts that there is no room for it.
#[inline(always)]
fn create(socket: Socket) -> Option<&'static mut Flow> {
    let flow = storage::create_flow(socket);
    if flow.is_none() {
        emit::count_loss(loss::NO_STATE);
    }
    flow
}

/// Kernel type used by the hooks.
pub fn socket(pointer: *const u8) -> Socket {
    Socket(Kernel(pointer))
}
