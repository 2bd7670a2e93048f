//! Where the buffer of a call is known from: each back-end has its own way.

use aya_ebpf::helpers::generated::bpf_get_current_pid_tgid;
use hippius_common::flow::Flow;
use hippius_common::loss::{self, LossReason};

use crate::kernel::message::Message;
use crate::kernel::socket::Socket;
use crate::kernel::user_buffer::{InFlight, Running, UserBuffer, in_flight};

/// Finds the buffer of the call on `socket` that has accepted `bytes`.
pub trait Origin: Copy {
    /// The buffer of a call on a watched socket.
    fn buffer(self, socket: Socket, flow: &mut Flow, bytes: u64) -> Result<UserBuffer, LossReason>;

    /// The buffer of the first call on a socket.
    fn first_buffer(self, socket: Socket, bytes: u64) -> Result<UserBuffer, LossReason>;
}

/// The system call in flight, where it is proven to be about the socket.
#[derive(Clone, Copy)]
pub struct SystemCall;

impl Origin for SystemCall {
    /// Of `sendmmsg` and `recvmmsg`, the buffer of the message at hand.
    #[inline(always)]
    fn buffer(self, socket: Socket, flow: &mut Flow, bytes: u64) -> Result<UserBuffer, LossReason> {
        let multi = match in_flight(&Running::on(socket))? {
            InFlight::Buffer(buffer) => return Ok(buffer),
            InFlight::Multi(multi) => multi,
        };
        // SAFETY: no precondition.
        let task = unsafe { bpf_get_current_pid_tgid() };
        let index = flow.multi_index;
        // The kernel stores each message's length before it goes on to the next, so a call that goes on shows the
        // length of the message before (net/socket.c, __sys_sendmmsg and do_recvmmsg).
        let goes_on = flow.multi_task == task
            && flow.multi_base == multi.base
            && index != 0
            && u64::from(index) < multi.count
            && UserBuffer::multi_length(&multi, index - 1)? == flow.multi_last;
        let index = if goes_on { index } else { 0 };
        flow.multi_task = task;
        flow.multi_base = multi.base;
        flow.multi_index = index + 1;
        flow.multi_last = bytes as u32;
        UserBuffer::of_multi(&multi, index)
    }

    #[inline(always)]
    fn first_buffer(self, socket: Socket, _bytes: u64) -> Result<UserBuffer, LossReason> {
        match in_flight(&Running::on(socket))? {
            InFlight::Buffer(buffer) => Ok(buffer),
            InFlight::Multi(multi) => UserBuffer::of_multi(&multi, 0),
        }
    }
}

impl Origin for Message {
    #[inline(always)]
    fn buffer(self, _socket: Socket, _flow: &mut Flow, bytes: u64) -> Result<UserBuffer, LossReason> {
        Self::buffer(self, bytes)
    }

    #[inline(always)]
    fn first_buffer(self, _socket: Socket, bytes: u64) -> Result<UserBuffer, LossReason> {
        Self::buffer(self, bytes)
    }
}

/// Pages of a file or a pipe: no user memory.
#[derive(Clone, Copy)]
pub struct KernelPages;

impl Origin for KernelPages {
    #[inline(always)]
    fn buffer(self, _socket: Socket, _flow: &mut Flow, _bytes: u64) -> Result<UserBuffer, LossReason> {
        Err(loss::NO_BUFFER)
    }

    #[inline(always)]
    fn first_buffer(self, _socket: Socket, _bytes: u64) -> Result<UserBuffer, LossReason> {
        Err(loss::NO_BUFFER)
    }
}
