//! A GET on loopback.

use std::io::{Read as _, Write as _};
use std::net::{Ipv4Addr, TcpStream};

use anyhow::{Context, Result, ensure};

use crate::wait;

/// The body of a 200 answer.
pub fn get(port: u16, path: &str) -> Result<String> {
    let (status, body) = answer(port, path)?;
    ensure!(status == 200, "{path}: {status}\n{body}");
    Ok(body)
}

/// Status and body.
pub fn answer(port: u16, path: &str) -> Result<(u16, String)> {
    let mut stream = TcpStream::connect((Ipv4Addr::LOCALHOST, port))?;
    stream.set_read_timeout(Some(wait::WIDE))?;
    // HTTP/1.0: the answer ends with the connection and is never chunked.
    write!(stream, "GET {path} HTTP/1.0\r\nHost: 127.0.0.1\r\n\r\n")?;
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer)?;
    let answer = String::from_utf8_lossy(&answer);
    let (head, body) = answer.split_once("\r\n\r\n").context("answer without a head")?;
    let status = head.split(' ').nth(1).context("status line")?.parse()?;
    Ok((status, body.to_owned()))
}
