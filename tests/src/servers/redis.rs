//! Redis, and as much of its protocol as a test needs to put keys in and to read what it says about itself.

use std::collections::BTreeMap;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::process::Command;

use anyhow::{Context, Result, bail, ensure};

use super::Server;
use crate::workdir::Workdir;
use crate::{ports, wait};

pub struct Redis {
    pub server: Server,
}

impl Redis {
    pub fn start(workdir: &Workdir) -> Result<Self> {
        Self::start_on(ports::free(), workdir, &[])
    }

    /// On this port and with more options.
    pub fn start_on(port: u16, workdir: &Workdir, options: &[&str]) -> Result<Self> {
        let mut command = Command::new("redis-server");
        command.args(["--port", &port.to_string(), "--bind", "127.0.0.1", "--save", "", "--appendonly", "no"]);
        command.arg("--dir").arg(workdir.path()).args(options);
        Ok(Self { server: Server::start(&format!("redis-{port}"), command, port, workdir)? })
    }

    /// One command with a one-line answer (`SET`, `DEL`, `LPUSH`, `LLEN`).
    pub fn command(&self, words: &[&str]) -> Result<String> {
        match self.client()?.ask(words)? {
            Answer::Line(line) => Ok(line),
            other => bail!("{words:?}: {other:?}"),
        }
    }

    pub fn client(&self) -> Result<Client> {
        Client::connect(self.server.address())
    }

    pub fn url(&self) -> String {
        format!("redis://127.0.0.1:{}/0", self.server.port)
    }
}

/// A connection that stays open.
pub struct Client {
    stream: BufReader<TcpStream>,
}

/// A reply; errors are errors of the asking.
#[derive(Clone, Debug, PartialEq)]
pub enum Answer {
    /// A simple string or a number, with its first character (`+OK`, `:3`).
    Line(String),
    Text(String),
    Nothing,
    List(Vec<Answer>),
}

impl Client {
    pub fn connect(address: SocketAddr) -> Result<Self> {
        let stream = TcpStream::connect(address)?;
        stream.set_read_timeout(Some(wait::WIDE))?;
        Ok(Self { stream: BufReader::new(stream) })
    }

    pub fn ask(&mut self, words: &[&str]) -> Result<Answer> {
        let mut request = format!("*{}\r\n", words.len());
        for word in words {
            request.push_str(&format!("${}\r\n{word}\r\n", word.len()));
        }
        self.stream.get_mut().write_all(request.as_bytes())?;
        self.answer().with_context(|| format!("{words:?}"))
    }

    fn answer(&mut self) -> Result<Answer> {
        let mut line = String::new();
        self.stream.read_line(&mut line)?;
        let line = line.trim_end();
        let rest = line.get(1..).unwrap_or_default();
        match line.get(..1) {
            Some("+" | ":") => Ok(Answer::Line(line.to_owned())),
            Some("$") if rest == "-1" => Ok(Answer::Nothing),
            Some("$") => {
                let mut text = vec![0; rest.parse::<usize>()? + 2];
                self.stream.read_exact(&mut text)?;
                text.truncate(text.len() - 2);
                Ok(Answer::Text(String::from_utf8_lossy(&text).into_owned()))
            }
            Some("*") => Ok(Answer::List((0..rest.parse::<i64>()?).map(|_| self.answer()).collect::<Result<_>>()?)),
            _ => bail!("{line}"),
        }
    }

    /// A number.
    pub fn number(&mut self, words: &[&str]) -> Result<i64> {
        match self.ask(words)? {
            Answer::Line(line) => Ok(line.trim_start_matches(':').parse()?),
            other => bail!("{words:?}: {other:?}"),
        }
    }

    /// `INFO ALL` by field.
    pub fn info(&mut self) -> Result<BTreeMap<String, String>> {
        let Answer::Text(text) = self.ask(&["INFO", "ALL"])? else { bail!("INFO gave no text") };
        let fields = text.lines().filter_map(|line| line.split_once(':'));
        let info: BTreeMap<_, _> = fields.map(|(name, value)| (name.to_owned(), value.trim().to_owned())).collect();
        ensure!(info.contains_key("redis_version"), "INFO: {text}");
        Ok(info)
    }
}
