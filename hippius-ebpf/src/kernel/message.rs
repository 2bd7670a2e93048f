//! Finds the user buffer of a call from the message that the kernel function was given.
//!
//! The message is about the socket by itself: the function was called with both. So nothing has to be proven of the
//! system call in flight, and calls that io_uring makes on behalf of a process are read like any other.
//!
//! When the function returns, its iterator (`struct iov_iter`) has moved over the bytes. It is wound back the way the
//! kernel does it (lib/iov_iter.c, iov_iter_revert), by exactly the accepted bytes, and only if it moved by so many.

use aya_ebpf::Global;
use aya_ebpf::helpers::generated::bpf_probe_read_kernel;
use hippius_common::fields::ABSENT;
use hippius_common::loss::{self, LossReason};
use hippius_ebpf::capture::memory::{load, store};

use super::fields::{
    ITER_ADDRESS, ITER_COUNT, ITER_HAS_DIRECTION, ITER_IOVEC, ITER_OFFSET, ITER_SEGMENTS, ITER_TYPE, ITER_UBUF, Kernel,
};
use super::user_buffer::UserBuffer;

/// Most segments over which an iterator is wound back. A power of two.
const REWIND_LIMIT: u32 = 64;
/// Size of a `struct iovec`.
const SEGMENT_BYTES: u64 = 16;

/// A `struct msghdr` after the call that it was given to.
#[derive(Clone, Copy)]
pub struct Message {
    /// The structure.
    pub header: Kernel,
    /// Bytes that the call was asked to move: what the iterator held at its beginning.
    pub requested: u64,
}

/// How far an iterator is wound back.
struct Rewind {
    segment: u64,
    left: u64,
}

impl Message {
    /// Where the `bytes` stand that the call has accepted. Kernel-side iterators (sendfile, splice, registered buffers
    /// of io_uring) are no user memory, and what `MSG_TRUNC` threw away was never written.
    #[inline(always)]
    pub fn buffer(self, bytes: u64) -> Result<UserBuffer, LossReason> {
        if self.requested.wrapping_sub(self.header.read::<u64>(&ITER_COUNT)) != bytes {
            return Err(loss::NO_BUFFER);
        }
        // Until 5.13 the lowest bit of the type was the direction.
        let kind = u32::from(self.header.read::<u8>(&ITER_TYPE));
        let kind = if ITER_HAS_DIRECTION.load() != 0 { kind & !1 } else { kind };
        let offset = self.header.read::<u64>(&ITER_OFFSET);
        if ITER_ADDRESS.load() != ABSENT && kind == ITER_UBUF.load() {
            let address = self.pointer(&ITER_ADDRESS)?;
            return Ok(UserBuffer::plain(address.wrapping_add(offset).wrapping_sub(bytes)));
        }
        if kind != ITER_IOVEC.load() {
            return Err(loss::NO_BUFFER);
        }
        let segment = self.pointer(&ITER_SEGMENTS)?;
        if bytes <= offset {
            return Ok(UserBuffer::scattered(segment, 1, offset - bytes));
        }
        rewind(segment, bytes - offset)
    }

    /// A pointer as a number: read as a field, it would be a typed pointer that must not be calculated with.
    #[inline(always)]
    fn pointer(self, offset: &Global<u32>) -> Result<u64, LossReason> {
        let mut pointer = 0u64;
        // SAFETY: writes eight bytes to the stack; a bad address is an error, not a fault.
        let result = unsafe {
            let from = self.header.0.add(offset.load() as usize);
            bpf_probe_read_kernel((&raw mut pointer).cast(), 8, from.cast())
        };
        if result == 0 { Ok(pointer) } else { Err(loss::NO_BUFFER) }
    }
}

/// Walks backwards from the segment at which the iterator stands.
#[inline(always)]
fn rewind(segment: u64, bytes: u64) -> Result<UserBuffer, LossReason> {
    let mut at = Rewind { segment, left: bytes };
    for _ in 0..REWIND_LIMIT {
        let previous = load(&at.segment).wrapping_sub(SEGMENT_BYTES);
        let mut size = 0u64;
        // SAFETY: writes eight bytes to the stack; a bad address is an error, not a fault.
        let result = unsafe { bpf_probe_read_kernel((&raw mut size).cast(), 8, (previous + 8) as *const _) };
        if result != 0 {
            break;
        }
        store(&mut at.segment, previous);
        let left = load(&at.left);
        if left <= size {
            // The bytes end before the array does. How many segments they take is no number that the verifier may know:
            // each would be a state of its own.
            return Ok(UserBuffer::scattered(previous, u64::from(REWIND_LIMIT), size - left));
        }
        store(&mut at.left, left - size);
    }
    Err(loss::NO_BUFFER)
}
