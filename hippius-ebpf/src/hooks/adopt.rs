//! A look at all open files, when the agent asks for one: connections of watched processes that were made before.

use core::ffi::c_void;

use aya_ebpf::helpers::generated::bpf_sock_from_file;

use crate::flows;
use crate::kernel::fields::{Kernel, SK_STATE, SOCKET_SK, TASK_TGID};
use crate::kernel::socket::Socket;

/// include/net/tcp_states.h
const TCP_ESTABLISHED: u8 = 1;
const TCP_CLOSE_WAIT: u8 = 8;

/// `struct bpf_iter__task_file` (kernel/bpf/task_iter.c); part of the iterator's stable interface.
#[repr(C)]
struct Visit {
    meta: *const c_void,
    task: *const u8,
    /// The descriptor, padded.
    fd: u64,
    file: *mut c_void,
}

/// match-proto: int bpf_iter_task_file(struct bpf_iter_meta *meta, struct task_struct *task, u32 fd, struct file *file), since 5.8
#[unsafe(no_mangle)]
#[unsafe(link_section = "iter/task_file")]
extern "C" fn adopt(visit: *const Visit) -> i32 {
    // SAFETY: the context of this iterator; the verifier checks each access.
    let (task, file) = unsafe { ((*visit).task, (*visit).file) };
    if task.is_null() || file.is_null() {
        return 0;
    }
    let tgid = Kernel(task).read::<u32>(&TASK_TGID);
    if !flows::is_client(tgid) {
        return 0;
    }
    // SAFETY: a file of the iterator; the result is null for anything but a socket.
    let owner = Kernel(unsafe { bpf_sock_from_file(file.cast()) }.cast_const().cast());
    if owner.is_null() {
        return 0;
    }
    let socket = Socket(owner.follow(&SOCKET_SK));
    if socket.0.is_null() {
        return 0;
    }
    let state = socket.0.read::<u8>(&SK_STATE);
    if state == TCP_ESTABLISHED || state == TCP_CLOSE_WAIT {
        flows::adopt_open(socket, tgid);
    }
    0
}
