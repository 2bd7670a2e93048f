//! Debian's prometheus-postgres-exporter, to compare with.

use std::process::Command;

use anyhow::Result;

use super::Server;
use crate::workdir::Workdir;
use crate::{http, ports};

pub struct PostgresExporter {
    pub server: Server,
}

impl PostgresExporter {
    pub fn start(url: &str, workdir: &Workdir) -> Result<Self> {
        let port = ports::free();
        let mut command = Command::new("prometheus-postgres-exporter");
        command.env("DATA_SOURCE_NAME", url).arg(format!("--web.listen-address=127.0.0.1:{port}"));
        Ok(Self { server: Server::start("postgres-exporter", command, port, workdir)? })
    }

    /// The text of its page.
    pub fn page(&self) -> Result<String> {
        http::get(self.server.port, "/metrics")
    }
}
