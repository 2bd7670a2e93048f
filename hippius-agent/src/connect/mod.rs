//! What every connection to a server of the operator needs: trust in certificates, and Postgres addresses.
//!
//! Stands beside the stages: it knows none of them, and both the accounts' store and the polls use it.

pub mod postgres;
pub mod tls;
