//! One attach point each: read arguments, call `flows`.

mod destruct;
mod length;
mod message;
mod state;
mod sweep;
