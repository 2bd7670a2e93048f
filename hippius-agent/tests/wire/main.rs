//! Redis and PostgreSQL as a client's socket shows them: what was sent and received → operations and items of queues.

mod losses;
mod postgres;
mod property;
mod redis;
mod script;
