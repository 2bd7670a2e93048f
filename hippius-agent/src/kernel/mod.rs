//! kernel

pub mod listeners;
