//! A connection in memory, for the tests of the core.

use hippius_common::flow::{FIRST_COPY_BYTES, Flow, FlowHeader, NEXT_COPY_BYTES, NEXT_COPY_LIMIT, WINDOW_BYTES};
use hippius_common::loss::LossReason;
use zerocopy::{FromZeros, IntoBytes};

use super::stream;
use super::walk::{Call, begin_call, finish, step};

/// The bytes as the programs look at them, and how many they are.
pub fn window(bytes: &[u8]) -> ([u64; 4], u32) {
    let mut padded = [0u8; 32];
    padded[..bytes.len()].copy_from_slice(bytes);
    let words =
        std::array::from_fn(|index| u64::from_le_bytes(padded[index * 8..index * 8 + 8].try_into().expect("eight")));
    (words, bytes.len() as u32)
}

/// A new flow, and what was emitted of it.
pub struct Connection {
    pub flow: Box<Flow>,
    /// Captured bytes of all records: requests, responses.
    pub emitted: (Vec<u8>, Vec<u8>),
    /// The flow as each record of a call showed it.
    pub records: Vec<FlowHeader>,
}

impl Connection {
    pub fn new() -> Self {
        Self { flow: Box::new(Flow::new_zeroed()), emitted: Default::default(), records: Vec::new() }
    }

    /// Moves `bytes` in calls of `piece` bytes.
    pub fn moves<const OUT: bool>(&mut self, bytes: &[u8], piece: usize) {
        for call in bytes.chunks(piece) {
            let mut slice = Slice { bytes: call, emitted: &mut self.emitted, records: &mut self.records };
            begin_call::<OUT>(&mut self.flow, call.len() as u64, 1);
            while !step::<OUT>(&mut self.flow, &mut slice) {}
            finish::<OUT>(&mut self.flow, &mut slice);
        }
    }
}

/// A call of a stream, of which `runs` runs of programs may copy.
pub fn streams<const OUT: bool>(connection: &mut Connection, bytes: &[u8], runs: u32) {
    let mut slice = Slice { bytes, emitted: &mut connection.emitted, records: &mut connection.records };
    begin_call::<OUT>(&mut connection.flow, bytes.len() as u64, 1);
    stream::begin_call::<OUT>(&mut connection.flow, &mut slice);
    for _ in 0..runs {
        if stream::step::<OUT>(&mut connection.flow, &mut slice) {
            break;
        }
    }
    stream::finish::<OUT>(&mut connection.flow, &mut slice);
}

/// A request that moved in calls of `piece` bytes.
pub fn request(bytes: &[u8], piece: usize) -> Box<Flow> {
    let mut connection = Connection::new();
    connection.moves::<false>(bytes, piece);
    connection.flow
}

struct Slice<'a> {
    bytes: &'a [u8],
    emitted: &'a mut (Vec<u8>, Vec<u8>),
    records: &'a mut Vec<FlowHeader>,
}

impl Slice<'_> {
    fn at(&self, offset: u64, len: u32) -> &[u8] {
        let rest = &self.bytes[offset as usize..];
        &rest[..rest.len().min(len as usize)]
    }
}

impl Call for Slice<'_> {
    fn copy(&mut self, flow: &mut Flow, at: u32, offset: u64, len: u32) -> Result<u32, LossReason> {
        assert!(at <= NEXT_COPY_LIMIT, "a copy to {at}");
        let found = self.at(offset, len.min(if at == 0 { FIRST_COPY_BYTES } else { NEXT_COPY_BYTES }));
        flow.capture.as_mut_bytes()[at as usize..][..found.len()].copy_from_slice(found);
        Ok(found.len() as u32)
    }

    fn peek(&mut self, flow: &mut Flow, offset: u64, len: u32) -> Result<u32, LossReason> {
        let found = self.at(offset, len.min(WINDOW_BYTES));
        flow.window.as_mut_bytes()[..found.len()].copy_from_slice(found);
        Ok(found.len() as u32)
    }

    fn emit(&mut self, flow: &mut Flow) {
        self.records.push(flow.header);
        let (inbound, rest) = flow.capture.as_bytes().split_at(usize::from(flow.header.in_len));
        self.emitted.0.extend_from_slice(inbound);
        self.emitted.1.extend_from_slice(&rest[..usize::from(flow.header.out_len)]);
    }

    fn shift(&mut self, flow: &mut Flow, from: u32, len: u32) {
        flow.capture.as_mut_bytes().copy_within(from as usize..(from + len) as usize, 0);
    }
}
