//! Redis, and as much of its protocol as a test needs to put keys in.

use std::io::{BufRead as _, BufReader, Write as _};
use std::net::TcpStream;
use std::process::Command;

use anyhow::{Result, ensure};

use super::Server;
use crate::ports;
use crate::workdir::Workdir;

pub struct Redis {
    pub server: Server,
}

impl Redis {
    pub fn start(workdir: &Workdir) -> Result<Self> {
        let port = ports::free();
        let mut command = Command::new("redis-server");
        command.args(["--port", &port.to_string(), "--bind", "127.0.0.1", "--save", "", "--appendonly", "no"]);
        command.arg("--dir").arg(workdir.path());
        Ok(Self { server: Server::start("redis", command, port, workdir)? })
    }

    /// One command with a one-line answer (`SET`, `DEL`, `LPUSH`, `LLEN`).
    pub fn command(&self, words: &[&str]) -> Result<String> {
        let mut stream = TcpStream::connect(self.server.address())?;
        let mut request = format!("*{}\r\n", words.len());
        for word in words {
            request.push_str(&format!("${}\r\n{word}\r\n", word.len()));
        }
        stream.write_all(request.as_bytes())?;
        let mut answer = String::new();
        BufReader::new(stream).read_line(&mut answer)?;
        ensure!(!answer.starts_with('-'), "{words:?}: {answer}");
        Ok(answer.trim_end().to_owned())
    }

    pub fn url(&self) -> String {
        format!("redis://127.0.0.1:{}/0", self.server.port)
    }
}
