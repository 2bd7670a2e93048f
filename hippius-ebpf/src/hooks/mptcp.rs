//! MPTCP sockets on the fentry back-end, whose calls pass functions of their own. The tracepoints see them as they see TCP's.

use aya_ebpf::macros::fexit;
use aya_ebpf::programs::FExitContext;

use super::message::{message, socket};
use super::runs::{self, NO_TRAFFIC, family};

/// match-proto: int mptcp_recvmsg(struct sock *sk, struct msghdr *msg, size_t len, int flags), since 6.18
#[fexit(function = "mptcp_recvmsg")]
pub fn mptcp_recvmsg_short(ctx: FExitContext) -> i32 {
    received(&ctx, ctx.arg::<i32>(3), ctx.arg::<i32>(4))
}

/// match-proto: int mptcp_recvmsg(struct sock *sk, struct msghdr *msg, size_t len, int flags, int *addr_len), since 5.19
#[fexit(function = "mptcp_recvmsg")]
pub fn mptcp_recvmsg(ctx: FExitContext) -> i32 {
    received(&ctx, ctx.arg::<i32>(3), ctx.arg::<i32>(5))
}

/// match-proto: int mptcp_recvmsg(struct sock *sk, struct msghdr *msg, size_t len, int nonblock, int flags, int *addr_len), until 5.18
#[fexit(function = "mptcp_recvmsg")]
pub fn mptcp_recvmsg_nonblock(ctx: FExitContext) -> i32 {
    received(&ctx, ctx.arg::<i32>(4), ctx.arg::<i32>(6))
}

#[inline(always)]
fn received(ctx: &FExitContext, flags: i32, result: i32) -> i32 {
    if result > 0 && flags & NO_TRAFFIC == 0 {
        runs::begin::<false, { family::MPTCP }>(ctx, socket(ctx), message(ctx), result);
    } else {
        runs::failed::<false>(socket(ctx), result);
    }
    0
}

/// sendfile and splice come here too.
///
/// match-proto: int mptcp_sendmsg(struct sock *sk, struct msghdr *msg, size_t len), since 5.6
#[fexit(function = "mptcp_sendmsg")]
pub fn mptcp_sendmsg(ctx: FExitContext) -> i32 {
    let result = ctx.arg::<i32>(3);
    if result > 0 {
        runs::begin::<true, { family::MPTCP }>(&ctx, socket(&ctx), message(&ctx), result);
    } else {
        runs::failed::<true>(socket(&ctx), result);
    }
    0
}

/// Goes on with a call of `mptcp_recvmsg`.
#[fexit(function = "mptcp_recvmsg")]
pub fn mptcp_recvmsg_on(ctx: FExitContext) -> i32 {
    runs::go_on::<false, { family::MPTCP }>(&ctx, socket(&ctx));
    0
}

/// Goes on with a call of `mptcp_sendmsg`.
#[fexit(function = "mptcp_sendmsg")]
pub fn mptcp_sendmsg_on(ctx: FExitContext) -> i32 {
    runs::go_on::<true, { family::MPTCP }>(&ctx, socket(&ctx));
    0
}
