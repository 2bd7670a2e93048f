//! TLS sessions: the plaintext that a library takes and gives, framed by the same core as the bytes of a socket.
//!
//! A session is known by the process and the address of its `SSL`. Whose end of the connection it is, the library is
//! told by its caller (`SSL_set_connect_state`, `SSL_set_accept_state`); a session that was open before the library was
//! probed tells by how its next message begins, and is left out until then.

use aya_ebpf::helpers::generated::{
    bpf_get_current_comm, bpf_get_prandom_u32, bpf_map_delete_elem, bpf_map_lookup_elem, bpf_map_update_elem,
};
use hippius_common::flow::{Flow, flag, kind, phase};
use hippius_common::loss;
use hippius_common::tls::{Asked, SESSION_BIT, Session, SessionKey, process};
use hippius_ebpf::capture::protocol::{self, Protocol};
use hippius_ebpf::capture::walk::{begin_call, finish, resync, skip, step};
use hippius_ebpf::capture::{lose, settle, side, side_mut, start};

use crate::call::BufferCall;
use crate::kernel::clock;
use crate::kernel::socket::Socket;
use crate::kernel::user_buffer::{UserBuffer, copy};
use crate::maps::{EMPTY_SESSION, MapPointer, TLS_PROCESSES, TLS_SESSIONS};
use crate::origin::Origin;
use crate::storage::{self, interest};
use crate::{calls, emit, flows};

/// Longest server name that is taken: RFC 1035 section 2.3.4 allows 255 bytes.
const NAME_BYTES: u32 = 256;

/// Whether sessions of this process are followed. The agent is asked about one that it may not have seen yet, for it may
/// end before the agent looks; its sessions are followed meanwhile.
#[inline(always)]
pub fn is_followed(tgid: u32) -> bool {
    if flows::is_client(tgid) {
        return true;
    }
    let mut key = tgid;
    // SAFETY: a map of this object, with a key on the stack; the value is a `u32`.
    let known = unsafe { bpf_map_lookup_elem(TLS_PROCESSES.pointer(), (&raw mut key).cast()).cast::<u32>().as_ref() };
    match known {
        Some(state) => *state != process::LEFT_ALONE,
        None => {
            ask(tgid);
            true
        }
    }
}

#[inline(never)]
fn ask(tgid: u32) {
    let (mut key, mut state) = (tgid, process::ASKED);
    // SAFETY: a map of this object, with key and value on the stack.
    unsafe {
        bpf_map_update_elem(TLS_PROCESSES.pointer(), (&raw mut key).cast(), (&raw mut state).cast(), 0);
    }
    let mut asked = Asked { kind: kind::PROCESS, flags: 0, tgid, comm: [0; 16] };
    // SAFETY: sixteen bytes of the stack.
    unsafe { bpf_get_current_comm(asked.comm.as_mut_ptr().cast(), 16) };
    emit::asked(&mut asked);
}

/// A session that is known.
#[inline(always)]
pub fn find(key: &mut SessionKey) -> Option<&'static mut Session> {
    // SAFETY: a map of this object, with a key on the stack; values are freed only after the programs that found them
    // have ended.
    unsafe { bpf_map_lookup_elem(TLS_SESSIONS.pointer(), (&raw mut *key).cast()).cast::<Session>().as_mut() }
}

#[inline(always)]
fn create(key: &mut SessionKey) -> Option<&'static mut Session> {
    let empty = EMPTY_SESSION.get_ptr_mut(0)?;
    // SAFETY: a map of this object, with a key on the stack and a value of its type.
    unsafe { bpf_map_update_elem(TLS_SESSIONS.pointer(), (&raw mut *key).cast(), empty.cast(), 0) };
    let Some(session) = find(key) else {
        emit::count_loss(loss::NO_STATE);
        return None;
    };
    let header = &mut session.flow.header;
    // SAFETY: no precondition. Two sessions that begin in the same nanosecond differ in the random part.
    header.cookie = SESSION_BIT | clock::now() << 11 | u64::from(unsafe { bpf_get_prandom_u32() } & 0x7ff);
    header.tgid = key.tgid;
    header.flags = flag::SESSION;
    Some(session)
}

/// The library was told which end of the connection it is.
#[inline(always)]
pub fn takes_role(key: &mut SessionKey, client: bool) {
    if find(key).is_some_and(|session| session.begun != 0) {
        // Its end was not seen, and the memory is used again.
        end(key);
    }
    let Some(session) = find(key).or_else(|| create(key)) else { return };
    let flags = session.flow.header.flags;
    session.flow.header.flags = if client { flags | flag::CLIENT } else { flags & !flag::CLIENT };
    if client {
        flows::publish(&mut session.flow, kind::SESSION);
    }
}

/// The client names the server that it wants (RFC 6066 section 3).
#[inline(always)]
pub fn names_server(key: &mut SessionKey, name: u64) {
    let Some(session) = find(key).or_else(|| create(key)) else { return };
    if session.begun != 0 {
        return;
    }
    let flow = &mut session.flow;
    flow.header.flags |= flag::CLIENT;
    let capture = flow.capture.as_mut_ptr().cast::<u8>();
    // SAFETY: the capture is longer than NAME_BYTES, and holds nothing before the first bytes of the session.
    let length =
        unsafe { aya_ebpf::helpers::generated::bpf_probe_read_user_str(capture.cast(), NAME_BYTES, name as *const _) };
    if length > 1 && length <= NAME_BYTES as i64 {
        flow.header.in_len = length as u16 - 1;
        flows::publish(flow, kind::SESSION);
    }
}

/// One call has moved `bytes` of a session's plaintext, more than none. `Some(OUT)` when there is more to read than one run
/// of a program may: [`go_on`] follows.
#[inline(always)]
pub fn account(key: &mut SessionKey, write: bool, buffer: u64, bytes: u64) -> Option<bool> {
    let buffer = UserBuffer::plain(buffer);
    let session = match find(key) {
        Some(session) => session,
        None => adopt(key, write, buffer, bytes)?,
    };
    let client = session.flow.header.flags & flag::CLIENT != 0;
    let out = write != client;
    if session.begun == 0 {
        session.begun = 1;
        first_bytes(&mut session.flow, out, buffer, bytes);
    }
    let more = if out {
        account_on::<true>(&mut session.flow, buffer, bytes)
    } else {
        account_on::<false>(&mut session.flow, buffer, bytes)
    };
    more.then_some(out)
}

/// A session that was open before: begins where a message does.
#[inline(always)]
fn adopt(key: &mut SessionKey, write: bool, buffer: UserBuffer, bytes: u64) -> Option<&'static mut Session> {
    let (window, len) = window(buffer, bytes)?;
    let request = start::is_request(&window, len);
    if !request && !start::is_response(&window, len) {
        return None;
    }
    let session = create(key)?;
    session.begun = 1;
    let flow = &mut session.flow;
    flow.header.flags |= flag::BEFORE_START | if write == request { flag::CLIENT } else { 0 };
    lose::<false>(flow, loss::BEFORE_START);
    lose::<true>(flow, loss::BEFORE_START);
    if write == request {
        flows::publish(flow, kind::SESSION);
    }
    Some(session)
}

#[inline(always)]
fn window(buffer: UserBuffer, bytes: u64) -> Option<([u64; 4], u32)> {
    let (address, len) = buffer.locate(0, if bytes < 16 { bytes as u32 } else { 16 }).ok()?;
    let mut window = [0u64; 4];
    let len = if len > 16 { 16 } else { len };
    // SAFETY: 16 of 32 bytes of the stack.
    unsafe { copy(window.as_mut_ptr().cast(), address, len) }.ok()?;
    Some((window, len))
}

/// What is no HTTP, or begins with the wrong end, is counted and no more.
#[inline(always)]
fn first_bytes(flow: &mut Flow, out: bool, buffer: UserBuffer, bytes: u64) {
    let looks = !out
        && window(buffer, bytes).is_none_or(|(window, len)| protocol::of_first_bytes(&window, len) == Protocol::Http);
    if !looks {
        settle::opaque(flow);
        flow.header.inbound.lost = loss::NOT_HTTP as u16;
        flow.header.outbound.lost = loss::NOT_HTTP as u16;
    }
}

#[inline(always)]
fn account_on<const OUT: bool>(flow: &mut Flow, buffer: UserBuffer, bytes: u64) -> bool {
    let now_ns = clock::now();
    let direction = if OUT { flows::OUT_DIRECTION } else { flows::IN };
    let turned = flow.direction != direction;
    flow.direction = direction;
    let resumable = turned && flows::may_resume::<OUT>(flow);
    let side = side::<OUT>(flow);
    let counting = side.phase != phase::HEAD && side.want == 0 && side.next > side.total.wrapping_add(bytes);
    if !resumable && (counting || side.phase == phase::LOST) {
        let side = side_mut::<OUT>(flow);
        side.total = side.total.wrapping_add(bytes);
        side.last_ns = now_ns;
        flow.header.version = flow.header.version.wrapping_add(2);
        return false;
    }
    if !flows::enter(flow) {
        skip::<OUT>(flow, bytes, now_ns, loss::CONTENDED);
        emit::count_loss(loss::CONTENDED);
        return false;
    }
    flow.header.version = flow.header.version.wrapping_add(1);
    flow.lost_before = u16::from(side_mut::<OUT>(flow).phase == phase::LOST);
    begin_call::<OUT>(flow, bytes, now_ns);
    buffer.store(flow);
    if resumable {
        resync::<OUT>(flow, &mut BufferCall { buffer }, bytes);
    }
    true
}

/// Reads on where [`account`] or the last [`go_on`] stopped. True when there is still more.
#[inline(always)]
pub fn go_on<const OUT: bool>(key: &mut SessionKey) -> bool {
    let Some(session) = find(key) else { return false };
    let flow = &mut session.flow;
    let mut call = BufferCall { buffer: UserBuffer::load(flow) };
    if !step::<OUT>(flow, &mut call) {
        return true;
    }
    finish::<OUT>(flow, &mut call);
    flows::leave::<OUT>(flow);
    false
}

/// Ends a call that took more runs than are allowed.
#[inline(always)]
pub fn end_call<const OUT: bool>(key: &mut SessionKey) {
    let Some(session) = find(key) else { return };
    let flow = &mut session.flow;
    let mut call = BufferCall { buffer: UserBuffer::load(flow) };
    finish::<OUT>(flow, &mut call);
    flows::leave::<OUT>(flow);
}

/// A call that the library makes on a socket: its session's records go over that one. True only for bytes that are TLS:
/// callbacks of the library may use sockets for something else.
#[inline(never)]
pub fn join<const SEND: bool>(socket: Socket, origin: impl Origin, bytes: u64) -> bool {
    let Some(mut key) = calls::inside() else { return false };
    let Some(session) = find(&mut key) else { return false };
    if session.joined != 0 || !socket.is_tcp() {
        return false;
    }
    let Ok(buffer) = origin.first_buffer(socket, bytes) else { return false };
    let Some((window, len)) = window(buffer, bytes) else { return false };
    if protocol::of_later_bytes(&window, len, bytes) != Protocol::Tls {
        return false;
    }
    session.joined = 1;
    session.flow.header.local_port = socket.local_port();
    if session.flow.header.flags & flag::CLIENT != 0 {
        flows::introduce(socket, &session.flow);
    }
    match flows::find(socket) {
        Some(flow) => flow.header.flags |= flag::OPENED,
        None => storage::set_interest(socket, interest::OPENED),
    }
    true
}

/// One end will send no more: its own (`SSL_shutdown`), or the peer's, as the library has told.
#[inline(always)]
pub fn no_more(key: &mut SessionKey, own: bool) {
    let Some(session) = find(key) else { return };
    let header = &mut session.flow.header;
    let client = header.flags & flag::CLIENT != 0;
    if own == client {
        header.flags |=
            flag::CLIENT_FIN | if header.flags & flag::SERVER_FIN == 0 { flag::CLIENT_FIN_FIRST } else { 0 };
        return;
    }
    if header.flags & flag::SERVER_FIN == 0 {
        header.flags |= flag::SERVER_FIN;
        if header.outbound.phase == phase::UNTIL_CLOSE || header.in_len != 0 || header.out_len != 0 {
            flows::publish(&mut session.flow, kind::END);
        }
    }
}

/// The session is over.
#[inline(always)]
pub fn end(key: &mut SessionKey) {
    let Some(session) = find(key) else { return };
    let header = &session.flow.header;
    if header.outbound.phase == phase::UNTIL_CLOSE && header.flags & (flag::CLIENT | flag::SERVER_FIN) == flag::CLIENT {
        lose::<true>(&mut session.flow, loss::TLS_END);
    }
    let header = &mut session.flow.header;
    header.flags |= flag::CLOSED;
    // The library keeps no counters of its own that could be compared.
    header.kernel_in = header.inbound.total;
    header.kernel_out = header.outbound.total;
    flows::publish(&mut session.flow, kind::CLOSE);
    // SAFETY: a map of this object, with a key on the stack.
    unsafe { bpf_map_delete_elem(TLS_SESSIONS.pointer(), (&raw mut *key).cast()) };
}
