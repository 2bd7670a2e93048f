//! A small HTTP/1.1 server that moves its bytes with one chosen pair of system calls:
//! `syscall_server VARIANT PORT LOG`. Each connection's counts (what the calls returned) go to LOG as a JSON line.
//!
//! `PUT` with Content-Length is read and answered with a small body; `GET /N` is answered with N bytes.

mod calls;
mod splice;
mod uring;

use std::fs::File;
use std::io::{self, Write as _};
use std::net::{Ipv4Addr, TcpListener, TcpStream};

use anyhow::{Context as _, Result, bail};

/// One way of moving bytes; both return what the system call returned.
trait Calls {
    fn receive(&mut self, stream: &TcpStream, buffer: &mut [u8]) -> io::Result<usize>;
    fn send(&mut self, stream: &TcpStream, bytes: &[u8]) -> io::Result<usize>;
}

fn calls(variant: &str) -> Result<Box<dyn Calls>> {
    Ok(match variant {
        "read-write" => Box::new(calls::ReadWrite),
        "recv-send" => Box::new(calls::RecvSend { flags: 0 }),
        "peek" => Box::new(calls::Peek),
        "readv-writev" => Box::new(calls::Vectored),
        "recvmsg-sendmsg" => Box::new(calls::Messages),
        "recvmmsg-sendmmsg" => Box::new(calls::ManyMessages),
        "zerocopy" => Box::new(calls::ZeroCopy),
        "splice" => Box::new(splice::Splice::new()?),
        "io-uring" => Box::new(uring::Uring::new(None)?),
        "io-uring-behind-pipe" => Box::new(uring::Uring::new(Some(uring::Pipe::new()?))?),
        other => bail!("no variant {other}"),
    })
}

fn main() -> Result<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [variant, port, log] = arguments.as_slice() else { bail!("usage: syscall_server VARIANT PORT LOG") };
    let mut log = File::options().create(true).append(true).open(log)?;
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, port.parse()?))?;
    let mut calls = calls(variant)?;
    for stream in listener.incoming() {
        let stream = stream?;
        stream.set_nodelay(true)?;
        let mut connection = Connection { stream, calls: calls.as_mut(), ahead: Vec::new(), received: 0, sent: 0 };
        let mut requests = 0;
        while connection.serve_one().context("serve")? {
            requests += 1;
        }
        let (received, sent) = (connection.received, connection.sent);
        if received > 0 {
            writeln!(log, r#"{{"received":{received},"sent":{sent},"requests":{requests}}}"#)?;
        }
    }
    Ok(())
}

struct Connection<'a> {
    stream: TcpStream,
    calls: &'a mut dyn Calls,
    ahead: Vec<u8>,
    received: u64,
    sent: u64,
}

impl Connection<'_> {
    /// False when the client has closed.
    fn serve_one(&mut self) -> Result<bool> {
        let Some(head) = self.read_head()? else { return Ok(false) };
        let mut words = head.split_whitespace();
        let (method, target) = (words.next().unwrap_or_default(), words.next().unwrap_or_default());
        if method == "GET" {
            let size: usize = target.trim_matches('/').parse().unwrap_or(0);
            let mut answer = format!("HTTP/1.1 200 OK\r\nContent-Length: {size}\r\n\r\n").into_bytes();
            answer.resize(answer.len() + size, b'z');
            self.send_all(&answer)?;
            return Ok(true);
        }
        let length = head
            .lines()
            .find_map(|line| line.to_ascii_lowercase().strip_prefix("content-length:")?.trim().parse().ok());
        let mut left: usize = length.unwrap_or(0);
        loop {
            let there = left.min(self.ahead.len());
            self.ahead.drain(..there);
            left -= there;
            if left == 0 {
                break;
            }
            anyhow::ensure!(self.fill()? > 0, "closed in mid-body");
        }
        self.send_all(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")?;
        Ok(true)
    }

    fn read_head(&mut self) -> Result<Option<String>> {
        loop {
            if let Some(at) = self.ahead.windows(4).position(|four| four == b"\r\n\r\n") {
                let head: Vec<u8> = self.ahead.drain(..at + 4).collect();
                return Ok(Some(String::from_utf8_lossy(&head).into_owned()));
            }
            if self.fill()? == 0 {
                return Ok(None);
            }
        }
    }

    fn fill(&mut self) -> Result<usize> {
        let mut buffer = vec![0; 65_536];
        let got = self.calls.receive(&self.stream, &mut buffer)?;
        self.received += got as u64;
        self.ahead.extend_from_slice(&buffer[..got]);
        Ok(got)
    }

    fn send_all(&mut self, mut bytes: &[u8]) -> Result<()> {
        while !bytes.is_empty() {
            let count = self.calls.send(&self.stream, bytes)?;
            self.sent += count as u64;
            bytes = &bytes[count..];
        }
        Ok(())
    }
}
