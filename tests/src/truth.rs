//! What the servers themselves say: access logs, one JSON object per line.

use std::io::{BufRead as _, BufReader};
use std::path::Path;

use anyhow::{Context, Result};
use serde_json::Value;

/// A request in nginx' log.
#[derive(Clone, Debug)]
pub struct AccessLine {
    pub method: String,
    pub uri: String,
    pub status: String,
    /// Request line, head and body, framing included.
    pub request_length: u64,
    pub bytes_sent: u64,
    pub body_bytes_sent: u64,
    pub seconds: f64,
}

impl AccessLine {
    pub fn read(path: &Path) -> Result<Vec<Self>> {
        read(path, |line| {
            Some(Self {
                method: line["method"].as_str()?.to_owned(),
                uri: line["uri"].as_str()?.to_owned(),
                status: line["status"].as_str()?.to_owned(),
                request_length: line["request_length"].as_u64()?,
                bytes_sent: line["bytes_sent"].as_u64()?,
                body_bytes_sent: line["body_bytes_sent"].as_u64()?,
                seconds: line["seconds"].as_f64()?,
            })
        })
    }
}

/// A request in the log of `apps/asgi.py`.
#[derive(Clone, Debug)]
pub struct AppLine {
    pub pid: u64,
    pub method: String,
    pub path: String,
    pub status: u64,
    pub body_in: u64,
    pub body_out: u64,
}

impl AppLine {
    pub fn read(path: &Path) -> Result<Vec<Self>> {
        read(path, |line| {
            Some(Self {
                pid: line["pid"].as_u64()?,
                method: line["method"].as_str()?.to_owned(),
                path: line["path"].as_str()?.to_owned(),
                status: line["status"].as_u64()?,
                body_in: line["body_in"].as_u64()?,
                body_out: line["body_out"].as_u64()?,
            })
        })
    }
}

/// A connection in the log of `syscall_server`: what its calls returned.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct CallLine {
    pub received: u64,
    pub sent: u64,
    pub requests: u64,
}

impl CallLine {
    pub fn read(path: &Path) -> Result<Vec<Self>> {
        read(path, |line| {
            Some(Self {
                received: line["received"].as_u64()?,
                sent: line["sent"].as_u64()?,
                requests: line["requests"].as_u64()?,
            })
        })
    }
}

fn read<T>(path: &Path, parse: impl Fn(&Value) -> Option<T>) -> Result<Vec<T>> {
    let file = std::fs::File::open(path).with_context(|| format!("open {}", path.display()))?;
    let mut lines = Vec::new();
    for line in BufReader::new(file).lines() {
        let line = line?;
        let value: Value = serde_json::from_str(&line).with_context(|| format!("{}: {line}", path.display()))?;
        lines.push(parse(&value).with_context(|| format!("{}: {line}", path.display()))?);
    }
    Ok(lines)
}
