//! What the kernel side and the agent share.
//!
//! Fixed-width integers and explicit padding only: these types cross the border between two programs that are built
//! for different targets. Nothing here knows how bytes are captured or what becomes of them.
#![cfg_attr(not(test), no_std)]
#![forbid(unsafe_code)]

pub mod fields;
pub mod flow;
pub mod loss;
pub mod started;
pub mod tls;

/// Name of a global in the kernel object; raised whenever a shared type changes. The loader sets this global before
/// anything is attached, and fails if the object, being of another build, has none of this name.
pub const ABI_GLOBAL: &str = "ABI_8";
