//! One socket as the kernel programs see it, without a kernel: the capture core runs as it stands, around it what
//! `hippius-ebpf/src/flows.rs` and `hooks/state.rs` do with helpers.

use hippius_common::flow::{
    FIRST_COPY_BYTES, Flow, FlowHeader, NEXT_COPY_BYTES, NEXT_COPY_LIMIT, WINDOW_BYTES, flag, kind, phase,
};
use hippius_common::loss::{self, LossReason};
use hippius_ebpf::capture::walk::{Call, begin_call, finish, resync, skip, step};
use hippius_ebpf::capture::{lose, side, side_mut};
use zerocopy::{FromZeros, IntoBytes};

use crate::script::Step;

/// Runs of a program that one call may take: the first, and 33 tail calls.
const RUNS: usize = 34;
/// Most segments of a scattered buffer that are looked at.
const SEGMENTS: usize = 16;

/// The state of a watched socket, and what it wrote to the ring.
pub struct Socket {
    pub flow: Box<Flow>,
    pub ring: Vec<Vec<u8>>,
    /// Bytes that the kernel itself counted, in and out.
    truth: [u64; 2],
}

impl Socket {
    /// A connection whose first bytes are seen.
    pub fn fresh() -> Self {
        let mut flow = Box::new(Flow::new_zeroed());
        flow.header.cookie = 1;
        Self { flow, ring: Vec::new(), truth: [0, 0] }
    }

    /// A connection that was open before it was first seen.
    pub fn joined() -> Self {
        let mut socket = Self::fresh();
        socket.flow.header.flags |= flag::BEFORE_START;
        lose::<false>(&mut socket.flow, loss::BEFORE_START);
        lose::<true>(&mut socket.flow, loss::BEFORE_START);
        socket
    }

    /// Something happens.
    pub fn take(&mut self, step: &Step, now_ns: u64) {
        match step {
            Step::In(segments) => self.call::<false>(segments, now_ns),
            Step::Out(segments) => self.call::<true>(segments, now_ns),
            Step::UnreadableIn(bytes) => self.call_unreadable::<false>(*bytes, now_ns),
            Step::UnreadableOut(bytes) => self.call_unreadable::<true>(*bytes, now_ns),
            Step::Wait(_) => {}
            Step::PeerFin => self.peer_fin(),
            Step::LocalFin => self.local_fin(),
            Step::Close(error) => self.close(*error),
        }
    }

    /// A call moved the bytes of a scattered buffer.
    fn call<const OUT: bool>(&mut self, segments: &[Vec<u8>], now_ns: u64) {
        let bytes = segments.iter().map(Vec::len).sum::<usize>() as u64;
        let Some(resumable) = self.reads::<OUT>(bytes, now_ns) else { return };
        let flow = &mut *self.flow;
        let mut call = Buffers { segments, ring: &mut self.ring };
        begin_call::<OUT>(flow, bytes, now_ns);
        if resumable {
            resync::<OUT>(flow, &mut call, bytes);
        }
        for _ in 0..RUNS {
            if step::<OUT>(flow, &mut call) {
                break;
            }
        }
        finish::<OUT>(flow, &mut call);
    }

    /// A call whose buffer cannot be found moved so many bytes.
    fn call_unreadable<const OUT: bool>(&mut self, bytes: u64, now_ns: u64) {
        if self.reads::<OUT>(bytes, now_ns).is_some() {
            begin_call::<OUT>(&mut self.flow, bytes, now_ns);
            skip::<OUT>(&mut self.flow, bytes, now_ns, loss::NO_BUFFER);
        }
    }

    /// The peer's FIN arrives.
    fn peer_fin(&mut self) {
        let flags = &mut self.flow.header.flags;
        *flags |= flag::CLIENT_FIN;
        if *flags & flag::SERVER_FIN == 0 {
            *flags |= flag::CLIENT_FIN_FIRST;
        }
    }

    /// The server's FIN leaves.
    fn local_fin(&mut self) {
        let header = &mut self.flow.header;
        header.flags |= flag::SERVER_FIN;
        if header.outbound.phase == phase::UNTIL_CLOSE || header.in_len != 0 || header.out_len != 0 {
            self.publish(kind::END);
        }
    }

    /// The socket reaches `TCP_CLOSE`.
    fn close(&mut self, error: u16) {
        let header = &mut self.flow.header;
        [header.kernel_in, header.kernel_out] = self.truth;
        header.error = error;
        header.flags |= flag::CLOSED;
        self.publish(kind::CLOSE);
    }

    /// What a sweep shows of it.
    pub fn frame(&self) -> Vec<u8> {
        assert_eq!(self.flow.header.version & 1, 0, "a sweep between calls is never torn");
        record(&self.flow)
    }

    fn publish(&mut self, kind: u16) {
        self.flow.header.kind = kind;
        self.ring.push(record(&self.flow));
        self.flow.ready = 0;
        self.flow.header.in_len = 0;
        self.flow.header.out_len = 0;
    }

    /// Counts a call that needs no reading. Else: whether a message may begin in the middle of another.
    fn reads<const OUT: bool>(&mut self, bytes: u64, now_ns: u64) -> Option<bool> {
        self.truth[usize::from(OUT)] += bytes;
        let flow = &mut *self.flow;
        let direction = if OUT { 2 } else { 1 };
        let turned = flow.direction != direction;
        flow.direction = direction;
        let unanswered = flow.header.unanswered;
        let now = side::<OUT>(flow);
        let resumable = turned
            && match now.phase {
                phase::LOST | phase::UNTIL_CLOSE => true,
                phase::BODY | phase::CHUNKED => OUT || unanswered == 0,
                _ => false,
            };
        let counting = now.phase != phase::HEAD && now.want == 0 && now.next > now.total.wrapping_add(bytes);
        let is_counted = !resumable && (counting || now.phase == phase::LOST);
        if is_counted {
            let now = side_mut::<OUT>(flow);
            now.total += bytes;
            now.last_ns = now_ns;
        }
        flow.header.version += 2;
        (!is_counted).then_some(resumable)
    }
}

/// The header and the captured bytes behind it, as the ring carries them.
fn record(flow: &Flow) -> Vec<u8> {
    let captured = usize::from(flow.header.in_len) + usize::from(flow.header.out_len);
    flow.as_bytes()[..size_of::<FlowHeader>() + captured].to_vec()
}

/// A call whose bytes stand in a scattered buffer.
struct Buffers<'a> {
    segments: &'a [Vec<u8>],
    ring: &'a mut Vec<Vec<u8>>,
}

impl Buffers<'_> {
    fn locate(&self, offset: u64, len: u32) -> Result<&[u8], LossReason> {
        let mut skip = offset as usize;
        for segment in self.segments.iter().take(SEGMENTS) {
            if skip < segment.len() {
                let end = segment.len().min(skip + len as usize);
                return Ok(&segment[skip..end]);
            }
            skip -= segment.len();
        }
        Err(loss::NO_BUFFER)
    }
}

impl Call for Buffers<'_> {
    fn copy(&mut self, flow: &mut Flow, at: u32, offset: u64, len: u32) -> Result<u32, LossReason> {
        let bytes = self.locate(offset, len)?;
        let limit = if at == 0 { FIRST_COPY_BYTES } else { NEXT_COPY_BYTES };
        assert!(at <= NEXT_COPY_LIMIT, "a copy at {at} does not fit");
        let bytes = &bytes[..bytes.len().min(limit as usize)];
        flow.capture.as_mut_bytes()[at as usize..][..bytes.len()].copy_from_slice(bytes);
        Ok(bytes.len() as u32)
    }

    fn peek(&mut self, flow: &mut Flow, offset: u64, len: u32) -> Result<u32, LossReason> {
        let bytes = self.locate(offset, len.min(WINDOW_BYTES))?;
        flow.window.as_mut_bytes()[..bytes.len()].copy_from_slice(bytes);
        Ok(bytes.len() as u32)
    }

    fn emit(&mut self, flow: &mut Flow) {
        flow.header.kind = kind::CAPTURE;
        self.ring.push(record(flow));
    }

    fn shift(&mut self, flow: &mut Flow, from: u32, len: u32) {
        assert!(len <= NEXT_COPY_BYTES, "{len} bytes are more than are shifted");
        flow.capture.as_mut_bytes().copy_within(from as usize..(from + len) as usize, 0);
    }
}
