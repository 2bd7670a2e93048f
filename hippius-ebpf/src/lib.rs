//! The decisions of the kernel programs, without the kernel: built for the host too, so that unit tests and fuzzers
//! run the very code that runs in the kernel.
#![cfg_attr(not(test), no_std)]

pub mod capture;
