//! The only raw reads of kernel and user memory.

pub mod arch;
pub mod cast;
pub mod clock;
pub mod fields;
pub mod message;
pub mod socket;
pub mod unix;
pub mod user_buffer;
