//! The BTF-tracepoint back-end: both fire after the call, with its result, and outside of the socket lock.
//!
//! A call that carries many messages takes several runs: the `_on` programs, reached by tail calls, of which the kernel
//! allows 33 in a row. Calls on clients' sockets have programs of their own, so that the verifier walks each once.

use aya_ebpf::macros::btf_tracepoint;
use aya_ebpf::programs::BtfTracePointContext;

use super::runs::{self, NO_TRAFFIC, family};
use crate::flows;
use crate::kernel::socket::Socket;
use crate::origin::SystemCall;

/// match-proto: void sock_recv_length(struct sock *sk, int ret, int flags), since 6.3
#[btf_tracepoint(function = "sock_recv_length")]
pub fn sock_recv_length(ctx: BtfTracePointContext) -> i32 {
    let result = result(&ctx);
    if result <= 0 {
        runs::failed::<false>(socket(&ctx), result);
    } else if ctx.arg::<i32>(2) & NO_TRAFFIC == 0 {
        runs::begin::<false, { family::ANY }>(&ctx, socket(&ctx), SystemCall, result);
    }
    0
}

/// match-proto: void sock_send_length(struct sock *sk, int ret, int flags), since 6.3
#[btf_tracepoint(function = "sock_send_length")]
pub fn sock_send_length(ctx: BtfTracePointContext) -> i32 {
    let result = result(&ctx);
    if result > 0 {
        runs::begin::<true, { family::ANY }>(&ctx, socket(&ctx), SystemCall, result);
    } else {
        runs::failed::<true>(socket(&ctx), result);
    }
    0
}

/// Goes on with a call of `sock_recv_length`.
#[btf_tracepoint(function = "sock_recv_length")]
pub fn sock_recv_length_on(ctx: BtfTracePointContext) -> i32 {
    runs::go_on::<false, { family::ANY }>(&ctx, socket(&ctx));
    0
}

/// Goes on with a call of `sock_send_length`.
#[btf_tracepoint(function = "sock_send_length")]
pub fn sock_send_length_on(ctx: BtfTracePointContext) -> i32 {
    runs::go_on::<true, { family::ANY }>(&ctx, socket(&ctx));
    0
}

/// A call of `sock_recv_length` on a client's socket.
#[btf_tracepoint(function = "sock_recv_length")]
pub fn sock_recv_length_client(ctx: BtfTracePointContext) -> i32 {
    runs::begin_client::<false>(&ctx, socket(&ctx), SystemCall, result(&ctx));
    0
}

/// A call of `sock_send_length` on a client's socket.
#[btf_tracepoint(function = "sock_send_length")]
pub fn sock_send_length_client(ctx: BtfTracePointContext) -> i32 {
    runs::begin_client::<true>(&ctx, socket(&ctx), SystemCall, result(&ctx));
    0
}

/// Goes on with `sock_recv_length_client`.
#[btf_tracepoint(function = "sock_recv_length")]
pub fn sock_recv_length_client_on(ctx: BtfTracePointContext) -> i32 {
    runs::go_on_client::<false>(&ctx, socket(&ctx));
    0
}

/// Goes on with `sock_send_length_client`.
#[btf_tracepoint(function = "sock_send_length")]
pub fn sock_send_length_client_on(ctx: BtfTracePointContext) -> i32 {
    runs::go_on_client::<true>(&ctx, socket(&ctx));
    0
}

/// Copies on what `sock_recv_length_client` found to be no HTTP.
#[btf_tracepoint(function = "sock_recv_length")]
pub fn sock_recv_length_stream(ctx: BtfTracePointContext) -> i32 {
    runs::go_on_stream::<false>(&ctx, socket(&ctx));
    0
}

/// Copies on what `sock_send_length_client` found to be no HTTP.
#[btf_tracepoint(function = "sock_send_length")]
pub fn sock_send_length_stream(ctx: BtfTracePointContext) -> i32 {
    runs::go_on_stream::<true>(&ctx, socket(&ctx));
    0
}

#[inline(always)]
fn socket(ctx: &BtfTracePointContext) -> Socket {
    flows::socket(ctx.arg::<*const u8>(0))
}

#[inline(always)]
fn result(ctx: &BtfTracePointContext) -> i32 {
    ctx.arg::<i32>(1)
}
