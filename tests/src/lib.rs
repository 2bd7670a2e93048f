//! The rig of the integration tests: real servers, real clients, the agent between them, and the truth to compare with.
//!
//! Nothing in here knows how the agent works: it starts the binary with a config file and reads `/metrics`.

pub mod accounts;
pub mod agent;
pub mod awake;
pub mod bpf;
pub mod browser;
pub mod calls;
pub mod catalogue;
pub mod certificate;
pub mod clients;
pub mod config;
pub mod dashboards;
pub mod expect;
pub mod guide;
pub mod http;
pub mod lab;
pub mod metrics;
pub mod node;
pub mod paths;
pub mod pcap;
pub mod polled;
pub mod ports;
pub mod proc;
pub mod process;
pub mod processors;
pub mod prometheus;
pub mod promql;
pub mod pty;
pub mod python;
pub mod redis_fields;

pub mod servers;
pub mod sockets;
pub mod stack;
pub mod stats;
pub mod truth;
pub mod verifier;
pub mod wait;
pub mod watched;
pub mod wire;
pub mod workdir;
pub mod workers;
