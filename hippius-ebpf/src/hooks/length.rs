//! The BTF-tracepoint back-end: both fire after the call, with its result, and outside of the socket lock.
//!
//! A call that carries many messages takes several runs: the `_on` programs, reached by tail calls, of which the kernel
//! allows 33 in a row.

use aya_ebpf::EbpfContext;
use aya_ebpf::helpers::generated::bpf_tail_call;
use aya_ebpf::macros::btf_tracepoint;
use aya_ebpf::programs::BtfTracePointContext;

use crate::flows;
use crate::maps::{MapPointer, RECV_ON, SEND_ON};
use crate::origin::SystemCall;

/// `MSG_PEEK` and `MSG_ERRQUEUE` (include/linux/socket.h): what they return is no traffic.
const NO_TRAFFIC: i32 = 0x2 | 0x2000;

/// match-proto: void sock_recv_length(struct sock *sk, int ret, int flags), since 6.3
#[btf_tracepoint(function = "sock_recv_length")]
pub fn sock_recv_length(ctx: BtfTracePointContext) -> i32 {
    let socket = flows::socket(ctx.arg::<*const u8>(0));
    if !flows::is_watched(socket.local_port()) {
        return 0;
    }
    let result = ctx.arg::<i32>(1);
    if result > 0
        && ctx.arg::<i32>(2) & NO_TRAFFIC == 0
        && flows::account::<false>(socket, SystemCall, u64::from(result as u32))
    {
        next(&ctx, RECV_ON.pointer());
        flows::end_call::<false>(socket);
    }
    0
}

/// match-proto: void sock_send_length(struct sock *sk, int ret, int flags), since 6.3
#[btf_tracepoint(function = "sock_send_length")]
pub fn sock_send_length(ctx: BtfTracePointContext) -> i32 {
    let socket = flows::socket(ctx.arg::<*const u8>(0));
    if !flows::is_send_watched(socket) {
        return 0;
    }
    let result = ctx.arg::<i32>(1);
    if result > 0 && flows::account::<true>(socket, SystemCall, u64::from(result as u32)) {
        next(&ctx, SEND_ON.pointer());
        flows::end_call::<true>(socket);
    }
    0
}

/// Goes on with a call of `sock_recv_length`.
#[btf_tracepoint(function = "sock_recv_length")]
pub fn sock_recv_length_on(ctx: BtfTracePointContext) -> i32 {
    let socket = flows::socket(ctx.arg::<*const u8>(0));
    if flows::go_on::<false>(socket) {
        next(&ctx, RECV_ON.pointer());
        flows::end_call::<false>(socket);
    }
    0
}

/// Goes on with a call of `sock_send_length`.
#[btf_tracepoint(function = "sock_send_length")]
pub fn sock_send_length_on(ctx: BtfTracePointContext) -> i32 {
    let socket = flows::socket(ctx.arg::<*const u8>(0));
    if flows::go_on::<true>(socket) {
        next(&ctx, SEND_ON.pointer());
        flows::end_call::<true>(socket);
    }
    0
}

/// Returns only when the kernel's limit of tail calls is reached.
#[inline(always)]
fn next(ctx: &BtfTracePointContext, programs: *mut core::ffi::c_void) {
    // SAFETY: the context and a program array of this object.
    unsafe { bpf_tail_call(ctx.as_ptr(), programs, 0) };
}
