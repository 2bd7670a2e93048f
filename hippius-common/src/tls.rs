//! What both sides know of TLS sessions, beside the flow that each of them is.

use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout};

use crate::flow::Flow;

/// Set in the cookie of every session: no socket has it.
pub const SESSION_BIT: u64 = 1 << 63;

/// What is known of a process that uses a probed library.
pub mod process {
    /// The agent has been asked and has not answered: its sessions are followed meanwhile.
    pub const ASKED: u32 = 0;
    /// Its sessions are followed.
    pub const FOLLOWED: u32 = 1;
    /// They are not.
    pub const LEFT_ALONE: u32 = 2;
}

/// Identity of a session while it lives: the process, and where its `SSL` stands in the process's memory.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, FromBytes, IntoBytes, KnownLayout, Immutable)]
#[repr(C)]
pub struct SessionKey {
    /// Address of the `SSL`.
    pub ssl: u64,
    /// Process, as the kernel's first namespace numbers it.
    pub tgid: u32,
    /// Always 0.
    pub zero: u32,
}

/// One session: what its plaintext says, and whose it is.
#[derive(Debug, Clone, Copy, FromBytes, IntoBytes, KnownLayout, Immutable)]
#[repr(C)]
pub struct Session {
    /// The plaintext as a flow, which stands first: sweeps read it as they read a socket's.
    pub flow: Flow,
    /// Not 0 once the socket is known that the library moves the session's records through.
    pub joined: u32,
    /// Not 0 once bytes of the session were looked at.
    pub begun: u32,
}

/// Calls into the library that a thread is in, one inside of the other (TLS through a TLS tunnel).
pub const CALL_DEPTH: usize = 4;

/// What a call does.
pub mod function {
    /// Reads plaintext, returns its length.
    pub const READ: u64 = 1;
    /// Writes plaintext, returns how much was taken.
    pub const WRITE: u64 = 2;
    /// Reads plaintext and stores its length.
    pub const READ_EX: u64 = 3;
    /// Writes plaintext and stores how much was taken.
    pub const WRITE_EX: u64 = 4;
    /// Moves no plaintext: the handshake.
    pub const HANDSHAKE: u64 = 5;
}

/// One call as it was entered.
#[derive(Debug, Clone, Copy, FromBytes, IntoBytes, KnownLayout, Immutable)]
#[repr(C)]
pub struct Call {
    /// Address of the `SSL`.
    pub ssl: u64,
    /// The caller's buffer.
    pub buffer: u64,
    /// Where the length is stored, for the functions that store one.
    pub length_at: u64,
    /// The stack pointer at entry: calls below the present one are over, however they ended.
    pub stack: u64,
    /// One of [`function`].
    pub function: u64,
}

/// All calls that one thread is in.
#[derive(Debug, Clone, Copy, FromBytes, IntoBytes, KnownLayout, Immutable)]
#[repr(C)]
pub struct Calls {
    /// How many.
    pub depth: u64,
    /// The outermost first.
    pub calls: [Call; CALL_DEPTH],
}

/// The record that asks about a process: [`crate::flow::kind::PROCESS`].
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, FromBytes, IntoBytes, KnownLayout, Immutable)]
#[repr(C)]
pub struct Asked {
    /// [`crate::flow::kind::PROCESS`].
    pub kind: u16,
    /// Always 0.
    pub flags: u16,
    /// The process.
    pub tgid: u32,
    /// Its name (`comm`), up to the first zero. It may be gone before the agent can look it up.
    pub comm: [u8; 16],
}

const _: () = {
    assert!(size_of::<SessionKey>() == 16);
    assert!(core::mem::offset_of!(Session, flow) == 0);
    assert!(size_of::<Call>() == 40);
    assert!(size_of::<Asked>() == 24);
};
