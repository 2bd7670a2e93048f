//! Follows TCP states: listening sockets, half-closes, the end of a flow.

use aya_ebpf::Global;
use aya_ebpf::macros::btf_tracepoint;
use aya_ebpf::programs::BtfTracePointContext;
use aya_log_ebpf::debug;
use hippius_common::flow::{Flow, FlowHeader, flag, kind, phase};
use hippius_common::loss;

use crate::kernel::socket::Socket;
use crate::maps::DISCOVER;
use crate::{emit, flows, starts};

/// include/net/tcp_states.h
mod tcp {
    pub const ESTABLISHED: i32 = 1;
    pub const SYN_SENT: i32 = 2;
    pub const SYN_RECV: i32 = 3;
    pub const FIN_WAIT1: i32 = 4;
    pub const FIN_WAIT2: i32 = 5;
    pub const TIME_WAIT: i32 = 6;
    pub const CLOSE: i32 = 7;
    pub const CLOSE_WAIT: i32 = 8;
    pub const LAST_ACK: i32 = 9;
    pub const LISTEN: i32 = 10;
    pub const CLOSING: i32 = 11;
}

/// The programs' own debug output. Off, the verifier removes it from the program.
#[unsafe(no_mangle)]
static PROBE_LOG: Global<u32> = Global::new(0);

/// The agent's own process, whose ports are of no interest.
#[unsafe(no_mangle)]
static AGENT_TGID: Global<u32> = Global::new(0);

/// match-proto: void inet_sock_set_state(const struct sock *sk, const int oldstate, const int newstate), since 4.16
#[btf_tracepoint(function = "inet_sock_set_state")]
pub fn inet_sock_set_state(ctx: BtfTracePointContext) -> i32 {
    let new = ctx.arg::<i32>(2);
    if new == tcp::SYN_RECV {
        return 0;
    }
    let socket = flows::socket(ctx.arg::<*const u8>(0));
    let port = socket.local_port();
    let old = ctx.arg::<i32>(1);
    if new == tcp::LISTEN {
        listens(socket, port);
        return 0;
    }
    if new == tcp::SYN_SENT {
        flows::connects(socket);
        return 0;
    }
    let flow = flows::find(socket);
    if let Some(flow) = flow
        && flows::is_client_side(flow)
    {
        client_changes(socket, flow, old, new);
        return 0;
    }
    // A socket gives its port back before it reaches TCP_CLOSE (tcp_set_state in net/ipv4/tcp.c).
    if new != tcp::CLOSE && !flows::is_watched(port) {
        return 0;
    }
    if PROBE_LOG.load() != 0 {
        debug!(&ctx, "socket of port {} goes from state {} to {}", port, old, new);
    }
    if new == tcp::ESTABLISHED {
        if socket.is_mptcp() {
            flows::mptcp_begins();
        } else if old == tcp::SYN_RECV {
            flows::born(socket);
        }
    } else if let Some(flow) = flows::find(socket) {
        changes(socket, flow, old, new);
    } else if new == tcp::CLOSE && flows::is_ignored(socket) {
        ignored_closes(socket, old);
    }
    0
}

#[inline(always)]
fn listens(socket: Socket, port: u16) {
    let tgid = flows::current_tgid();
    let discovers = DISCOVER.get(0).is_some_and(|discovers| *discovers != 0);
    if tgid == AGENT_TGID.load() || !socket.is_tcp() {
        return;
    }
    if discovers {
        flows::watch(port);
    }
    // A service that was started, or started again, after the agent.
    if discovers || flows::is_watched(port) {
        flows::watch_client(tgid);
    }
}

#[inline(always)]
fn changes(socket: Socket, flow: &mut Flow, old: i32, new: i32) {
    match new {
        tcp::CLOSE_WAIT | tcp::CLOSING => {
            flow.header.flags |= flag::CLIENT_FIN;
            if flow.header.flags & flag::SERVER_FIN == 0 {
                flow.header.flags |= flag::CLIENT_FIN_FIRST;
            }
        }
        tcp::FIN_WAIT1 | tcp::LAST_ACK => {
            flow.header.flags |= flag::SERVER_FIN;
            let unfinished =
                flow.header.outbound.phase == phase::UNTIL_CLOSE || flow.header.in_len != 0 || flow.header.out_len != 0;
            if unfinished {
                flows::publish(flow, kind::END);
            }
        }
        tcp::CLOSE if flow.header.flags & flag::CLOSED == 0 => {
            flows::settle_unseen(socket, flow);
            closes(socket, flow, old);
            let all_seen = flow.header.kernel_out <= flow.header.outbound.total;
            end(socket, flow, all_seen);
        }
        // A socket of MPTCP comes here again, at last when its process closes it (net/mptcp/protocol.c, __mptcp_close).
        tcp::CLOSE if flow.header.tgid == flows::current_tgid() => flows::close_late::<true>(flow),
        _ => {}
    }
}

/// The same of a client's socket. Its response may still lie unread when the server's FIN comes, so nothing is told
/// before the end.
#[inline(always)]
fn client_changes(socket: Socket, flow: &mut Flow, old: i32, new: i32) {
    if starts::is_left_alone(flow) {
        return;
    }
    match new {
        tcp::ESTABLISHED => flows::connected(flow),
        tcp::CLOSE_WAIT | tcp::CLOSING => flow.header.flags |= flag::SERVER_FIN,
        tcp::FIN_WAIT1 | tcp::LAST_ACK => {
            if flow.header.flags & flag::SERVER_FIN == 0 {
                flow.header.flags |= flag::CLIENT_FIN_FIRST;
            }
            flow.header.flags |= flag::CLIENT_FIN;
        }
        tcp::CLOSE if flow.direction == 0 => {
            flows::give_up(socket, flow, old != tcp::SYN_SENT);
            flow.header.error = socket.error();
            flow.header.flags |= flag::CLOSED;
            flows::publish(flow, kind::CLOSE);
        }
        tcp::CLOSE => {
            flows::settle_unseen(socket, flow);
            closes(socket, flow, old);
            let all_seen = flow.header.kernel_in <= flow.header.inbound.total;
            end(socket, flow, all_seen);
        }
        _ => {}
    }
}

/// A reset that comes while a call sends ends the connection before the call returns. Of MPTCP, without counters, any call
/// may be under way, so the end waits for one that sends or fails, or until the process closes the socket.
#[inline(always)]
fn end(socket: Socket, flow: &mut Flow, all_seen: bool) {
    let waits = if socket.is_mptcp() { !socket.is_shut() } else { !all_seen && socket.is_owned() };
    if waits {
        flow.header.flags |= flag::CLOSING;
    } else {
        flows::publish(flow, kind::CLOSE);
    }
}

/// The end of a connection that was no HTTP: its bytes are explained, and nothing else is said of it.
#[inline(always)]
fn ignored_closes(socket: Socket, old: i32) {
    let tcp = socket.tcp();
    if tcp.is_null() {
        return;
    }
    let counters = socket.counters(tcp);
    let mut header = FlowHeader {
        kind: kind::CLOSE,
        flags: flag::CLOSED,
        cookie: socket.cookie(),
        kernel_in: counters.read,
        kernel_out: counters.accepted.wrapping_sub(u64::from(fin_sent(old))),
        ..FlowHeader::default()
    };
    header.inbound.total = header.kernel_in;
    header.outbound.total = header.kernel_out;
    header.inbound.lost = loss::NOT_HTTP as u16;
    header.outbound.lost = loss::NOT_HTTP as u16;
    emit::header(&mut header);
}

/// Takes the kernel's own counters, for the audit.
#[inline(always)]
fn closes(socket: Socket, flow: &mut Flow, old: i32) {
    let tcp = socket.tcp();
    if !tcp.is_null() {
        let counters = socket.counters(tcp);
        let accepted = counters.accepted.wrapping_sub(u64::from(fin_sent(old)));
        let (requests, responses) =
            if flows::is_client_side(flow) { (accepted, counters.read) } else { (counters.read, accepted) };
        flow.header.kernel_in = requests.wrapping_sub(flow.base_in);
        flow.header.kernel_out = responses.wrapping_sub(flow.base_out);
    }
    flow.header.error = socket.error();
    flow.header.flags |= flag::CLOSED;
}

/// A FIN takes a sequence number when it is queued, which these states come after.
#[inline(always)]
fn fin_sent(old: i32) -> bool {
    matches!(old, tcp::FIN_WAIT1 | tcp::FIN_WAIT2 | tcp::TIME_WAIT | tcp::LAST_ACK | tcp::CLOSING)
}
