//! The BTF-tracepoint back-end: both fire after the call, with its result, and outside of the socket lock.
//!
//! A call that carries many messages takes several runs: the `_on` programs, reached by tail calls, of which the kernel
//! allows 33 in a row.

use aya_ebpf::macros::btf_tracepoint;
use aya_ebpf::programs::BtfTracePointContext;

use super::runs::{self, NO_TRAFFIC};
use crate::flows;
use crate::origin::SystemCall;

/// match-proto: void sock_recv_length(struct sock *sk, int ret, int flags), since 6.3
#[btf_tracepoint(function = "sock_recv_length")]
pub fn sock_recv_length(ctx: BtfTracePointContext) -> i32 {
    let socket = flows::socket(ctx.arg::<*const u8>(0));
    if !flows::is_watched(socket.local_port()) {
        return 0;
    }
    let result = ctx.arg::<i32>(1);
    if result > 0 && ctx.arg::<i32>(2) & NO_TRAFFIC == 0 {
        runs::begin::<false>(&ctx, socket, SystemCall, result);
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
    if result > 0 {
        runs::begin::<true>(&ctx, socket, SystemCall, result);
    }
    0
}

/// Goes on with a call of `sock_recv_length`.
#[btf_tracepoint(function = "sock_recv_length")]
pub fn sock_recv_length_on(ctx: BtfTracePointContext) -> i32 {
    let socket = flows::socket(ctx.arg::<*const u8>(0));
    runs::go_on::<false>(&ctx, socket);
    0
}

/// Goes on with a call of `sock_send_length`.
#[btf_tracepoint(function = "sock_send_length")]
pub fn sock_send_length_on(ctx: BtfTracePointContext) -> i32 {
    let socket = flows::socket(ctx.arg::<*const u8>(0));
    runs::go_on::<true>(&ctx, socket);
    0
}
