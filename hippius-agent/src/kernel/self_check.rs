//! The start-up self-check: the agent's own loopback connections, as the probes report them, against what the calls
//! returned and what `getsockname` and `getsockopt` say.
//!
//! Offsets that are wrong read other fields, which is no error in itself. Three connections show it: one that ends in
//! order, one that is reset while bytes lie unread and unsent, so that the counters differ from each other, and one that
//! was open before it was watched. Others go over a Unix socket and over MPTCP.

mod client;
mod connection;
mod mptcp;
mod program;
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
    /// They saw another program than the one that was started.
    #[error("the probes report another {0} of a program that the agent has started")]
    Program(&'static str),
    /// They read other memory than the call's.
    #[error("the probes captured other bytes than the {0} of the agent's own connection")]
    Bytes(&'static str),
}

/// Makes connections and compares what is said of the server's end. Nothing else is watched meanwhile. `cookies` says
/// whether records carry the kernel's own socket cookies, and whether connections that are open already can be taken up.
///
/// Without cookies, somebody else's connection to the same port number cannot be told apart: a second try is another port.
pub fn servers(probes: &mut Probes, cookies: bool) -> Result<(), SelfCheckError> {
    twice(|| {
        let ends = Ends { server: true, client: false };
        for make in [in_order, reset] {
            let mut watch = Watch::default();
            let truth = make(&mut |port| {
                watch.ports.add(port);
                probes.controls.watch(&watch).map_err(io::Error::other)
            })?;
            server::compare(&truth, &collect(probes, &truth, ends, cookies)?)?;
            probes.controls.watch(&Watch::default()).map_err(io::Error::other)?;
        }
        unix::check(probes, cookies)
    })?;
    // Nobody else's was watched.
    probes.early.drain(&mut probes.ring);
    drop(probes.early.take());
    Ok(())
}

/// The same of the client's end, while `watched` servers are watched already: their records are kept.
pub fn clients(probes: &mut Probes, watched: &Watch, cookies: bool) -> Result<(), SelfCheckError> {
    // Elsewhere the kernel knows this process by another number, which is not to be had.
    if !process::is_in_first_namespace() {
        return Ok(());
    }
    let itself = Watch { clients: vec![std::process::id()], ..watched.clone() };
    let ends = Ends { server: false, client: true };
    let connections: &[Make] = if cookies { &[in_order, reset, opened_before] } else { &[in_order, reset] };
    twice(|| {
        for make in connections {
            let truth = make(&mut |port| {
                // What this process has accepted is no client's, and its records would be taken for somebody's.
                let mut watch = itself.clone();
                watch.listened.add(port);
                probes.controls.clients.watch(&watch).map_err(io::Error::other)
            })?;
            client::compare(&truth, &collect(probes, &truth, ends, cookies)?)?;
            probes.controls.clients.watch(watched).map_err(io::Error::other)?;
        }
        program::check(probes, watched)
    })
}

/// The same of the server's end of a connection over MPTCP, where such can be had.
pub fn mptcp(probes: &mut Probes, cookies: bool) -> Result<(), SelfCheckError> {
    twice(|| mptcp::check(probes, cookies))
}

/// Makes a connection that is watched when the given function is called with the server's port.
type Make = fn(&mut dyn FnMut(u16) -> io::Result<()>) -> io::Result<Truth>;

fn twice(mut check: impl FnMut() -> Result<(), SelfCheckError>) -> Result<(), SelfCheckError> {
    check().or_else(|_| check())
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

impl Seen {
    /// False for what is of another connection.
    fn take(&mut self, item: &[u8], truth: &Truth, cookies: bool) -> bool {
        match Item::parse(item) {
            Some(Item::Flow(record)) => {
                let header = &record.header;
                let is = |port, cookie| header.local_port == port && (!cookies || header.cookie == cookie);
                if header.flags & flag::CLIENT == 0 && is(truth.server.port(), truth.cookie) {
                    self.server.take(&record);
                } else if header.flags & flag::CLIENT != 0 && is(truth.client_port, truth.client_cookie) {
                    self.client.take(&record);
                } else {
                    return false;
                }
                true
            }
            Some(Item::Connected(connected)) if connected.local_port == truth.client_port => {
                self.connected = Some(connected);
                true
            }
            _ => false,
        }
    }
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
            if !seen.take(&item, truth, cookies) {
                probes.early.keep(&item);
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
