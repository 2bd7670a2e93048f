//! Servers: real ones, each in a file, and one that plays scripts byte by byte.

pub mod asgi;
pub mod contained;
pub mod haproxy;
pub mod ipfs;
pub mod nginx;
pub mod postgres;
pub mod postgres_exporter;
pub mod redis;
pub mod s3;
pub mod scripted;
pub mod syscall;

use std::net::{Ipv4Addr, SocketAddr};
use std::process::Command;

use anyhow::Result;

use crate::process::Process;
use crate::workdir::Workdir;
use crate::{paths, ports, python};

/// A server that listens on one loopback port.
pub struct Server {
    pub process: Process,
    pub port: u16,
}

impl Server {
    /// Starts `command` and waits until it accepts on `port`.
    pub fn start(name: &str, command: Command, port: u16, workdir: &Workdir) -> Result<Self> {
        let mut process = Process::spawn(name, command, workdir)?;
        process.wait_for_port(port)?;
        Ok(Self { process, port })
    }

    pub fn address(&self) -> SocketAddr {
        (Ipv4Addr::LOCALHOST, self.port).into()
    }
}

/// Python's `http.server` with a thread per connection.
pub fn http_server(workdir: &Workdir) -> Result<Server> {
    let port = ports::free();
    let mut command = Command::new(python::program("python")?);
    command.arg(paths::apps().join("http_server.py")).arg(port.to_string());
    Server::start("http-server", command, port, workdir)
}

/// The hyper server of this crate.
pub fn hyper(workdir: &Workdir) -> Result<Server> {
    let port = ports::free();
    let mut command = Command::new(paths::own_binary("hyper_server")?);
    command.arg(port.to_string());
    Server::start("hyper", command, port, workdir)
}
