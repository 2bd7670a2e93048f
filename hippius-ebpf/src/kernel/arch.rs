//! Registers and system calls of the processors that the agent runs on. Which of them this is, the loader tells: what is
//! of the other is dead code, and the verifier takes it out.

use aya_ebpf::Global;
use hippius_common::fields::arch;
use hippius_common::loss::{self, LossReason};

use super::fields::{Kernel, TASK_STATUS};

/// One of [`arch`].
#[unsafe(no_mangle)]
static ARCH: Global<u32> = Global::new(0);

/// A system call in flight: its first three arguments, and what it is.
#[derive(Clone, Copy)]
pub struct SystemCall {
    /// The descriptor.
    pub fd: u64,
    /// The buffer, or the structure that leads to it.
    pub second: u64,
    /// Its length, or the number of structures.
    pub third: u64,
    /// How the second argument leads to the bytes.
    pub shape: Shape,
}

/// How the arguments of a call lead to the bytes.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Shape {
    /// `read`, `write`, `recvfrom`, `sendto`: a buffer.
    Buffer,
    /// `readv`, `writev`, `preadv2`, `pwritev2`: an array of `struct iovec`.
    Segments,
    /// `recvmsg`, `sendmsg`: a `struct msghdr`.
    Message,
    /// `recvmmsg`, `sendmmsg`: an array of `struct mmsghdr`.
    Messages,
    /// Another call.
    None,
}

/// What differs between processors.
trait Registers {
    /// Offsets in `struct pt_regs`.
    const FIRST: usize;
    const SECOND: usize;
    const THIRD: usize;
    const NUMBER: usize;
    /// Bit of `TASK_STATUS` that is set in a 32-bit call or process.
    const COMPAT: u32;
    /// Numbers of the calls of each shape.
    const BUFFER: [u32; 4];
    const SEGMENTS: [u32; 4];
    const MESSAGE: [u32; 2];
    const MESSAGES: [u32; 2];
}

/// arch/x86/include/uapi/asm/ptrace.h, arch/x86/entry/syscalls/syscall_64.tbl
struct X86_64;

impl Registers for X86_64 {
    /// `di`
    const FIRST: usize = 112;
    /// `si`
    const SECOND: usize = 104;
    /// `dx`
    const THIRD: usize = 96;
    /// `orig_ax`
    const NUMBER: usize = 120;
    /// `TS_COMPAT` in `thread_info.status`
    const COMPAT: u32 = 2;
    const BUFFER: [u32; 4] = [0, 1, 44, 45];
    const SEGMENTS: [u32; 4] = [19, 20, 327, 328];
    const MESSAGE: [u32; 2] = [46, 47];
    const MESSAGES: [u32; 2] = [299, 307];
}

/// arch/arm64/include/asm/ptrace.h (`user_regs` first, then `orig_x0` and `syscallno`), include/uapi/asm-generic/unistd.h.
struct Aarch64;

impl Registers for Aarch64 {
    /// `orig_x0`: the first register already holds the result when a call is restarted.
    const FIRST: usize = 272;
    /// `regs[1]`
    const SECOND: usize = 8;
    /// `regs[2]`
    const THIRD: usize = 16;
    /// `syscallno`
    const NUMBER: usize = 280;
    /// `TIF_32BIT` in `thread_info.flags`
    const COMPAT: u32 = 1 << 22;
    const BUFFER: [u32; 4] = [63, 64, 206, 207];
    const SEGMENTS: [u32; 4] = [65, 66, 286, 287];
    const MESSAGE: [u32; 2] = [211, 212];
    const MESSAGES: [u32; 2] = [243, 269];
}

/// The call that `task` is in, with its registers.
#[inline(always)]
pub fn system_call(task: Kernel, registers: Kernel) -> Result<SystemCall, LossReason> {
    if ARCH.load() == arch::AARCH64 { read::<Aarch64>(task, registers) } else { read::<X86_64>(task, registers) }
}

#[inline(always)]
fn read<R: Registers>(task: Kernel, registers: Kernel) -> Result<SystemCall, LossReason> {
    if task.read::<u32>(&TASK_STATUS) & R::COMPAT != 0 {
        return Err(loss::COMPAT32);
    }
    let number = registers.read_at::<u32>(R::NUMBER);
    let is = |calls: &[u32]| calls.contains(&number);
    let shape = if is(&R::BUFFER) {
        Shape::Buffer
    } else if is(&R::SEGMENTS) {
        Shape::Segments
    } else if is(&R::MESSAGE) {
        Shape::Message
    } else if is(&R::MESSAGES) {
        Shape::Messages
    } else {
        Shape::None
    };
    Ok(SystemCall {
        fd: registers.read_at::<u64>(R::FIRST),
        second: registers.read_at::<u64>(R::SECOND),
        third: registers.read_at::<u64>(R::THIRD),
        shape,
    })
}
