//! The border to the kernel: loads and attaches the programs, drains their records.
//!
//! This stage knows nothing of HTTP. It is the only one that may use `unsafe` and aya.

pub mod backend;
pub mod begin;
pub mod btf;
mod calls;
pub mod clients;
pub mod clock;
pub mod container;
pub mod early;
pub mod error;
pub mod facts;
mod files;
pub mod harden;
pub mod heap;
mod iterator;
pub mod listeners;
pub mod loader;
mod object;
pub mod process;
mod programs;
pub mod record;
pub mod self_check;
pub mod sweep;
pub mod targets;
pub mod tls;
pub mod trial;
pub mod turn;
pub mod watch;
