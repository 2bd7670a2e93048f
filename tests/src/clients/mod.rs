//! Clients: curl, boto3, a socket that writes exact bytes, and a load generator that counts exactly.

pub mod boto;
pub mod curl;
mod epoll;
pub mod load;
pub mod raw;
