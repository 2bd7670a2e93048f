//! Streams that are no plain TCP in the shape of the standard library's, which knows no type for them: reading, writing and
//! timeouts are the same calls.

use std::io;
use std::mem::size_of_val;
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::os::fd::{AsRawFd as _, FromRawFd as _, OwnedFd};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::Path;

/// include/uapi/linux/in.h
const IPPROTO_MPTCP: libc::c_int = 262;

/// A connection to the Unix socket at `path`.
pub fn unix_connect(path: &Path) -> io::Result<TcpStream> {
    UnixStream::connect(path).map(of_unix)
}

/// The next connection of a Unix socket.
pub fn unix_accept(listener: &UnixListener) -> io::Result<TcpStream> {
    listener.accept().map(|(stream, _)| of_unix(stream))
}

fn of_unix(stream: UnixStream) -> TcpStream {
    OwnedFd::from(stream).into()
}

/// A socket of MPTCP that listens on loopback.
pub fn mptcp_listen(port: u16) -> io::Result<TcpListener> {
    let socket = mptcp_socket()?;
    let address = address(port);
    // SAFETY: the address outlives the call and the size is its size.
    unsafe {
        check(libc::bind(socket.as_raw_fd(), (&raw const address).cast(), size_of_val(&address) as libc::socklen_t))?;
        check(libc::listen(socket.as_raw_fd(), 16))?;
    }
    Ok(socket.into())
}

/// A connection over MPTCP to loopback.
pub fn mptcp_connect(port: u16) -> io::Result<TcpStream> {
    let socket = mptcp_socket()?;
    let address = address(port);
    // SAFETY: the address outlives the call and the size is its size.
    let result = unsafe {
        libc::connect(socket.as_raw_fd(), (&raw const address).cast(), size_of_val(&address) as libc::socklen_t)
    };
    check(result)?;
    Ok(socket.into())
}

/// Whether the kernel has MPTCP, and it is switched on.
pub fn has_mptcp() -> bool {
    mptcp_socket().is_ok()
}

/// Whether a connection is one of MPTCP, as the socket says itself: one that was accepted from a peer without is TCP.
pub fn is_mptcp(stream: &TcpStream) -> io::Result<bool> {
    let (mut protocol, mut size): (libc::c_int, _) = (0, size_of::<libc::c_int>() as libc::socklen_t);
    // SAFETY: the value outlives the call and the size is its size.
    let result = unsafe {
        let value = (&raw mut protocol).cast();
        libc::getsockopt(stream.as_raw_fd(), libc::SOL_SOCKET, libc::SO_PROTOCOL, value, &raw mut size)
    };
    check(result)?;
    Ok(protocol == IPPROTO_MPTCP)
}

fn mptcp_socket() -> io::Result<OwnedFd> {
    // SAFETY: plain system call.
    let socket = unsafe { libc::socket(libc::AF_INET, libc::SOCK_STREAM | libc::SOCK_CLOEXEC, IPPROTO_MPTCP) };
    check(socket)?;
    // SAFETY: the kernel just returned this descriptor; nobody else owns it.
    Ok(unsafe { OwnedFd::from_raw_fd(socket) })
}

fn address(port: u16) -> libc::sockaddr_in {
    libc::sockaddr_in {
        sin_family: libc::AF_INET as libc::sa_family_t,
        sin_port: port.to_be(),
        sin_addr: libc::in_addr { s_addr: u32::from(Ipv4Addr::LOCALHOST).to_be() },
        sin_zero: [0; 8],
    }
}

fn check(result: libc::c_int) -> io::Result<()> {
    if result < 0 { Err(io::Error::last_os_error()) } else { Ok(()) }
}
