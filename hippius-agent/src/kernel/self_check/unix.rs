//! A connection over a Unix socket of the agent's own: one exchange, and a request that its client does not wait for.

use std::io::{self, Read, Write};
use std::os::linux::net::SocketAddrExt;
use std::os::unix::net::{SocketAddr, UnixListener, UnixStream};
use std::time::Instant;

use hippius_common::flow::flag;

use super::connection::{TIMEOUT, cookie};
use super::{DEADLINE, End, Probes, SelfCheckError, same};
use crate::kernel::record::{Item, socket_name};
use crate::kernel::watch::Watch;

const NAME: &str = "Unix socket";

/// What is true of it.
struct Truth {
    name: String,
    cookie: u64,
    request: Vec<u8>,
    response: Vec<u8>,
}

/// Makes the connection and compares. `cookies` as in [`super::run`].
pub(super) fn check(probes: &mut Probes, cookies: bool) -> Result<(), SelfCheckError> {
    if !probes.controls.sees_unix() {
        return Ok(());
    }
    let watch = Watch { unix: true, ..Watch::default() };
    probes.controls.watch(&watch).map_err(io::Error::other)?;
    let truth = talk()?;
    let seen = collect(probes, &truth)?;
    probes.controls.watch(&Watch::default()).map_err(io::Error::other)?;
    let last = &seen.last;
    same(
        NAME,
        &[
            ("cookie", if cookies { last.cookie } else { truth.cookie }, truth.cookie),
            ("received bytes", last.inbound.total, 2 * truth.request.len() as u64),
            ("sent bytes", last.outbound.total, truth.response.len() as u64),
            ("requests", u64::from(last.inbound.messages), 2),
            ("responses", u64::from(last.outbound.messages), 1),
        ],
    )?;
    if seen.request != [truth.request.as_slice(), &truth.request].concat() {
        return Err(SelfCheckError::Bytes("request heads"));
    }
    if seen.response != truth.response {
        return Err(SelfCheckError::Bytes("response head"));
    }
    Ok(())
}

fn talk() -> io::Result<Truth> {
    let name = format!("hippius-agent-{}-{}", std::process::id(), crate::kernel::clock::monotonic_ns());
    let address = SocketAddr::from_abstract_name(&name)?;
    let listener = UnixListener::bind_addr(&address)?;
    let mut client = UnixStream::connect_addr(&address)?;
    let (mut server, _) = listener.accept()?;
    for socket in [&client, &server] {
        socket.set_read_timeout(Some(TIMEOUT))?;
        socket.set_write_timeout(Some(TIMEOUT))?;
    }
    let truth = Truth {
        cookie: cookie(&server)?,
        request: format!("GET /self-check/{name} HTTP/1.1\r\nHost: self-check\r\n\r\n").into_bytes(),
        response: b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n".to_vec(),
        name: format!("@{name}"),
    };
    let mut request = vec![0; truth.request.len()];
    client.write_all(&truth.request)?;
    server.read_exact(&mut request)?;
    server.write_all(&truth.response)?;
    client.read_exact(&mut vec![0; truth.response.len()])?;
    client.write_all(&truth.request)?;
    server.read_exact(&mut request)?;
    drop(client);
    // Waits for the end.
    server.read_exact(&mut [0]).err();
    Ok(truth)
}

/// What the records say of the connection of this name, up to its client's end.
fn collect(probes: &mut Probes, truth: &Truth) -> Result<End, SelfCheckError> {
    let deadline = Instant::now() + DEADLINE;
    let mut seen = End::default();
    let mut told = None;
    while Instant::now() < deadline {
        while let Some(item) = probes.ring.next() {
            match Item::parse(&item) {
                Some(Item::Named(named)) if socket_name(&named) == truth.name => told = Some(named.cookie),
                Some(Item::Flow(record)) if told == Some(record.header.cookie) => seen.take(&record),
                _ => {}
            }
        }
        if seen.last.flags & flag::CLIENT_FIN_FIRST != 0 {
            return Ok(seen);
        }
        std::thread::sleep(std::time::Duration::from_millis(1));
    }
    Err(SelfCheckError::Unseen(NAME))
}
