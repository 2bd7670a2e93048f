//! A record of the ring or a frame of a sweep: the state of one flow, and captured bytes.

use std::borrow::Cow;

use hippius_common::flow::{Connected, FlowHeader, Named, kind};
use hippius_common::started::{Program, Started};
use hippius_common::tls::Asked;
use zerocopy::FromBytes;

/// Lines of the cache that the next record most often takes.
const LINES: usize = 8;

/// Fetches what stands behind `record` in the ring, most often the next one: it was written by another processor, so
/// that each of its lines would be waited for in turn.
pub fn fetch_next(record: &[u8]) {
    // Records begin at multiples of eight bytes, with a header of eight (kernel/bpf/ringbuf.c).
    let next = record.as_ptr().wrapping_add(record.len().next_multiple_of(8));
    for line in 0..LINES {
        prefetch(next.wrapping_add(line * 64));
    }
}

#[cfg(target_arch = "x86_64")]
fn prefetch(address: *const u8) {
    use core::arch::x86_64::{_MM_HINT_T0, _mm_prefetch};
    // SAFETY: a hint that never faults, whatever the address.
    unsafe { _mm_prefetch::<_MM_HINT_T0>(address.cast()) };
}

#[cfg(not(target_arch = "x86_64"))]
fn prefetch(_address: *const u8) {}

/// What the kernel side writes to the ring.
#[derive(Debug)]
pub enum Item<'a> {
    /// The state of a flow.
    Flow(Record<'a>),
    /// Whom a client is connected with.
    Connected(Connected),
    /// Under which name a Unix socket was accepted.
    Named(Named),
    /// Who is this process?
    Asked(Asked),
    /// A process has begun to run a program.
    Executes(Box<Program>),
    /// A process was forked, and runs what the other one runs.
    Forked(Started),
}

impl<'a> Item<'a> {
    /// Reads an item; `None` if it is shorter than it says.
    pub fn parse(bytes: &'a [u8]) -> Option<Self> {
        let kind = u16::from_ne_bytes(*bytes.first_chunk()?);
        if kind == kind::CONNECTED {
            return Connected::read_from_prefix(bytes).ok().map(|(connected, _)| Self::Connected(connected));
        }
        if kind == kind::PROCESS {
            return Asked::read_from_prefix(bytes).ok().map(|(asked, _)| Self::Asked(asked));
        }
        if kind == kind::NAMED {
            return Named::read_from_prefix(bytes).ok().map(|(named, _)| Self::Named(named));
        }
        if kind == kind::STARTED {
            let (started, _) = Started::read_from_prefix(bytes).ok()?;
            if started.executes == 0 {
                return Some(Self::Forked(started));
            }
            return Program::read_from_prefix(bytes).ok().map(|(program, _)| Self::Executes(Box::new(program)));
        }
        Record::parse(bytes).map(Self::Flow)
    }
}

/// The name of a Unix socket as `ss` and `/proc/net/unix` write it: a path, or `@` and an abstract name, each of whose zero
/// bytes is an `@` too.
pub fn socket_name(named: &Named) -> Cow<'_, str> {
    let name = named.name.get(..named.len as usize).unwrap_or_default();
    if name.first() == Some(&0) {
        return Cow::Owned(String::from_utf8_lossy(name).replace('\0', "@"));
    }
    text(name)
}

/// A text of the kernel's, which ends at the first zero, or with the bytes.
pub fn text(bytes: &[u8]) -> Cow<'_, str> {
    String::from_utf8_lossy(bytes.split(|byte| *byte == 0).next().unwrap_or_default())
}

/// One record, a view into the ring.
#[derive(Debug, Clone, Copy)]
pub struct Record<'a> {
    /// The flow's state when it was written.
    pub header: FlowHeader,
    /// Captured request bytes, from position `header.in_at`.
    pub inbound: &'a [u8],
    /// Captured response bytes, from position `header.out_at`.
    pub outbound: &'a [u8],
}

impl<'a> Record<'a> {
    /// Reads a record; `None` if it is shorter than it says.
    pub fn parse(bytes: &'a [u8]) -> Option<Self> {
        let (header, rest) = FlowHeader::read_from_prefix(bytes).ok()?;
        let (inbound, rest) = rest.split_at_checked(usize::from(header.in_len))?;
        let outbound = rest.get(..usize::from(header.out_len))?;
        Some(Self { header, inbound, outbound })
    }
}
