//! A record of the ring or a frame of a sweep: the state of one flow, and captured bytes.

use hippius_common::flow::FlowHeader;
use zerocopy::FromBytes;

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
