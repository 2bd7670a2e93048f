//! Unix stream sockets on the fentry back-end. The tracepoints see them as they see TCP's, but for their end.

use aya_ebpf::macros::{fentry, fexit};
use aya_ebpf::programs::{FEntryContext, FExitContext};

use super::message::message;
use super::runs::{self, NO_TRAFFIC, family};
use crate::flows;
use crate::kernel::fields::{HAS_STORAGE, Kernel, SOCKET_SK};
use crate::kernel::socket::Socket;
use crate::origin::KernelPages;
use crate::storage;

/// match-proto: int unix_stream_recvmsg(struct socket *sock, struct msghdr *msg, size_t size, int flags), since 4.1
#[fexit(function = "unix_stream_recvmsg")]
pub fn unix_stream_recvmsg(ctx: FExitContext) -> i32 {
    let result = ctx.arg::<i32>(4);
    let Some(socket) = socket(ctx.arg(0)) else { return 0 };
    if result > 0 && ctx.arg::<i32>(3) & NO_TRAFFIC == 0 {
        runs::begin::<false, { family::UNIX }>(&ctx, socket, message(&ctx), result);
    } else {
        runs::failed::<false>(socket, result);
    }
    0
}

/// match-proto: int unix_stream_sendmsg(struct socket *sock, struct msghdr *msg, size_t len), since 4.1
#[fexit(function = "unix_stream_sendmsg")]
pub fn unix_stream_sendmsg(ctx: FExitContext) -> i32 {
    let result = ctx.arg::<i32>(3);
    let Some(socket) = socket(ctx.arg(0)) else { return 0 };
    if result > 0 {
        runs::begin::<true, { family::UNIX }>(&ctx, socket, message(&ctx), result);
    } else {
        runs::failed::<true>(socket, result);
    }
    0
}

/// Goes on with a call of `unix_stream_recvmsg`.
#[fexit(function = "unix_stream_recvmsg")]
pub fn unix_stream_recvmsg_on(ctx: FExitContext) -> i32 {
    let Some(socket) = socket(ctx.arg(0)) else { return 0 };
    runs::go_on::<false, { family::UNIX }>(&ctx, socket);
    0
}

/// Goes on with a call of `unix_stream_sendmsg`.
#[fexit(function = "unix_stream_sendmsg")]
pub fn unix_stream_sendmsg_on(ctx: FExitContext) -> i32 {
    let Some(socket) = socket(ctx.arg(0)) else { return 0 };
    runs::go_on::<true, { family::UNIX }>(&ctx, socket);
    0
}

/// sendfile and splice into a socket; later they are messages of `unix_stream_sendmsg`. Nothing of it can be read.
///
/// match-proto: ssize_t unix_stream_sendpage(struct socket *socket, struct page *page, int offset, size_t size, int flags), until 6.4
#[fexit(function = "unix_stream_sendpage")]
pub fn unix_stream_sendpage(ctx: FExitContext) -> i32 {
    let Some(socket) = socket(ctx.arg(0)) else { return 0 };
    pages::<true>(socket, ctx.arg::<i32>(5))
}

/// splice from a socket. Nothing of it can be read.
///
/// match-proto: ssize_t unix_stream_splice_read(struct socket *sock, loff_t *ppos, struct pipe_inode_info *pipe, size_t size, unsigned int flags), since 4.2
#[fexit(function = "unix_stream_splice_read")]
pub fn unix_stream_splice_read(ctx: FExitContext) -> i32 {
    let Some(socket) = socket(ctx.arg(0)) else { return 0 };
    pages::<false>(socket, ctx.arg::<i32>(5))
}

/// The last descriptor of a socket is closed.
///
/// match-proto: int unix_release(struct socket *sock), since 2.6
#[fentry(function = "unix_release")]
pub fn unix_release(ctx: FEntryContext) -> i32 {
    let Some(socket) = socket(ctx.arg(0)) else { return 0 };
    flows::released(socket);
    if HAS_STORAGE.load() == 0 {
        storage::forget(socket);
    }
    0
}

#[inline(always)]
fn pages<const SEND: bool>(socket: Socket, result: i32) -> i32 {
    if result > 0 && flows::concerns(socket) {
        let flow = flows::find(socket);
        if flow.is_some() {
            // There is never more to do.
            flows::account::<SEND>(socket, flow, KernelPages, u64::from(result as u32));
        }
    }
    0
}

#[inline(always)]
fn socket(of: *const u8) -> Option<Socket> {
    let socket = Socket(Kernel(of).follow(&SOCKET_SK));
    if socket.0.is_null() { None } else { Some(socket) }
}
