//! What is recorded, served: `/metrics`, the overview page, health, TLS and basic auth.
//!
//! A scrape prints memory. Nothing here waits for Redis, Postgres or the kernel, and nothing here knows how a number
//! came about.

pub mod auth;
pub mod exposition;
pub mod negotiate;
pub mod page;
pub mod server;
pub mod text;
pub mod tls;
pub mod web_config;

mod body;
mod number;
mod polled;
pub mod process;
mod routes;
mod stall;
