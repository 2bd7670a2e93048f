//! A connection over MPTCP of the agent's own.

use std::io;
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd};

use super::connection::{Truth, accept, talk};
use super::{Ends, Probes, SelfCheckError, collect, server};

const NAME: &str = "connection over MPTCP";
/// include/uapi/linux/in.h
const IPPROTO_MPTCP: libc::c_int = 262;

/// Makes the connection and compares, while others are watched already. Nothing is checked where the kernel lets no such
/// connection be made: then there is none to be counted either, as far as the agent can tell.
pub(super) fn check(probes: &mut Probes, cookies: bool) -> Result<(), SelfCheckError> {
    let Ok(listener) = listen() else { return Ok(()) };
    let port = listener.local_addr()?.port();
    probes.controls.watch_port(port, true).map_err(io::Error::other)?;
    let compared = exchange(&listener, port).map_err(SelfCheckError::from).and_then(|truth| {
        let Some(truth) = truth else { return Ok(()) };
        server::compare(&truth, &collect(probes, &truth, Ends { server: true, client: false }, cookies)?)
    });
    probes.controls.watch_port(port, false).map_err(io::Error::other)?;
    compared
}

/// One exchange; nothing where the connection is one of TCP after all.
fn exchange(listener: &TcpListener, port: u16) -> io::Result<Option<Truth>> {
    let (client, server) = accept(listener, connect(port)?)?;
    if protocol(&server)? != IPPROTO_MPTCP {
        return Ok(None);
    }
    Ok(Some(Truth { audited: false, ..talk(NAME, client, server)? }))
}

fn listen() -> io::Result<TcpListener> {
    let socket = socket()?;
    let address = loopback(0);
    let len = size_of_val(&address) as libc::socklen_t;
    // SAFETY: the address outlives the calls, and `len` is its size.
    unsafe {
        done(libc::bind(socket.as_raw_fd(), (&raw const address).cast(), len))?;
        done(libc::listen(socket.as_raw_fd(), 16))?;
    }
    Ok(socket.into())
}

/// It waits for nobody but this process, which has a place for it in its queue.
fn connect(port: u16) -> io::Result<TcpStream> {
    let socket = socket()?;
    let address = loopback(port);
    let len = size_of_val(&address) as libc::socklen_t;
    // SAFETY: the address outlives the call, and `len` is its size.
    done(unsafe { libc::connect(socket.as_raw_fd(), (&raw const address).cast(), len) })?;
    Ok(socket.into())
}

fn socket() -> io::Result<OwnedFd> {
    // SAFETY: plain system call.
    let socket = unsafe { libc::socket(libc::AF_INET, libc::SOCK_STREAM | libc::SOCK_CLOEXEC, IPPROTO_MPTCP) };
    done(socket)?;
    // SAFETY: the kernel just returned this descriptor; nobody else owns it.
    Ok(unsafe { OwnedFd::from_raw_fd(socket) })
}

/// One that was accepted from a client without MPTCP is a TCP socket.
fn protocol(socket: &TcpStream) -> io::Result<libc::c_int> {
    let (mut protocol, mut len): (libc::c_int, _) = (0, size_of::<libc::c_int>() as libc::socklen_t);
    let value = (&raw mut protocol).cast();
    // SAFETY: both pointers are valid for the call, and `len` is the size of what the first points to.
    done(unsafe { libc::getsockopt(socket.as_raw_fd(), libc::SOL_SOCKET, libc::SO_PROTOCOL, value, &raw mut len) })?;
    Ok(protocol)
}

fn loopback(port: u16) -> libc::sockaddr_in {
    libc::sockaddr_in {
        sin_family: libc::AF_INET as libc::sa_family_t,
        sin_port: port.to_be(),
        sin_addr: libc::in_addr { s_addr: u32::from(Ipv4Addr::LOCALHOST).to_be() },
        sin_zero: [0; 8],
    }
}

fn done(result: libc::c_int) -> io::Result<()> {
    if result < 0 { Err(io::Error::last_os_error()) } else { Ok(()) }
}
