//! One attach point each: read arguments, call `flows`.

mod length;
mod state;
mod sweep;
