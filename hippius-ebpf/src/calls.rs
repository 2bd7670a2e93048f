//! The calls into TLS libraries that a thread is in, one inside of the other.
//!
//! A call that does not return (the thread ends, or leaves it by `longjmp`) would stay noted: so each is known by its stack
//! pointer, and those below the present one are over.

use aya_ebpf::helpers::generated::{bpf_get_current_pid_tgid, bpf_map_lookup_elem, bpf_map_update_elem};
use hippius_common::loss;
use hippius_common::tls::{CALL_DEPTH, Call, Calls, SessionKey};

use crate::emit;
use crate::maps::{EMPTY_CALLS, MapPointer, TLS_ACTIVE, TLS_CALLS};

/// The session that the running thread's library works on, if it is in one.
#[inline(always)]
pub fn inside() -> Option<SessionKey> {
    // SAFETY: no precondition.
    let thread = unsafe { bpf_get_current_pid_tgid() };
    let calls = calls(thread)?;
    let depth = calls.depth as usize;
    let call = &calls.calls[depth.wrapping_sub(1) & (CALL_DEPTH - 1)];
    (depth != 0).then_some(SessionKey { ssl: call.ssl, tgid: (thread >> 32) as u32, zero: 0 })
}

/// Whether any library is probed.
#[inline(always)]
pub fn are_possible() -> bool {
    TLS_ACTIVE.get(0).is_some_and(|active| *active != 0)
}

/// Notes a call, for its end.
#[inline(always)]
pub fn note(thread: u64, call: Call) {
    if calls(thread).is_none() {
        let Some(empty) = EMPTY_CALLS.get_ptr_mut(0) else { return };
        let mut key = thread;
        // SAFETY: a map of this object, with a key on the stack and a value of its type.
        unsafe { bpf_map_update_elem(TLS_CALLS.pointer(), (&raw mut key).cast(), empty.cast(), 0) };
    }
    let Some(calls) = calls(thread) else { return };
    drop_ended(calls, call.stack + 1);
    let depth = calls.depth as usize;
    match calls.calls.get_mut(depth & (CALL_DEPTH - 1)) {
        Some(place) if depth < CALL_DEPTH => {
            *place = call;
            calls.depth += 1;
        }
        _ => emit::count_loss(loss::TLS_NESTED),
    }
}

/// Calls whose stack is below `stack` are over.
#[inline(always)]
fn drop_ended(calls: &mut Calls, stack: u64) {
    for _ in 0..CALL_DEPTH {
        let depth = calls.depth as usize;
        if depth == 0 || calls.calls[depth.wrapping_sub(1) & (CALL_DEPTH - 1)].stack >= stack {
            break;
        }
        calls.depth -= 1;
    }
}

/// The call that began at this stack pointer.
#[inline(always)]
pub fn innermost(thread: u64, stack: u64) -> Option<&'static Call> {
    let calls = calls(thread)?;
    drop_ended(calls, stack);
    let depth = calls.depth as usize;
    let call = &calls.calls[depth.wrapping_sub(1) & (CALL_DEPTH - 1)];
    (depth != 0 && call.stack == stack).then_some(call)
}

/// The innermost call is over.
#[inline(always)]
pub fn leave(thread: u64) {
    if let Some(calls) = calls(thread)
        && calls.depth != 0
    {
        calls.depth -= 1;
    }
}

#[inline(always)]
fn calls(thread: u64) -> Option<&'static mut Calls> {
    let mut key = thread;
    // SAFETY: a map of this object, with a key on the stack; the entry is this thread's own.
    unsafe { bpf_map_lookup_elem(TLS_CALLS.pointer(), (&raw mut key).cast()).cast::<Calls>().as_mut() }
}
