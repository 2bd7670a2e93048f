//! Processes that have begun to run a program, and of which the agent has not said yet whether they are configured clients.
//!
//! The kernel side watches them from their first moment on and tells of each before anything else that it does, with all
//! that the configuration can mean it by. So the answer does not depend on when the agent comes to give it.

use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout};

/// Bytes of an executable's file name, with the zero behind it (include/uapi/linux/limits.h, `NAME_MAX`).
pub const EXECUTABLE_BYTES: usize = 256;
/// Bytes of the command line that are told; of a longer one these are the first.
pub const COMMAND_BYTES: usize = 1024;

/// One process while it runs one program. No two have the same process and time, whatever becomes of the number.
#[derive(
    Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash, FromBytes, IntoBytes, KnownLayout, Immutable,
)]
#[repr(C)]
pub struct Run {
    /// When it began, `CLOCK_MONOTONIC` in nanoseconds. Never 0.
    pub started_ns: u64,
    /// The process, as the kernel's first namespace numbers it.
    pub tgid: u64,
}

/// What the agent has said of a [`Run`].
pub mod answer {
    /// Nothing yet.
    pub const NONE: u32 = 1;
    /// That it is no client.
    pub const NO: u32 = 2;
}

/// A run has begun. Told before anything else of it.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, FromBytes, IntoBytes, KnownLayout, Immutable)]
#[repr(C)]
pub struct Started {
    /// [`crate::flow::kind::STARTED`].
    pub kind: u16,
    /// 1: a [`Program`] goes on behind this. 0: it was forked, and runs what `from` runs.
    pub executes: u16,
    /// Bytes of the command line.
    pub command_len: u32,
    /// It.
    pub run: Run,
    /// The run, not decided then, of which it comes: if that is a client, so is this. Zeroes where there is none.
    pub from: Run,
}

/// The program that a process has begun to run.
#[derive(Debug, Clone, Copy, FromBytes, IntoBytes, KnownLayout, Immutable)]
#[repr(C)]
pub struct Program {
    /// Which run.
    pub started: Started,
    /// Its name (`comm`), up to the first zero.
    pub comm: [u8; 16],
    /// How many bytes of the command line follow.
    pub command_held: u32,
    /// Always 0.
    pub zero: u32,
    /// File name of the executable, up to the first zero.
    pub executable: [u8; EXECUTABLE_BYTES],
    /// The command line's first bytes; each argument ends with a zero.
    pub command: [u8; COMMAND_BYTES],
}

const _: () = {
    assert!(size_of::<Run>() == 16);
    assert!(size_of::<Started>() == 40);
    assert!(core::mem::offset_of!(Started, kind) == core::mem::offset_of!(crate::flow::FlowHeader, kind));
    assert!(core::mem::offset_of!(Program, started) == 0);
    assert!(core::mem::offset_of!(Program, executable) == 64);
    assert!(size_of::<Program>() == 64 + EXECUTABLE_BYTES + COMMAND_BYTES);
};
