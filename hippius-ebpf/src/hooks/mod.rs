//! One attach point each: read arguments, call `flows`.

mod destruct;
mod length;
mod message;
mod runs;
mod state;
mod sweep;
