//! The plain system calls, one type per pair.

use std::io::{self, IoSlice, IoSliceMut, Read as _, Write as _};
use std::net::TcpStream;
use std::os::fd::AsRawFd as _;

use super::Calls;

fn check(result: isize) -> io::Result<usize> {
    usize::try_from(result).map_err(|_| io::Error::last_os_error())
}

/// `recvfrom` and `sendto`: what std itself uses for streams.
pub struct RecvSend {
    pub flags: libc::c_int,
}

impl Calls for RecvSend {
    fn receive(&mut self, stream: &TcpStream, buffer: &mut [u8]) -> io::Result<usize> {
        // SAFETY: the buffer is valid for its length during the call.
        check(unsafe { libc::recv(stream.as_raw_fd(), buffer.as_mut_ptr().cast(), buffer.len(), self.flags) })
    }

    fn send(&mut self, stream: &TcpStream, bytes: &[u8]) -> io::Result<usize> {
        // SAFETY: the bytes are valid for their length during the call.
        check(unsafe {
            libc::send(stream.as_raw_fd(), bytes.as_ptr().cast(), bytes.len(), self.flags | libc::MSG_NOSIGNAL)
        })
    }
}

pub struct ReadWrite;

impl Calls for ReadWrite {
    fn receive(&mut self, stream: &TcpStream, buffer: &mut [u8]) -> io::Result<usize> {
        // SAFETY: the buffer is valid for its length during the call.
        check(unsafe { libc::read(stream.as_raw_fd(), buffer.as_mut_ptr().cast(), buffer.len()) })
    }

    fn send(&mut self, stream: &TcpStream, bytes: &[u8]) -> io::Result<usize> {
        // SAFETY: the bytes are valid for their length during the call.
        check(unsafe { libc::write(stream.as_raw_fd(), bytes.as_ptr().cast(), bytes.len()) })
    }
}

/// Looks twice before it takes: the looks are not traffic.
pub struct Peek;

impl Calls for Peek {
    fn receive(&mut self, stream: &TcpStream, buffer: &mut [u8]) -> io::Result<usize> {
        let mut look = RecvSend { flags: libc::MSG_PEEK };
        look.receive(stream, buffer)?;
        let seen = look.receive(stream, buffer)?;
        RecvSend { flags: 0 }.receive(stream, &mut buffer[..seen])
    }

    fn send(&mut self, stream: &TcpStream, bytes: &[u8]) -> io::Result<usize> {
        RecvSend { flags: 0 }.send(stream, bytes)
    }
}

/// `readv` and `writev` with pieces of odd sizes, the first ones tiny.
pub struct Vectored;

impl Calls for Vectored {
    fn receive(&mut self, stream: &TcpStream, buffer: &mut [u8]) -> io::Result<usize> {
        let (first, rest) = buffer.split_at_mut(3);
        let (second, third) = rest.split_at_mut(17);
        (&*stream).read_vectored(&mut [IoSliceMut::new(first), IoSliceMut::new(second), IoSliceMut::new(third)])
    }

    fn send(&mut self, stream: &TcpStream, bytes: &[u8]) -> io::Result<usize> {
        let (first, rest) = bytes.split_at(bytes.len().min(5));
        let (second, third) = rest.split_at(rest.len().min(40));
        (&*stream).write_vectored(&[IoSlice::new(first), IoSlice::new(second), IoSlice::new(third)])
    }
}

fn message(vector: &mut libc::iovec) -> libc::msghdr {
    // SAFETY: a message header of zeros is valid: no name, no control data.
    let mut message: libc::msghdr = unsafe { std::mem::zeroed() };
    (message.msg_iov, message.msg_iovlen) = (vector, 1);
    message
}

pub struct Messages;

impl Calls for Messages {
    fn receive(&mut self, stream: &TcpStream, buffer: &mut [u8]) -> io::Result<usize> {
        let mut vector = libc::iovec { iov_base: buffer.as_mut_ptr().cast(), iov_len: buffer.len() };
        // SAFETY: the vector and its buffer outlive the call.
        check(unsafe { libc::recvmsg(stream.as_raw_fd(), &mut message(&mut vector), 0) })
    }

    fn send(&mut self, stream: &TcpStream, bytes: &[u8]) -> io::Result<usize> {
        let mut vector = libc::iovec { iov_base: bytes.as_ptr().cast_mut().cast(), iov_len: bytes.len() };
        // SAFETY: the vector and its bytes outlive the call; sending does not write to them.
        check(unsafe { libc::sendmsg(stream.as_raw_fd(), &message(&mut vector), libc::MSG_NOSIGNAL) })
    }
}

/// Two messages a call; on a stream the second receive takes what is there and does not wait.
pub struct ManyMessages;

impl Calls for ManyMessages {
    fn receive(&mut self, stream: &TcpStream, buffer: &mut [u8]) -> io::Result<usize> {
        let (first, second) = buffer.split_at_mut(100);
        let mut vectors =
            [first, second].map(|part| libc::iovec { iov_base: part.as_mut_ptr().cast(), iov_len: part.len() });
        let [one, two] = &mut vectors;
        let mut messages = [one, two].map(|vector| libc::mmsghdr { msg_hdr: message(vector), msg_len: 0 });
        // SAFETY: vectors and buffers outlive the call.
        let count = unsafe {
            libc::recvmmsg(
                stream.as_raw_fd(),
                messages.as_mut_ptr(),
                2,
                libc::MSG_WAITFORONE as _,
                std::ptr::null_mut(),
            )
        };
        let count = check(count as isize)?;
        let lengths: Vec<usize> = messages.iter().take(count).map(|message| message.msg_len as usize).collect();
        let [first, second] = [lengths.first().copied().unwrap_or(0), lengths.get(1).copied().unwrap_or(0)];
        // Bytes that came between the two looks leave a hole after a first part that was not full.
        buffer.copy_within(100..100 + second, first);
        Ok(first + second)
    }

    fn send(&mut self, stream: &TcpStream, bytes: &[u8]) -> io::Result<usize> {
        // Small enough that the first of the two is never cut short, which would leave a hole.
        let bytes = &bytes[..bytes.len().min(16_384)];
        let (first, second) = bytes.split_at(bytes.len() / 2);
        let mut vectors =
            [first, second].map(|part| libc::iovec { iov_base: part.as_ptr().cast_mut().cast(), iov_len: part.len() });
        let [one, two] = &mut vectors;
        let mut messages = [one, two].map(|vector| libc::mmsghdr { msg_hdr: message(vector), msg_len: 0 });
        // SAFETY: vectors and bytes outlive the call; sending does not write to them.
        let count = unsafe { libc::sendmmsg(stream.as_raw_fd(), messages.as_mut_ptr(), 2, libc::MSG_NOSIGNAL as _) };
        let count = check(count as isize)?;
        Ok(messages.iter().take(count).map(|message| message.msg_len as usize).sum())
    }
}

/// `MSG_ZEROCOPY` sends; the completions are read from the error queue, which is not traffic.
pub struct ZeroCopy;

impl Calls for ZeroCopy {
    fn receive(&mut self, stream: &TcpStream, buffer: &mut [u8]) -> io::Result<usize> {
        RecvSend { flags: 0 }.receive(stream, buffer)
    }

    fn send(&mut self, stream: &TcpStream, bytes: &[u8]) -> io::Result<usize> {
        let on: libc::c_int = 1;
        let size = size_of_val(&on) as libc::socklen_t;
        // SAFETY: the option's value outlives the call and has the given size.
        unsafe {
            libc::setsockopt(stream.as_raw_fd(), libc::SOL_SOCKET, libc::SO_ZEROCOPY, (&raw const on).cast(), size)
        };
        let count = RecvSend { flags: libc::MSG_ZEROCOPY }.send(stream, bytes)?;
        let mut control = [0u64; 64];
        loop {
            let mut vector = libc::iovec { iov_base: std::ptr::null_mut(), iov_len: 0 };
            let mut notice = message(&mut vector);
            (notice.msg_control, notice.msg_controllen) = (control.as_mut_ptr().cast(), size_of_val(&control));
            // SAFETY: the control buffer outlives the call; no payload is asked for.
            let result = unsafe { libc::recvmsg(stream.as_raw_fd(), &mut notice, libc::MSG_ERRQUEUE) };
            if result >= 0 {
                return Ok(count);
            }
            // The kernel still holds the pages: `bytes` must not go away before it says so.
            std::thread::yield_now();
        }
    }
}
