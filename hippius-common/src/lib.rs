//! What the kernel side and the agent share.
//!
//! Fixed-width integers and explicit padding only: these types cross the border between two programs that are built
//! for different targets. Nothing here knows how bytes are captured or what becomes of them.
#![cfg_attr(not(test), no_std)]
#![forbid(unsafe_code)]

pub mod fields;
pub mod flow;
pub mod loss;

/// Raised whenever a shared type changes. The loader compares it with the one compiled into the kernel object and
/// refuses to attach on a mismatch.
pub const ABI_VERSION: u32 = 1;
