//! The state of a socket: in socket storage, which goes away with the socket; before 5.12 in hashes by its address, from
//! which `inet_sock_destruct` takes it.

use core::ffi::c_void;

use aya_ebpf::helpers::generated::{bpf_map_delete_elem, bpf_map_lookup_elem, bpf_map_update_elem, bpf_sk_storage_get};
use hippius_common::fields::ABSENT;
use hippius_common::flow::Flow;

use crate::kernel::fields::{HAS_STORAGE, SK_STORAGE};
use crate::kernel::socket::Socket;
use crate::maps::{EMPTY_FLOW, FLOWS, FLOWS_BY_ADDRESS, IGNORED, IGNORED_BY_ADDRESS, MapPointer};

const BPF_SK_STORAGE_GET_F_CREATE: u64 = 1;
const BPF_NOEXIST: u64 = 1;

/// Values of `IGNORED`.
pub mod interest {
    /// Nothing is known.
    pub const UNKNOWN: u32 = 0;
    /// Of none.
    pub const NONE: u32 = 1;
    /// Seen from the handshake on: nothing moved before.
    pub const BORN: u32 = 2;
    /// TLS, whose session is read.
    pub const OPENED: u32 = 3;
    /// A bit: of a socket without counters, turns of direction are counted until a request comes.
    pub const TURNS: u32 = 16;
    /// A bit beside it: the last call received.
    pub const RECEIVED: u32 = 32;
    /// One turn.
    pub const TURN: u32 = 64;
}

/// Nothing is known of the socket, as most calls of a host find it: a look at a pointer, and no call of the kernel's.
#[inline(always)]
pub fn is_empty(socket: Socket) -> bool {
    HAS_STORAGE.load() != 0 && SK_STORAGE.load() != ABSENT && socket.0.read::<u64>(&SK_STORAGE) == 0
}

/// The state of a watched socket.
#[inline(always)]
pub fn flow(socket: Socket) -> Option<&'static mut Flow> {
    if HAS_STORAGE.load() != 0 {
        return stored(FLOWS.pointer(), socket, 0);
    }
    looked_up(FLOWS_BY_ADDRESS.pointer(), socket)
}

/// Begins the state of a socket, all zeroes.
#[inline(always)]
pub fn create_flow(socket: Socket) -> Option<&'static mut Flow> {
    if HAS_STORAGE.load() != 0 {
        return stored(FLOWS.pointer(), socket, BPF_SK_STORAGE_GET_F_CREATE);
    }
    let empty = EMPTY_FLOW.get_ptr_mut(0)?;
    let mut key = socket.address();
    let map = FLOWS_BY_ADDRESS.pointer();
    // SAFETY: a map of this object, with a key on the stack and a value of its type.
    unsafe { bpf_map_update_elem(map, (&raw mut key).cast(), empty.cast(), BPF_NOEXIST) };
    looked_up(map, socket)
}

/// One of [`interest`].
#[inline(always)]
pub fn interest(socket: Socket) -> u32 {
    let known: Option<&mut u32> = if HAS_STORAGE.load() != 0 {
        stored(IGNORED.pointer(), socket, 0)
    } else {
        looked_up(IGNORED_BY_ADDRESS.pointer(), socket)
    };
    known.map_or(interest::UNKNOWN, |known| *known)
}

/// Notes one of [`interest`].
#[inline(always)]
pub fn set_interest(socket: Socket, value: u32) {
    if HAS_STORAGE.load() != 0 {
        if let Some(known) = stored::<u32>(IGNORED.pointer(), socket, BPF_SK_STORAGE_GET_F_CREATE) {
            *known = value;
        }
        return;
    }
    let (mut key, mut value) = (socket.address(), value);
    // SAFETY: a map of this object, with key and value on the stack.
    unsafe { bpf_map_update_elem(IGNORED_BY_ADDRESS.pointer(), (&raw mut key).cast(), (&raw mut value).cast(), 0) };
}

/// The socket is no more: its address may soon be another's.
#[inline(always)]
pub fn forget(socket: Socket) {
    for map in [FLOWS_BY_ADDRESS.pointer(), IGNORED_BY_ADDRESS.pointer()] {
        let mut key = socket.address();
        // SAFETY: a map of this object, with a key on the stack.
        unsafe { bpf_map_delete_elem(map, (&raw mut key).cast()) };
    }
}

#[inline(always)]
fn stored<T>(map: *mut c_void, socket: Socket, flags: u64) -> Option<&'static mut T> {
    // SAFETY: the map is a socket storage of `T`, the socket a pointer of the hook.
    unsafe { bpf_sk_storage_get(map, socket.0.0.cast_mut().cast(), core::ptr::null_mut(), flags).cast::<T>().as_mut() }
}

#[inline(always)]
fn looked_up<T>(map: *mut c_void, socket: Socket) -> Option<&'static mut T> {
    let mut key = socket.address();
    // SAFETY: the map is a hash of `T` by address; values are freed only after the programs that found them have ended.
    unsafe { bpf_map_lookup_elem(map, (&raw mut key).cast()).cast::<T>().as_mut() }
}
