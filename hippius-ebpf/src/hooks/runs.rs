//! One call on a socket, in as many runs of programs as it takes: both back-ends go on by tail calls.

use aya_ebpf::EbpfContext;
use aya_ebpf::helpers::generated::bpf_tail_call;

use crate::flows;
use crate::kernel::socket::Socket;
use crate::maps::{MapPointer, RECV_ON, SEND_ON};
use crate::origin::Origin;

/// `MSG_PEEK` and `MSG_ERRQUEUE` (include/linux/socket.h): what they return is no traffic.
pub const NO_TRAFFIC: i32 = 0x2 | 0x2000;

/// A call has moved `bytes`, more than none.
#[inline(always)]
pub fn begin<const OUT: bool>(ctx: &impl EbpfContext, socket: Socket, origin: impl Origin, bytes: i32) {
    if flows::account::<OUT>(socket, origin, u64::from(bytes as u32)) {
        continue_with::<OUT>(ctx, socket);
    }
}

/// Goes on where the last run stopped.
#[inline(always)]
pub fn go_on<const OUT: bool>(ctx: &impl EbpfContext, socket: Socket) {
    if flows::go_on::<OUT>(socket) {
        continue_with::<OUT>(ctx, socket);
    }
}

/// The next program takes over; it does not where the kernel's limit of tail calls is reached.
#[inline(always)]
fn continue_with<const OUT: bool>(ctx: &impl EbpfContext, socket: Socket) {
    let programs = if OUT { SEND_ON.pointer() } else { RECV_ON.pointer() };
    // SAFETY: the context and a program array of this object.
    unsafe { bpf_tail_call(ctx.as_ptr(), programs, 0) };
    flows::end_call::<OUT>(socket);
}
