//! The fentry back-end: fexit programs on the kernel's functions, which give the message that the call was about.
//!
//! They run after the call, outside of the socket lock. MPTCP and kTLS sockets do not pass these functions.

use aya_ebpf::EbpfContext;
use aya_ebpf::helpers::generated::bpf_tail_call;
use aya_ebpf::macros::fexit;
use aya_ebpf::programs::FExitContext;

use crate::flows;
use crate::kernel::fields::Kernel;
use crate::kernel::message::Message;
use crate::maps::{MapPointer, RECV_ON, SEND_ON};
use crate::origin::KernelPages;

/// `MSG_PEEK` and `MSG_ERRQUEUE` (include/linux/socket.h): what they return is no traffic.
const NO_TRAFFIC: i32 = 0x2 | 0x2000;

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
    if flows::account::<false>(socket, message(ctx), u64::from(result as u32)) {
        next(ctx, RECV_ON.pointer());
        flows::end_call::<false>(socket);
    }
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
    if flows::account::<true>(socket, message(&ctx), u64::from(result as u32)) {
        next(&ctx, SEND_ON.pointer());
        flows::end_call::<true>(socket);
    }
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
    if flows::go_on::<false>(socket) {
        next(&ctx, RECV_ON.pointer());
        flows::end_call::<false>(socket);
    }
    0
}

/// Goes on with a call of `tcp_sendmsg`.
#[fexit(function = "tcp_sendmsg")]
pub fn tcp_sendmsg_on(ctx: FExitContext) -> i32 {
    let socket = flows::socket(ctx.arg::<*const u8>(0));
    if flows::go_on::<true>(socket) {
        next(&ctx, SEND_ON.pointer());
        flows::end_call::<true>(socket);
    }
    0
}

#[inline(always)]
fn message(ctx: &FExitContext) -> Message {
    Message { header: Kernel(ctx.arg::<*const u8>(1)), requested: ctx.arg::<u64>(2) }
}

/// Returns only when the kernel's limit of tail calls is reached.
#[inline(always)]
fn next(ctx: &FExitContext, programs: *mut core::ffi::c_void) {
    // SAFETY: the context and a program array of this object.
    unsafe { bpf_tail_call(ctx.as_ptr(), programs, 0) };
}
