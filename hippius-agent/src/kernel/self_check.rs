//! The start-up self-check: the agent's own loopback connections, as the probes report them, against what the calls
//! returned and what `getsockname` and `getsockopt` say.
//!
//! Offsets that are wrong read other fields, which is no error in itself. Two connections show it: one that ends in
//! order, and one that is reset while bytes lie unread and unsent, so that the counters differ from each other.

mod connection;

use std::io;
use std::time::{Duration, Instant};

use hippius_common::flow::{FlowHeader, flag, kind};

use super::loader::{PORT_WORDS, Probes};
use super::record::Record;
use connection::{Truth, in_order, reset};

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

/// Makes both connections and compares. Nothing else is watched meanwhile. `cookies` says whether records carry the
/// kernel's own socket cookies.
///
/// Without cookies, somebody else's connection to the same port number cannot be told apart: a second try is another port.
pub fn run(probes: &mut Probes, cookies: bool) -> Result<(), SelfCheckError> {
    check(probes, cookies).or_else(|_| check(probes, cookies))
}

fn check(probes: &mut Probes, cookies: bool) -> Result<(), SelfCheckError> {
    type Make = fn(&mut dyn FnMut(u16) -> io::Result<()>) -> io::Result<Truth>;
    let both: [Make; 2] = [in_order, reset];
    for make in both {
        let truth = make(&mut |port| watch_only(probes, port))?;
        let seen = collect(probes, &truth, cookies)?;
        compare(&truth, &seen)?;
    }
    Ok(())
}

fn watch_only(probes: &mut Probes, port: u16) -> io::Result<()> {
    let mut ports = [0; PORT_WORDS];
    if let Some(word) = ports.get_mut(usize::from(port >> 6)) {
        *word |= 1 << (port & 63);
    }
    probes.controls.watch(&ports, false).map_err(io::Error::other)
}

/// What the records of one connection said.
struct Seen {
    last: FlowHeader,
    request: Vec<u8>,
    response: Vec<u8>,
}

/// A process of another network namespace may use the same port; its records are left out. Process ids tell nothing: in a
/// container the kernel knows this process by another one.
fn collect(probes: &mut Probes, truth: &Truth, cookies: bool) -> Result<Seen, SelfCheckError> {
    let deadline = Instant::now() + DEADLINE;
    let mut seen = Seen { last: FlowHeader::default(), request: Vec::new(), response: Vec::new() };
    while Instant::now() < deadline {
        while let Some(item) = probes.ring.next() {
            let Some(record) = Record::parse(&item) else { continue };
            if record.header.local_port != truth.port || (cookies && record.header.cookie != truth.cookie) {
                continue;
            }
            seen.request.extend(record.inbound);
            seen.response.extend(record.outbound);
            seen.last = record.header;
            if record.header.kind == kind::CLOSE {
                return Ok(seen);
            }
        }
        std::thread::sleep(Duration::from_millis(1));
    }
    Err(SelfCheckError::Unseen(truth.name))
}

fn compare(truth: &Truth, seen: &Seen) -> Result<(), SelfCheckError> {
    let Seen { last, request, response } = seen;
    let is_ipv6 = u64::from(last.flags & flag::IPV6 != 0);
    let peer_ended = u64::from(last.flags & flag::PEER_FIN != 0);
    let pairs = [
        ("IPv6", is_ipv6, 0),
        ("received bytes", last.inbound.total, truth.received),
        ("sent bytes", last.outbound.total, truth.sent),
        ("received bytes of the kernel's counters", last.kernel_in, truth.received),
        ("sent bytes of the kernel's counters", last.kernel_out, truth.sent),
        ("requests", u64::from(last.inbound.messages), 1),
        ("responses", u64::from(last.outbound.messages), 1),
        ("FINs", peer_ended, u64::from(truth.peer_ended)),
        ("error", u64::from(last.error), u64::from(truth.error)),
    ];
    for (field, found, expected) in pairs {
        if found != expected {
            return Err(SelfCheckError::Mismatch { connection: truth.name, field, found, expected });
        }
    }
    if *request != truth.request {
        return Err(SelfCheckError::Bytes("request head"));
    }
    if *response != truth.response {
        return Err(SelfCheckError::Bytes("response head"));
    }
    Ok(())
}
