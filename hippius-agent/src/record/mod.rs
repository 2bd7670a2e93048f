//! The catalogue of all metrics and how an exchange or a poll sample updates them.

pub mod sample;
