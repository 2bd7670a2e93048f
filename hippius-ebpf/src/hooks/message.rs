//! The fentry back-end: fexit programs on the kernel's functions, which give the message that the call was about.
//!
//! They run after the call, outside of the socket lock. kTLS sockets do not pass these functions, and MPTCP sockets have
//! functions of their own ([`super::mptcp`]).

use aya_ebpf::macros::fexit;
use aya_ebpf::programs::FExitContext;

use super::runs::{self, NO_TRAFFIC, family};
use crate::flows;
use crate::kernel::fields::Kernel;
use crate::kernel::message::Message;
use crate::kernel::socket::Socket;
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
    if result > 0 && flags & NO_TRAFFIC == 0 {
        runs::begin::<false, { family::INET }>(ctx, socket(ctx), message(ctx), result);
    }
    0
}

/// match-proto: int tcp_sendmsg(struct sock *sk, struct msghdr *msg, size_t size), since 4.1
#[fexit(function = "tcp_sendmsg")]
pub fn tcp_sendmsg(ctx: FExitContext) -> i32 {
    let result = ctx.arg::<i32>(3);
    if result > 0 {
        runs::begin::<true, { family::INET }>(&ctx, socket(&ctx), message(&ctx), result);
    }
    0
}

/// sendfile and splice into a socket; later they are messages of `tcp_sendmsg`. Nothing of it can be read.
///
/// match-proto: int tcp_sendpage(struct sock *sk, struct page *page, int offset, size_t size, int flags), until 6.4
#[fexit(function = "tcp_sendpage")]
pub fn tcp_sendpage(ctx: FExitContext) -> i32 {
    let socket = socket(&ctx);
    let result = ctx.arg::<i32>(5);
    if result <= 0 {
        return 0;
    }
    let bytes = u64::from(result as u32);
    match flows::find(socket) {
        Some(flow) if flows::is_client_side(flow) => flows::account_pages(socket, flow, bytes),
        flow if flows::is_watched(socket.local_port()) => {
            // There is never more to do.
            flows::account::<true>(socket, flow, KernelPages, bytes);
        }
        _ => {}
    }
    0
}

/// Goes on with a call of `tcp_recvmsg`.
#[fexit(function = "tcp_recvmsg")]
pub fn tcp_recvmsg_on(ctx: FExitContext) -> i32 {
    runs::go_on::<false, { family::INET }>(&ctx, socket(&ctx));
    0
}

/// Goes on with a call of `tcp_sendmsg`.
#[fexit(function = "tcp_sendmsg")]
pub fn tcp_sendmsg_on(ctx: FExitContext) -> i32 {
    runs::go_on::<true, { family::INET }>(&ctx, socket(&ctx));
    0
}

/// A call of `tcp_recvmsg_short` on a client's socket.
#[fexit(function = "tcp_recvmsg")]
pub fn tcp_recvmsg_short_client(ctx: FExitContext) -> i32 {
    runs::begin_client::<false>(&ctx, socket(&ctx), message(&ctx), ctx.arg::<i32>(4));
    0
}

/// A call of `tcp_recvmsg` on a client's socket.
#[fexit(function = "tcp_recvmsg")]
pub fn tcp_recvmsg_client(ctx: FExitContext) -> i32 {
    runs::begin_client::<false>(&ctx, socket(&ctx), message(&ctx), ctx.arg::<i32>(5));
    0
}

/// A call of `tcp_recvmsg_nonblock` on a client's socket.
#[fexit(function = "tcp_recvmsg")]
pub fn tcp_recvmsg_nonblock_client(ctx: FExitContext) -> i32 {
    runs::begin_client::<false>(&ctx, socket(&ctx), message(&ctx), ctx.arg::<i32>(6));
    0
}

/// A call of `tcp_sendmsg` on a client's socket.
#[fexit(function = "tcp_sendmsg")]
pub fn tcp_sendmsg_client(ctx: FExitContext) -> i32 {
    runs::begin_client::<true>(&ctx, socket(&ctx), message(&ctx), ctx.arg::<i32>(3));
    0
}

/// Goes on with a call of `tcp_recvmsg` on a client's socket.
#[fexit(function = "tcp_recvmsg")]
pub fn tcp_recvmsg_client_on(ctx: FExitContext) -> i32 {
    runs::go_on_client::<false>(&ctx, socket(&ctx));
    0
}

/// Goes on with a call of `tcp_sendmsg` on a client's socket.
#[fexit(function = "tcp_sendmsg")]
pub fn tcp_sendmsg_client_on(ctx: FExitContext) -> i32 {
    runs::go_on_client::<true>(&ctx, socket(&ctx));
    0
}

/// Copies on what was received on a client's socket and is no HTTP.
#[fexit(function = "tcp_recvmsg")]
pub fn tcp_recvmsg_stream(ctx: FExitContext) -> i32 {
    runs::go_on_stream::<false>(&ctx, socket(&ctx));
    0
}

/// Copies on what was sent on a client's socket and is no HTTP.
#[fexit(function = "tcp_sendmsg")]
pub fn tcp_sendmsg_stream(ctx: FExitContext) -> i32 {
    runs::go_on_stream::<true>(&ctx, socket(&ctx));
    0
}

/// The first argument: a `struct sock`.
#[inline(always)]
pub(super) fn socket(ctx: &FExitContext) -> Socket {
    flows::socket(ctx.arg::<*const u8>(0))
}

/// The second and the third: a `struct msghdr`, and the bytes that it asks for.
#[inline(always)]
pub(super) fn message(ctx: &FExitContext) -> Message {
    Message { header: Kernel(ctx.arg::<*const u8>(1)), requested: ctx.arg::<u64>(2) }
}
