//! A client that writes exactly the bytes it is told, cut as it is told, and counts every byte.

use std::io::{self, Read as _, Write as _};
use std::net::{Shutdown, SocketAddr, TcpStream};
use std::os::fd::AsRawFd as _;
use std::path::Path;
use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};

use crate::{sockets, wait};

pub struct Raw {
    stream: TcpStream,
    pub sent: u64,
    pub received: u64,
    /// Read but not yet asked for.
    ahead: Vec<u8>,
}

impl Raw {
    pub fn connect(address: SocketAddr) -> Result<Self> {
        let stream = TcpStream::connect(address).with_context(|| format!("connect to {address}"))?;
        stream.set_nodelay(true)?;
        Self::over(stream)
    }

    /// To a Unix socket.
    pub fn connect_unix(path: &Path) -> Result<Self> {
        Self::over(sockets::unix_connect(path).with_context(|| format!("connect to {}", path.display()))?)
    }

    pub fn over(stream: TcpStream) -> Result<Self> {
        stream.set_read_timeout(Some(wait::WIDE))?;
        stream.set_write_timeout(Some(wait::WIDE))?;
        Ok(Self { stream, sent: 0, received: 0, ahead: Vec::new() })
    }

    pub fn send(&mut self, bytes: impl AsRef<[u8]>) -> Result<()> {
        let bytes = bytes.as_ref();
        self.stream.write_all(bytes)?;
        self.sent += bytes.len() as u64;
        Ok(())
    }

    /// Pieces of `size` bytes, each its own segment, each read by the peer before the next is written.
    pub fn send_cut(&mut self, bytes: &[u8], size: usize) -> Result<()> {
        for piece in bytes.chunks(size) {
            self.send(piece)?;
            self.pause(Duration::from_micros(200));
        }
        Ok(())
    }

    /// A stimulus, not a wait: the peer sees a pause between two segments.
    pub fn pause(&self, time: Duration) {
        std::thread::sleep(time);
    }

    /// Sends as much as the peer takes until it closes or resets; for uploads that the server breaks off.
    pub fn send_until_refused(&mut self, bytes: &[u8]) {
        let mut rest = bytes;
        while !rest.is_empty() {
            match self.stream.write(rest) {
                Ok(0) | Err(_) => return,
                Ok(count) => {
                    self.sent += count as u64;
                    rest = &rest[count..];
                }
            }
        }
    }

    /// Everything up to and including the empty line.
    pub fn read_head(&mut self) -> Result<String> {
        loop {
            if let Some(at) = self.ahead.windows(4).position(|four| four == b"\r\n\r\n") {
                let head: Vec<u8> = self.ahead.drain(..at + 4).collect();
                return Ok(String::from_utf8_lossy(&head).into_owned());
            }
            ensure!(self.fill()? > 0, "closed in mid-head after {:?}", String::from_utf8_lossy(&self.ahead));
        }
    }

    pub fn read_exact(&mut self, count: usize) -> Result<Vec<u8>> {
        while self.ahead.len() < count {
            ensure!(self.fill()? > 0, "closed {} of {count} bytes in", self.ahead.len());
        }
        Ok(self.ahead.drain(..count).collect())
    }

    /// Waits until there is something to read, and leaves it there.
    pub fn leave_unread(&self) -> Result<()> {
        ensure!(self.stream.peek(&mut [0])? == 1, "closed");
        Ok(())
    }

    /// Reads and forgets; for bodies beyond memory.
    pub fn discard(&mut self, count: u64) -> Result<()> {
        let mut left = count - (self.ahead.len() as u64).min(count);
        self.ahead.drain(..(count - left) as usize);
        let mut buffer = vec![0; 1 << 20];
        while left > 0 {
            let room = buffer.len().min(usize::try_from(left).unwrap_or(usize::MAX));
            let got = self.stream.read(&mut buffer[..room])?;
            ensure!(got > 0, "closed with {left} of {count} bytes left");
            self.received += got as u64;
            left -= got as u64;
        }
        Ok(())
    }

    /// Head and body by Content-Length or chunked; for `HEAD`, 204 and 304 use [`Self::read_head`].
    pub fn read_response(&mut self) -> Result<(String, Vec<u8>)> {
        let head = self.read_head()?;
        if let Some(length) = header(&head, "content-length") {
            let body = self.read_exact(length.parse().context("content-length")?)?;
            return Ok((head, body));
        }
        if header(&head, "transfer-encoding").is_some() {
            let body = self.read_chunks()?;
            return Ok((head, body));
        }
        let body = self.read_to_end()?;
        Ok((head, body))
    }

    fn read_chunks(&mut self) -> Result<Vec<u8>> {
        let mut body = Vec::new();
        loop {
            let line = self.read_line()?;
            let size = usize::from_str_radix(line.split(';').next().unwrap_or_default().trim(), 16)?;
            if size == 0 {
                // Trailers end with an empty line.
                while !self.read_line()?.is_empty() {}
                return Ok(body);
            }
            body.extend(self.read_exact(size)?);
            self.read_exact(2)?;
        }
    }

    fn read_line(&mut self) -> Result<String> {
        loop {
            if let Some(at) = self.ahead.windows(2).position(|two| two == b"\r\n") {
                let line: Vec<u8> = self.ahead.drain(..at + 2).take(at).collect();
                return Ok(String::from_utf8_lossy(&line).into_owned());
            }
            ensure!(self.fill()? > 0, "closed in mid-line");
        }
    }

    /// All that comes until the peer closes; a reset ends it as well.
    pub fn read_to_end(&mut self) -> Result<Vec<u8>> {
        loop {
            match self.fill() {
                Ok(0) => return Ok(std::mem::take(&mut self.ahead)),
                Ok(_) => {}
                Err(error) if error.kind() == io::ErrorKind::ConnectionReset => {
                    return Ok(std::mem::take(&mut self.ahead));
                }
                Err(error) => bail!("read to the end: {error}"),
            }
        }
    }

    fn fill(&mut self) -> io::Result<usize> {
        let mut buffer = [0; 65_536];
        let got = self.stream.read(&mut buffer)?;
        self.ahead.extend_from_slice(&buffer[..got]);
        self.received += got as u64;
        Ok(got)
    }

    /// No more bytes from here; answers can still be read.
    pub fn half_close(&self) -> Result<()> {
        Ok(self.stream.shutdown(Shutdown::Write)?)
    }

    /// RST instead of FIN.
    pub fn reset(self) -> Result<()> {
        let linger = libc::linger { l_onoff: 1, l_linger: 0 };
        set_option(&self.stream, libc::SO_LINGER, &linger)
    }

    /// Size of the receive buffer. A small one is a small window: the server's writes become partial.
    pub fn receive_buffer(&self, bytes: libc::c_int) -> Result<()> {
        set_option(&self.stream, libc::SO_RCVBUF, &bytes)
    }

    pub fn local_port(&self) -> Result<u16> {
        Ok(self.stream.local_addr()?.port())
    }
}

pub(crate) fn set_option<T>(stream: &TcpStream, option: libc::c_int, value: &T) -> Result<()> {
    let size = size_of::<T>() as libc::socklen_t;
    // SAFETY: the value outlives the call and `size` is its size.
    let result =
        unsafe { libc::setsockopt(stream.as_raw_fd(), libc::SOL_SOCKET, option, (&raw const *value).cast(), size) };
    ensure!(result == 0, "setsockopt {option}: {}", io::Error::last_os_error());
    Ok(())
}

/// The value of a header, by its name in lower case.
pub fn header<'a>(head: &'a str, name: &str) -> Option<&'a str> {
    head.lines().find_map(|line| {
        let (key, value) = line.split_once(':')?;
        key.eq_ignore_ascii_case(name).then_some(value.trim())
    })
}

/// A request head for tests: method, target, further header lines.
pub fn request(method: &str, target: &str, headers: &[&str]) -> String {
    let more: String = headers.iter().map(|line| format!("{line}\r\n")).collect();
    format!("{method} {target} HTTP/1.1\r\nHost: test\r\n{more}\r\n")
}
