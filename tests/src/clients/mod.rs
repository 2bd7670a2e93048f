//! Clients: curl, boto3, a socket that writes exact bytes, a load generator that counts exactly,
//! and HTTPS clients in several languages.

pub mod boto;
pub mod curl;
mod epoll;
pub mod launched;
pub mod load;
pub mod raw;
pub mod tls;
