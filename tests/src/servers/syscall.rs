//! Starts this crate's server that reads and writes with one chosen pair of system calls.

use std::path::PathBuf;
use std::process::Command;
use std::time::Duration;

use anyhow::Result;

use super::Server;
use crate::truth::CallLine;
use crate::workdir::Workdir;
use crate::{paths, ports, wait};

pub struct Syscall {
    pub server: Server,
    truth: PathBuf,
}

impl Syscall {
    pub fn start(workdir: &Workdir, variant: &str) -> Result<Self> {
        let port = ports::free();
        let truth = workdir.join(format!("{variant}-truth.jsonl"));
        let mut command = Command::new(paths::own_binary("syscall_server")?);
        command.arg(variant).arg(port.to_string()).arg(&truth);
        Ok(Self { server: Server::start(variant, command, port, workdir)?, truth })
    }

    /// The server's own byte counts once `count` connections have ended.
    pub fn log(&self, count: usize) -> Result<Vec<CallLine>> {
        wait::until(&format!("{count} connections in the server's log"), Duration::from_secs(10), || {
            CallLine::read(&self.truth).ok().filter(|lines| lines.len() >= count)
        })
    }
}

/// What `syscall_server` knows.
pub const VARIANTS: [&str; 10] = [
    "read-write",
    "recv-send",
    "peek",
    "readv-writev",
    "recvmsg-sendmsg",
    "recvmmsg-sendmmsg",
    "zerocopy",
    "splice",
    "io-uring",
    "io-uring-behind-pipe",
];
