//! An IPFS node that speaks kubo's HTTP API, without a network: `ipfs-core`, which was not written here.

use std::process::Command;

use anyhow::Result;

use super::Server;
use crate::workdir::Workdir;
use crate::{node, paths, ports, python};

pub struct Ipfs {
    pub server: Server,
    pub gateway_port: u16,
}

impl Ipfs {
    pub fn start(workdir: &Workdir) -> Result<Self> {
        let (port, gateway_port) = (ports::free(), ports::free());
        let mut command = Command::new("node");
        command.args(["--input-type=module", "--eval", include_str!("../../apps/ipfs_node.mjs"), "--"]);
        command.args([port, gateway_port].map(|port| port.to_string())).arg(workdir.join("ipfs"));
        command.current_dir(node::ipfs()?);
        // The gateway listens before the API does.
        Ok(Self { server: Server::start("ipfs", command, port, workdir)?, gateway_port })
    }

    /// A worker that stores and reads there, and asks `other` for something: it waits for the end of its input.
    pub fn worker(&self, other: &str, rounds: u64) -> Result<Command> {
        let mut worker = Command::new(python::program("python")?);
        worker.arg(paths::apps().join("ipfs_worker.py"));
        worker
            .args([self.server.port, self.gateway_port].map(|port| port.to_string()))
            .arg(other)
            .arg(rounds.to_string());
        Ok(worker)
    }

    /// The section of the configuration that means the workers.
    pub fn client() -> &'static str {
        "[[client]]\nname = \"ipfs-workers\"\ncommand = \"*ipfs_worker.py*\""
    }
}
