//! What several targets need: the kernel core, driven over bytes in memory as the hooks drive it over a call's buffer.

pub mod call;
pub mod pieces;
pub mod wire;
