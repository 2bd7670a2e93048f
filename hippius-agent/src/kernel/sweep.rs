//! A look at the flows that moved lately: what no record has told yet.
//!
//! A BPF iterator over the socket storage writes each flow as a frame: its size and version, header and capture, and
//! the version again. A frame whose version changed, or was odd, was written to meanwhile: it is left for the next
//! sweep.

use std::io::{self, Read};
use std::os::fd::BorrowedFd;

use aya::maps::{Array, MapData};
use hippius_common::flow::{CAPTURE_BYTES, FlowHeader};
use zerocopy::FromBytes;

use super::iterator::Iterator;

/// The iterators over all flows.
pub struct Sweeper {
    links: Vec<Iterator>,
    shown: Array<MapData, u64>,
    buffer: Vec<u8>,
}

impl Sweeper {
    /// Binds the iterator program to the map of flows.
    pub fn new(program: BorrowedFd<'_>, flows: BorrowedFd<'_>, shown: Array<MapData, u64>) -> io::Result<Self> {
        let links = vec![Iterator::over_map(program, flows)?];
        Ok(Self { links, shown, buffer: vec![0; 64 * 1024] })
    }

    /// Looks at another map of flows too.
    pub fn also(&mut self, program: BorrowedFd<'_>, flows: BorrowedFd<'_>) -> io::Result<()> {
        self.links.push(Iterator::over_map(program, flows)?);
        Ok(())
    }

    /// Gives `visit` each flow that moved since `since_ns` (`CLOCK_MONOTONIC`), header and captured bytes. Returns how
    /// many were torn.
    pub fn sweep(&mut self, since_ns: u64, mut visit: impl FnMut(&[u8])) -> io::Result<u32> {
        self.shown.set(0, since_ns, 0).map_err(io::Error::other)?;
        let mut torn = 0;
        for link in &self.links {
            torn += look(link, &mut self.buffer, &mut visit)?;
        }
        Ok(torn)
    }

    /// Gives `visit` the cookie of each Unix socket with a flow that is still open. One that is written to in this moment may be
    /// left out.
    pub fn unix_sockets(&mut self, mut visit: impl FnMut(u64)) -> io::Result<()> {
        self.shown.set(ONLY_UNIX, 1, 0).map_err(io::Error::other)?;
        let mut take = |bytes: &[u8]| visit(FlowHeader::read_from_prefix(bytes).map_or(0, |(header, _)| header.cookie));
        let looked = self.links.first().map_or(Ok(0), |flows| look(flows, &mut self.buffer, &mut take));
        self.shown.set(ONLY_UNIX, 0, 0).map_err(io::Error::other)?;
        looked.map(drop)
    }
}

/// Place in the array of what a sweep shows: not the flows that moved, but the Unix sockets that are open.
const ONLY_UNIX: u32 = 1;

fn look(link: &Iterator, buffer: &mut [u8], visit: &mut impl FnMut(&[u8])) -> io::Result<u32> {
    let mut file = link.walk()?;
    let mut filled = 0;
    let mut torn = 0;
    loop {
        let room = buffer.get_mut(filled..).unwrap_or_default();
        let read = match file.read(room) {
            Ok(0) => return Ok(torn),
            Ok(read) => read,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            Err(error) => return Err(error),
        };
        filled += read;
        let (used, more_torn) = frames(buffer.get(..filled).unwrap_or_default(), visit);
        torn += more_torn;
        buffer.copy_within(used..filled, 0);
        filled -= used;
    }
}

/// Visits the flow of each whole frame; returns how many bytes the frames took, and how many were torn. A size that no
/// flow has counts as one torn frame that takes all bytes: nothing tells where the next one begins.
pub fn frames(bytes: &[u8], visit: &mut impl FnMut(&[u8])) -> (usize, u32) {
    let mut used = 0;
    let mut torn = 0;
    while let Some((frame, version)) =
        bytes.get(used..).and_then(|rest| rest.split_first_chunk::<16>()).map(|(head, rest)| {
            let (size, version) = head.split_at(8);
            ((rest, word(size) as usize), word(version))
        })
    {
        let (rest, size) = frame;
        if size > size_of::<FlowHeader>() + CAPTURE_BYTES {
            return (bytes.len(), torn + 1);
        }
        let Some(flow) = rest.get(..size) else { break };
        let Some(after) = rest.get(size..size + 8) else { break };
        if version & 1 == 0 && word(after) == version {
            visit(flow);
        } else {
            torn += 1;
        }
        used += 16 + size + 8;
    }
    (used, torn)
}

fn word(bytes: &[u8]) -> u64 {
    bytes.try_into().map_or(0, u64::from_ne_bytes)
}
