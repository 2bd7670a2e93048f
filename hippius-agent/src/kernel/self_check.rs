//! The start-up self-check: the agent's own loopback connections, as the probes report them, against what the calls
//! returned and what `getsockname` and `getsockopt` say.
//!
//! Offsets that are wrong read other fields, which is no error in itself. Three connections show it: one that ends in
//! order, one that is reset while bytes lie unread and unsent, so that the counters differ from each other, and one that
//! was open before it was watched. Another goes over a Unix socket.

mod client;
mod connection;
mod server;
mod unix;

use std::io;
use std::time::{Duration, Instant};

use hippius_common::flow::{Connected, FlowHeader, flag, kind};

use super::loader::Probes;
use super::process;
use super::record::{Item, Record};
use super::watch::Watch;
use connection::{Truth, in_order, opened_before, reset};

/// How long the records of one connection may take: they are there when it has ended.
const DEADLINE: Duration = Duration::from_secs(3);

/// Why the probes are not to be trusted.
#[derive(Debug, thiserror::Error)]
pub enum SelfCheckError {
    /// No connection, no check.
    #[error("cannot open a connection over the loopback interface: {0}")]
    Connection(#[from] io::Error),
    /// The probes saw nothing, or not the end.
    #[error("the probes did not report the end of the agent's own {0}")]
    Unseen(&'static str),
    /// They saw something else.
    #[error("the probes report {field} {found} of the agent's own {connection}, {expected} is true")]
    Mismatch {
        /// Which connection.
        connection: &'static str,
        /// What differs.
        field: &'static str,
        /// The probes' value.
        found: u64,
        /// The true one.
        expected: u64,
    },
    /// They read other memory than the call's.
    #[error("the probes captured other bytes than the {0} of the agent's own connection")]
    Bytes(&'static str),
}

/// Makes the connections and compares. Nothing else is watched meanwhile. `cookies` says whether records carry the
/// kernel's own socket cookies, and whether connections that are open already can be taken up.
///
/// Without cookies, somebody else's connection to the same port number cannot be told apart: a second try is another port.
pub fn run(probes: &mut Probes, cookies: bool) -> Result<(), SelfCheckError> {
    check(probes, cookies).or_else(|_| check(probes, cookies))
}

fn check(probes: &mut Probes, cookies: bool) -> Result<(), SelfCheckError> {
    // Elsewhere the kernel knows this process by another number, which is not to be had.
    let client = process::is_in_first_namespace();
    for make in [in_order, reset] {
        let truth = make(&mut |port| watch_only(probes, Some(port), client))?;
        let seen = collect(probes, &truth, Ends { server: true, client }, cookies)?;
        server::compare(&truth, &seen)?;
        if client {
            client::compare(&truth, &seen)?;
        }
        watch_only(probes, None, false)?;
    }
    unix::check(probes, cookies)?;
    if client && cookies {
        let truth = opened_before(&mut |_| watch_only(probes, None, true))?;
        let seen = collect(probes, &truth, Ends { server: false, client }, cookies)?;
        client::compare(&truth, &seen)?;
        watch_only(probes, None, false)?;
    }
    Ok(())
}

fn watch_only(probes: &mut Probes, port: Option<u16>, client: bool) -> io::Result<()> {
    let mut watch = Watch::default();
    if let Some(port) = port {
        watch.ports.add(port);
    }
    if client {
        watch.clients.push(std::process::id());
    }
    probes.controls.watch(&watch).map_err(io::Error::other)
}

/// The ends of a connection that are watched.
#[derive(Clone, Copy)]
struct Ends {
    server: bool,
    client: bool,
}

/// What the records of one connection said.
#[derive(Default)]
struct Seen {
    server: End,
    client: End,
    connected: Option<Connected>,
}

/// What they said of one end.
#[derive(Default)]
struct End {
    last: FlowHeader,
    request: Vec<u8>,
    response: Vec<u8>,
}

impl End {
    fn take(&mut self, record: &Record<'_>) {
        self.request.extend(record.inbound);
        self.response.extend(record.outbound);
        self.last = record.header;
    }

    fn is_over(&self) -> bool {
        self.last.kind == kind::CLOSE
    }
}

/// A process of another network namespace may use the same port; its records are left out. Process ids tell nothing: in a
/// container the kernel knows this process by another one.
fn collect(probes: &mut Probes, truth: &Truth, ends: Ends, cookies: bool) -> Result<Seen, SelfCheckError> {
    let deadline = Instant::now() + DEADLINE;
    let mut seen = Seen::default();
    while Instant::now() < deadline {
        while let Some(item) = probes.ring.next() {
            match Item::parse(&item) {
                Some(Item::Flow(record)) => {
                    let header = &record.header;
                    let is = |port, cookie| header.local_port == port && (!cookies || header.cookie == cookie);
                    if header.flags & flag::CLIENT == 0 && is(truth.server.port(), truth.cookie) {
                        seen.server.take(&record);
                    } else if header.flags & flag::CLIENT != 0 && is(truth.client_port, truth.client_cookie) {
                        seen.client.take(&record);
                    }
                }
                Some(Item::Connected(connected)) if connected.local_port == truth.client_port => {
                    seen.connected = Some(connected);
                }
                _ => {}
            }
        }
        if (!ends.server || seen.server.is_over()) && (!ends.client || seen.client.is_over()) {
            return Ok(seen);
        }
        std::thread::sleep(Duration::from_millis(1));
    }
    Err(SelfCheckError::Unseen(truth.name))
}

/// Refuses the first pair that is none: field, what was found, what is true.
fn same(connection: &'static str, pairs: &[(&'static str, u64, u64)]) -> Result<(), SelfCheckError> {
    for &(field, found, expected) in pairs {
        if found != expected {
            return Err(SelfCheckError::Mismatch { connection, field, found, expected });
        }
    }
    Ok(())
}
