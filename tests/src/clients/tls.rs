//! HTTPS clients that wait for a word before they begin, and say how many answers were right.

use std::io::{BufRead as _, BufReader, Write as _};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

use anyhow::{Context, Result, ensure};

use crate::{paths, python};

/// Of each connection, by its number; as in `apps/tls_client.py`.
pub const METHODS: [&str; 8] = ["GET", "POST", "PUT", "DELETE", "PATCH", "OPTIONS", "GET", "POST"];

/// A started client. It ends when it is dropped.
pub struct TlsClient {
    child: Child,
    input: ChildStdin,
    output: BufReader<ChildStdout>,
}

/// How much it asks for.
#[derive(Clone, Copy)]
pub struct Load {
    pub connections: u64,
    pub requests: u64,
}

impl Load {
    pub fn total(self) -> u64 {
        self.connections * self.requests
    }
}

impl TlsClient {
    /// A client of `apps/tls_client.py`: library, `+`, event loop.
    pub fn python(kind: &str, port: u16, load: Load) -> Result<Self> {
        let mut command = Command::new(python::program("python")?);
        command.arg(paths::apps().join("tls_client.py")).arg(kind);
        Self::start(command, port, load)
    }

    /// Node's.
    pub fn node(port: u16, load: Load) -> Result<Self> {
        let mut command = Command::new("node");
        command.arg(paths::apps().join("tls_client.js"));
        Self::start(command, port, load)
    }

    /// Any command that takes the same arguments behind its own.
    pub fn start(mut command: Command, port: u16, load: Load) -> Result<Self> {
        let Load { connections, requests } = load;
        command.arg(format!("https://localhost:{port}")).arg(connections.to_string()).arg(requests.to_string());
        let child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn();
        let mut child = child.with_context(|| format!("start {command:?}"))?;
        let input = child.stdin.take().context("input")?;
        let output = BufReader::new(child.stdout.take().context("output")?);
        let mut client = Self { child, input, output };
        let said = client.line()?;
        ensure!(said == "ready", "the client says {said:?}");
        Ok(client)
    }

    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Sends all requests; how many answers were right. It goes on running.
    pub fn run(&mut self) -> Result<u64> {
        self.input.write_all(b"go\n")?;
        let line = self.line()?;
        line.parse().with_context(|| format!("the client says {line:?}"))
    }

    fn line(&mut self) -> Result<String> {
        let mut line = String::new();
        self.output.read_line(&mut line)?;
        Ok(line.trim_end().to_owned())
    }
}

impl Drop for TlsClient {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
