//! The Hippius agent: kernel probes in, Prometheus metrics out.
//!
//! The folders are the stages, in the direction of the data:
//! `kernel → decode → connection → exchange → attribute → classify → record → export`, with `poll` joining at
//! `record`. A stage uses the output of the stages on its left, `hippius-common` and its own configuration, nothing
//! on its right. Only [`pipeline`] sees all of them.
//!
//! Around them stand [`cli`] and [`config`] (what the operator says), [`connect`] (TLS, addresses of Postgres),
//! [`daemon`] and [`reload`] (the life of the process), [`check`] (what this host can do), [`top`] (a running agent in a
//! terminal), [`escape`] (label values), [`logging`] and [`version`].

pub mod attribute;
pub mod check;
pub mod classify;
pub mod cli;
pub mod config;
pub mod connect;
pub mod connection;
pub mod daemon;
pub mod decode;
pub mod escape;
pub mod exchange;
pub mod export;
pub mod kernel;
pub mod logging;
pub mod pipeline;
pub mod poll;
pub mod record;
pub mod reload;
pub mod top;
pub mod version;
