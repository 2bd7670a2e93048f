//! Streams that are no plain TCP in the shape of the standard library's, which knows no type for them: reading, writing and
//! timeouts are the same calls.

use std::io;
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::os::fd::OwnedFd;
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::Path;

use socket2::{Domain, Protocol, SockRef, Socket, Type};

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
    socket.bind(&loopback(port).into())?;
    socket.listen(16)?;
    Ok(socket.into())
}

/// A connection over MPTCP to loopback.
pub fn mptcp_connect(port: u16) -> io::Result<TcpStream> {
    let socket = mptcp_socket()?;
    socket.connect(&loopback(port).into())?;
    Ok(socket.into())
}

/// Whether the kernel has MPTCP, and it is switched on.
pub fn has_mptcp() -> bool {
    mptcp_socket().is_ok()
}

/// Whether a connection is one of MPTCP, as the socket says itself: one that was accepted from a peer without is TCP.
pub fn is_mptcp(stream: &TcpStream) -> io::Result<bool> {
    Ok(SockRef::from(stream).protocol()? == Some(Protocol::MPTCP))
}

fn mptcp_socket() -> io::Result<Socket> {
    Socket::new(Domain::IPV4, Type::STREAM, Some(Protocol::MPTCP))
}

fn loopback(port: u16) -> SocketAddr {
    (Ipv4Addr::LOCALHOST, port).into()
}
