//! A connection over MPTCP of the agent's own.

use std::io;
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};

use socket2::{Domain, Protocol, SockRef, Socket, Type};

use super::connection::{Truth, accept, talk};
use super::{Ends, Probes, SelfCheckError, collect, server};

const NAME: &str = "connection over MPTCP";

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

/// One exchange; nothing where the connection is one of TCP after all, as one from a client without MPTCP is.
fn exchange(listener: &TcpListener, port: u16) -> io::Result<Option<Truth>> {
    let (client, server) = accept(listener, connect(port)?)?;
    if SockRef::from(&server).protocol()? != Some(Protocol::MPTCP) {
        return Ok(None);
    }
    Ok(Some(Truth { audited: false, ..talk(NAME, client, server)? }))
}

fn listen() -> io::Result<TcpListener> {
    let socket = socket()?;
    socket.bind(&loopback(0).into())?;
    socket.listen(16)?;
    Ok(socket.into())
}

/// It waits for nobody but this process, which has a place for it in its queue.
fn connect(port: u16) -> io::Result<TcpStream> {
    let socket = socket()?;
    socket.connect(&loopback(port).into())?;
    Ok(socket.into())
}

fn socket() -> io::Result<Socket> {
    Socket::new(Domain::IPV4, Type::STREAM, Some(Protocol::MPTCP))
}

fn loopback(port: u16) -> SocketAddr {
    (Ipv4Addr::LOCALHOST, port).into()
}
