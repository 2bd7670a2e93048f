//! A client that makes one request over and over.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::time::Instant;

use anyhow::{Context, Result, bail, ensure};
use hippius_tests::servers::Server;

/// Bytes of one call.
const PIECE: usize = 1 << 18;

/// On one connection, one exchange at a time, nothing counted but answers: the rest of the time is the server's.
pub struct Client<'a> {
    stream: TcpStream,
    request: &'a [u8],
    buffer: Vec<u8>,
    /// How many came.
    pub answers: u64,
}

impl<'a> Client<'a> {
    pub fn connect(server: &Server, request: &'a [u8]) -> Result<Self> {
        let address = server.address();
        let stream = TcpStream::connect(address).with_context(|| format!("connect to {address}"))?;
        stream.set_nodelay(true)?;
        Ok(Self { stream, request, buffer: vec![0; PIECE], answers: 0 })
    }

    /// Seconds from the request's first byte to the answer's last.
    pub fn exchange(&mut self) -> Result<f64> {
        let start = Instant::now();
        for piece in self.request.chunks(PIECE) {
            self.stream.write_all(piece)?;
        }
        let got = self.read(PIECE)?;
        let mut left = announced(&self.buffer[..got])?.checked_sub(got).context("more than was announced")?;
        while left > 0 {
            left -= self.read(left.min(PIECE))?;
        }
        self.answers += 1;
        Ok(start.elapsed().as_secs_f64())
    }

    fn read(&mut self, room: usize) -> Result<usize> {
        let got = self.stream.read(&mut self.buffer[..room])?;
        ensure!(got > 0, "closed in the middle of an answer");
        Ok(got)
    }
}

/// Bytes of an answer, head and body, that begins like this.
fn announced(bytes: &[u8]) -> Result<usize> {
    let mut headers = [httparse::EMPTY_HEADER; 32];
    let mut response = httparse::Response::new(&mut headers);
    let httparse::Status::Complete(head) = response.parse(bytes)? else { bail!("a head in two pieces") };
    ensure!(response.code.is_some_and(|code| (200..300).contains(&code)), "answer {:?}", response.code);
    let length = response.headers.iter().find(|header| header.name.eq_ignore_ascii_case("content-length"));
    let length: usize = std::str::from_utf8(length.context("no Content-Length")?.value)?.parse()?;
    Ok(head + length)
}
