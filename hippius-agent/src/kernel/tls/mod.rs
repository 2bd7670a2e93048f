//! Plaintext of TLS libraries: finds them in the processes that are meant, and probes them while those run.
//!
//! Nothing here is needed for the rest of the capture: where it does not work, the agent says why and goes on.

pub mod attach;
pub mod libraries;
pub mod programs;
pub mod symbols;
pub mod watcher;
