//! Finds the user buffer of the system call in flight, if that call is about the given socket.
//!
//! The call in flight need not be the one that moved the bytes: io_uring completes receives for a task that sits in
//! an unrelated `read`. So the file behind the call's descriptor has to be the socket's own file, or nothing is copied.

use core::mem::MaybeUninit;

use aya_ebpf::Global;
use aya_ebpf::helpers::generated::{
    bpf_get_current_task_btf, bpf_probe_read_kernel, bpf_probe_read_user, bpf_task_pt_regs,
};
use hippius_common::fields::backend;
use hippius_common::flow::Flow;
use hippius_common::loss::{self, LossReason};
use hippius_ebpf::capture::memory::store;

use super::arch::{Shape, system_call};
use super::cast::pointer_at;
use super::fields::{FDT_FD, FDT_MAX_FDS, FILES_FDT, Kernel, SK_SOCKET, SOCKET_FILE, TASK_FILES};
use super::socket::Socket;

/// One of [`backend`]: how the calls are seen.
#[unsafe(no_mangle)]
pub static BACKEND: Global<u32> = Global::new(0);

/// Most segments of a scattered buffer that are looked at.
const SEGMENT_LIMIT: u32 = 16;
/// Size of `struct mmsghdr`: a `struct msghdr` (56), its returned length (4), padding.
const MMSGHDR_BYTES: u64 = 64;
const MSG_IOV: u64 = 16;
const MSG_LEN: u64 = 56;

/// Where the bytes of a call stand in user memory.
#[derive(Clone, Copy)]
pub struct UserBuffer {
    /// The buffer, or the array of `struct iovec`.
    base: u64,
    /// Number of `struct iovec`; 0 for a plain buffer.
    segments: u64,
    /// Bytes of the first of them that are not of the call.
    skip: u64,
}

/// A `sendmmsg`/`recvmmsg` in flight: the message is told by the caller's memory of the ones before it.
#[derive(Clone, Copy)]
pub struct MultiMessage {
    /// Array of `struct mmsghdr`.
    pub base: u64,
    /// Its length.
    pub count: u64,
}

/// The system call in flight.
pub enum InFlight {
    /// Its buffer is known.
    Buffer(UserBuffer),
    /// It carries several messages.
    Multi(MultiMessage),
}

/// The running task, and what leads from it and from the socket to the file that both must have.
///
/// Read in one place: for each pointer that is read from one that it trusts, and on each way that leads
/// there, the verifier searches all types of the kernel by name (btf_nested_type_is_trusted in kernel/bpf/btf.c, since
/// 6.4), which was a quarter of the time that the programs took to load.
#[derive(Clone, Copy)]
pub struct Running {
    task: Kernel,
    /// `struct files_struct` of the task.
    files: Kernel,
    /// `struct socket` of the socket.
    owner: Kernel,
}

impl Running {
    /// As it is now.
    #[inline(always)]
    pub fn on(socket: Socket) -> Self {
        // SAFETY: returns the running task, never null.
        let task = Kernel(unsafe { bpf_get_current_task_btf() }.cast_const().cast());
        Self { task, files: task.follow(&TASK_FILES), owner: socket.0.follow(&SK_SOCKET) }
    }
}

/// Finds the buffer of the call in flight.
#[inline(always)]
pub fn in_flight(running: &Running) -> Result<InFlight, LossReason> {
    let task = running.task;
    // SAFETY: `task` is a trusted task.
    let registers = Kernel(unsafe { bpf_task_pt_regs(task.0.cast_mut().cast()) } as *const u8);
    let call = system_call(task, registers)?;
    if !is_about(running, call.fd) {
        return Err(loss::NO_BUFFER);
    }
    match call.shape {
        Shape::Buffer => Ok(InFlight::Buffer(UserBuffer::plain(call.second))),
        Shape::Segments => Ok(InFlight::Buffer(UserBuffer::scattered(call.second, call.third, 0))),
        Shape::Message => UserBuffer::of_message(call.second).map(InFlight::Buffer),
        Shape::Messages => Ok(InFlight::Multi(MultiMessage { base: call.second, count: call.third })),
        Shape::None => Err(loss::NO_BUFFER),
    }
}

/// The file behind descriptor `fd` of the task is the socket's own.
#[inline(always)]
fn is_about(running: &Running, fd: u64) -> bool {
    let table = running.files.follow(&FILES_FDT);
    let fd = fd as u32;
    if fd >= table.read::<u32>(&FDT_MAX_FDS) {
        return false;
    }
    let file = pointer_at(table.read::<u64>(&FDT_FD) + u64::from(fd) * 8);
    file != 0 && running.owner.read::<u64>(&SOCKET_FILE) == file
}

impl UserBuffer {
    /// One buffer at an address.
    #[inline(always)]
    pub fn plain(base: u64) -> Self {
        Self { base, segments: 0, skip: 0 }
    }

    /// An array of `struct iovec`, without the first `skip` bytes. The array stands in user memory where it is found
    /// through the system call, and in the kernel's where it is found through a message.
    #[inline(always)]
    pub fn scattered(base: u64, segments: u64, skip: u64) -> Self {
        Self { base, segments, skip }
    }

    /// Keeps it for the program run that goes on with the call.
    #[inline(always)]
    pub fn store(&self, flow: &mut Flow) {
        flow.call_base = self.base;
        // One by one: where both are known to be zero, the compiler would call a function that sets bytes in a loop.
        store(&mut flow.call_segments, self.segments);
        store(&mut flow.call_skip, self.skip);
    }

    /// What [`Self::store`] kept.
    #[inline(always)]
    pub fn load(flow: &Flow) -> Self {
        Self { base: flow.call_base, segments: flow.call_segments, skip: flow.call_skip }
    }

    /// The buffer of a `struct msghdr`.
    #[inline(always)]
    fn of_message(message: u64) -> Result<Self, LossReason> {
        let [base, segments] = read_pair(message + MSG_IOV)?;
        Ok(Self::scattered(base, segments, 0))
    }

    /// The buffer of the message at `index`.
    #[inline(always)]
    pub fn of_multi(multi: &MultiMessage, index: u32) -> Result<Self, LossReason> {
        Self::of_message(multi.base + u64::from(index) * MMSGHDR_BYTES)
    }

    /// What the kernel stored as the length of the message at `index`.
    #[inline(always)]
    pub fn multi_length(multi: &MultiMessage, index: u32) -> Result<u32, LossReason> {
        let [_, word] = read_pair(multi.base + u64::from(index) * MMSGHDR_BYTES + MSG_LEN - 8)?;
        Ok(word as u32)
    }

    /// Address of the byte at `offset`, and how many follow it without a gap, `len` at most.
    #[inline(always)]
    pub fn locate(&self, offset: u64, len: u32) -> Result<(u64, u32), LossReason> {
        if self.segments == 0 {
            return Ok((self.base + offset, len));
        }
        let mut skip = offset + self.skip;
        for index in 0..SEGMENT_LIMIT {
            if u64::from(index) >= self.segments {
                break;
            }
            let [base, size] = read_segment(self.base + u64::from(index) * 16)?;
            if skip < size {
                let left = size - skip;
                return Ok((base + skip, if left < u64::from(len) { left as u32 } else { len }));
            }
            skip -= size;
        }
        Err(loss::NO_BUFFER)
    }
}

/// Copies user memory. `len` must be bounded by the destination, which the verifier checks.
///
/// # Safety
/// `to` points to at least `len` writable bytes.
#[inline(always)]
pub unsafe fn copy(to: *mut u8, from: u64, len: u32) -> Result<(), LossReason> {
    // SAFETY: guaranteed by the caller; a bad user address is an error, not a fault.
    let result = unsafe { bpf_probe_read_user(to.cast(), len, from as *const core::ffi::c_void) };
    if result == 0 { Ok(()) } else { Err(loss::USER_FAULT) }
}

/// A `struct iovec`. Which memory it stands in is fixed before the programs are loaded, so that no address that a
/// process made up is ever read as the kernel's.
#[inline(always)]
fn read_segment(address: u64) -> Result<[u64; 2], LossReason> {
    if BACKEND.load() != backend::FENTRY {
        return read_pair(address);
    }
    let mut pair = MaybeUninit::<[u64; 2]>::uninit();
    // SAFETY: sixteen bytes of the stack; a bad address is an error, not a fault.
    let result = unsafe { bpf_probe_read_kernel(pair.as_mut_ptr().cast(), 16, address as *const core::ffi::c_void) };
    // SAFETY: written as a whole, unless there was an error.
    if result == 0 { Ok(unsafe { pair.assume_init() }) } else { Err(loss::NO_BUFFER) }
}

#[inline(always)]
fn read_pair(address: u64) -> Result<[u64; 2], LossReason> {
    let mut pair = MaybeUninit::<[u64; 2]>::uninit();
    // SAFETY: sixteen bytes of the stack.
    unsafe { copy(pair.as_mut_ptr().cast(), address, 16) }?;
    // SAFETY: written as a whole; an error has returned.
    Ok(unsafe { pair.assume_init() })
}
