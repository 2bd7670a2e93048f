//! `splice` both ways: socket to pipe, pipe to socket.

use std::fs::File;
use std::io::{self, PipeReader, PipeWriter, Read as _, Write as _};
use std::net::TcpStream;
use std::os::fd::AsRawFd;

use super::Calls;

pub struct Splice {
    reader: PipeReader,
    writer: PipeWriter,
}

impl Splice {
    pub fn new() -> io::Result<Self> {
        let (reader, writer) = io::pipe()?;
        Ok(Self { reader, writer })
    }
}

/// What a pipe holds by default; more would block this one thread on itself.
const PIPE_BYTES: usize = 65_536;

fn splice(from: &impl AsRawFd, to: &impl AsRawFd, count: usize) -> io::Result<usize> {
    let (from, to) = (from.as_raw_fd(), to.as_raw_fd());
    // SAFETY: both descriptors are open during the call; null offsets are what sockets and pipes need.
    let result =
        unsafe { libc::splice(from, std::ptr::null_mut(), to, std::ptr::null_mut(), count, libc::SPLICE_F_MOVE) };
    usize::try_from(result).map_err(|_| io::Error::last_os_error())
}

impl Calls for Splice {
    fn receive(&mut self, stream: &TcpStream, buffer: &mut [u8]) -> io::Result<usize> {
        let count = splice(stream, &self.writer, buffer.len().min(PIPE_BYTES))?;
        let mut pipe = File::from(std::os::fd::OwnedFd::from(self.reader.try_clone()?));
        pipe.read_exact(&mut buffer[..count])?;
        Ok(count)
    }

    fn send(&mut self, stream: &TcpStream, bytes: &[u8]) -> io::Result<usize> {
        // Half of what a pipe holds: unaligned writes use more pages than bytes.
        let bytes = &bytes[..bytes.len().min(PIPE_BYTES / 2)];
        self.writer.write_all(bytes)?;
        let mut sent = 0;
        while sent < bytes.len() {
            sent += splice(&self.reader, stream, bytes.len() - sent)?;
        }
        Ok(sent)
    }
}
