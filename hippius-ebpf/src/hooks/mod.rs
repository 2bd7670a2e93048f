//! One attach point each: read arguments, call `flows`.

mod adopt;
mod destruct;
mod length;
mod message;
mod mptcp;
mod process;
mod runs;
mod state;
mod sweep;
mod tls;
mod unix;
