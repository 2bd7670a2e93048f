//! Bytes → protocol messages.
//!
//! Pure and bounded: this stage takes a slice and returns views into it. It knows nothing of sockets, clocks,
//! accounts or metrics. Hostile bytes give an error, never a panic.

pub mod http1;
pub mod postgres;
pub mod resp;
pub mod s3_error;
