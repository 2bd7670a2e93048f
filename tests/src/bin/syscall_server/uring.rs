//! io_uring: the bytes move while the task waits in another system call, or in none.

use std::io::{self, PipeReader, PipeWriter, Read as _, Write as _};
use std::net::TcpStream;
use std::os::fd::{AsRawFd as _, RawFd};

use io_uring::{IoUring, opcode, squeue, types};

use super::Calls;

pub struct Uring {
    ring: IoUring,
    pipe: Option<Pipe>,
}

/// A pipe whose reader waits in `read` while the ring receives: the buffer of that `read` holds a marker, and
/// nobody may mistake it for the socket's bytes.
pub struct Pipe {
    reader: PipeReader,
    writer: PipeWriter,
}

/// What lies in the memory of the `read` that is in flight; a test looks for it in everything the agent gives out.
const MARKER: &[u8] =
    b"GET /MARKER-OF-UNRELATED-MEMORY HTTP/1.1\r\nHost: marker\r\nX-Hippius-Main-Account: MARKER\r\n\r\n";

impl Pipe {
    pub fn new() -> io::Result<Self> {
        let (reader, writer) = io::pipe()?;
        Ok(Self { reader, writer })
    }

    /// Sleeps in `read` on the pipe until a byte comes through the ring.
    fn wait(&mut self) -> io::Result<()> {
        let mut buffer = vec![0; 4096];
        for slot in buffer.chunks_mut(MARKER.len()) {
            slot.copy_from_slice(&MARKER[..slot.len()]);
        }
        let got = self.reader.read(&mut buffer)?;
        assert_eq!(got, 1, "one byte wakes the reader");
        Ok(())
    }
}

impl Uring {
    pub fn new(pipe: Option<Pipe>) -> io::Result<Self> {
        Ok(Self { ring: IoUring::new(8)?, pipe })
    }

    fn run(&mut self, entry: &squeue::Entry) -> io::Result<usize> {
        // SAFETY: the buffer behind the entry lives in the caller, who waits for the completion below.
        unsafe { self.ring.submission().push(entry) }.map_err(io::Error::other)?;
        if let Some(pipe) = &mut self.pipe {
            wait_in_pipe(&mut self.ring, pipe)?;
        } else {
            self.ring.submit_and_wait(1)?;
        }
        loop {
            if let Some(done) = self.ring.completion().next() {
                let result = done.result();
                return usize::try_from(result).map_err(|_| io::Error::from_raw_os_error(-result));
            }
            self.ring.submit_and_wait(1)?;
        }
    }
}

/// Submits, then sleeps in `read(pipe)`. A thread without a part in the traffic writes the byte once the completion
/// queue says that the receive is done: the kernel runs the receive as task work of the sleeping reader.
fn wait_in_pipe(ring: &mut IoUring, pipe: &mut Pipe) -> io::Result<()> {
    ring.submit()?;
    let ring_fd: RawFd = ring.as_raw_fd();
    let mut writer = pipe.writer.try_clone()?;
    std::thread::scope(|scope| {
        scope.spawn(move || {
            let mut poll = libc::pollfd { fd: ring_fd, events: libc::POLLIN, revents: 0 };
            // SAFETY: one valid entry; the ring stays open, the scope joins this thread first.
            unsafe { libc::poll(&mut poll, 1, -1) };
            writer.write_all(b"!")
        });
        pipe.wait()
    })
}

impl Calls for Uring {
    fn receive(&mut self, stream: &TcpStream, buffer: &mut [u8]) -> io::Result<usize> {
        let length = buffer.len() as u32;
        self.run(&opcode::Recv::new(types::Fd(stream.as_raw_fd()), buffer.as_mut_ptr(), length).build())
    }

    fn send(&mut self, stream: &TcpStream, bytes: &[u8]) -> io::Result<usize> {
        let length = bytes.len() as u32;
        self.run(&opcode::Send::new(types::Fd(stream.as_raw_fd()), bytes.as_ptr(), length).build())
    }
}
