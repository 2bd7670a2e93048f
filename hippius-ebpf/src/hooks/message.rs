//! The fentry back-end: fexit programs on the kernel's functions, which give the message that the call was about.
//!
//! They run after the call, outside of the socket lock. MPTCP and kTLS sockets do not pass these functions.

use aya_ebpf::macros::fexit;
use aya_ebpf::programs::FExitContext;

use super::runs::{self, NO_TRAFFIC};
use crate::flows;
use crate::kernel::fields::Kernel;
use crate::kernel::message::Message;
use crate::origin::KernelPages;

/// match-proto: int tcp_recvmsg(struct sock *sk, struct msghdr *msg, size_t len, int flags), since 6.18
#[fexit(function = "tcp_recvmsg")]
pub fn tcp_recvmsg_short(ctx: FExitContext) -> i32 {
    received(&ctx, ctx.arg::<i32>(3), ctx.arg::<i32>(4))
}

/// match-proto: int tcp_recvmsg(struct sock *sk, struct msghdr *msg, size_t len, int flags, int *addr_len), since 5.19
#[fexit(function = "tcp_recvmsg")]
pub fn tcp_recvmsg(ctx: FExitContext) -> i32 {
    // The result stands behind the arguments; bpf_get_func_ret() is there only since 5.17.
    received(&ctx, ctx.arg::<i32>(3), ctx.arg::<i32>(5))
}

/// match-proto: int tcp_recvmsg(struct sock *sk, struct msghdr *msg, size_t len, int nonblock, int flags, int *addr_len), until 5.18
#[fexit(function = "tcp_recvmsg")]
pub fn tcp_recvmsg_nonblock(ctx: FExitContext) -> i32 {
    received(&ctx, ctx.arg::<i32>(4), ctx.arg::<i32>(6))
}

#[inline(always)]
fn received(ctx: &FExitContext, flags: i32, result: i32) -> i32 {
    let socket = flows::socket(ctx.arg::<*const u8>(0));
    if result <= 0 || flags & NO_TRAFFIC != 0 || !flows::is_watched(socket.local_port()) {
        return 0;
    }
    runs::begin::<false>(ctx, socket, message(ctx), result);
    0
}

/// match-proto: int tcp_sendmsg(struct sock *sk, struct msghdr *msg, size_t size), since 4.1
#[fexit(function = "tcp_sendmsg")]
pub fn tcp_sendmsg(ctx: FExitContext) -> i32 {
    let socket = flows::socket(ctx.arg::<*const u8>(0));
    let result = ctx.arg::<i32>(3);
    if result <= 0 || !flows::is_send_watched(socket) {
        return 0;
    }
    runs::begin::<true>(&ctx, socket, message(&ctx), result);
    0
}

/// sendfile and splice into a socket; later they are messages of `tcp_sendmsg`.
///
/// match-proto: int tcp_sendpage(struct sock *sk, struct page *page, int offset, size_t size, int flags), until 6.4
#[fexit(function = "tcp_sendpage")]
pub fn tcp_sendpage(ctx: FExitContext) -> i32 {
    let socket = flows::socket(ctx.arg::<*const u8>(0));
    let result = ctx.arg::<i32>(5);
    if result > 0 && flows::is_send_watched(socket) {
        // Nothing of it can be read, so there is never more to do.
        flows::account::<true>(socket, KernelPages, u64::from(result as u32));
    }
    0
}

/// Goes on with a call of `tcp_recvmsg`.
#[fexit(function = "tcp_recvmsg")]
pub fn tcp_recvmsg_on(ctx: FExitContext) -> i32 {
    let socket = flows::socket(ctx.arg::<*const u8>(0));
    runs::go_on::<false>(&ctx, socket);
    0
}

/// Goes on with a call of `tcp_sendmsg`.
#[fexit(function = "tcp_sendmsg")]
pub fn tcp_sendmsg_on(ctx: FExitContext) -> i32 {
    let socket = flows::socket(ctx.arg::<*const u8>(0));
    runs::go_on::<true>(&ctx, socket);
    0
}

#[inline(always)]
fn message(ctx: &FExitContext) -> Message {
    Message { header: Kernel(ctx.arg::<*const u8>(1)), requested: ctx.arg::<u64>(2) }
}
