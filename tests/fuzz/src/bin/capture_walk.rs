//! The kernel core over both directions of a connection: positions are exact, captured bytes are the bytes that moved,
//! and a head ends and is framed as httparse has it.
//!
//! Input: four bytes that say how calls cut the bytes, then turns that end with 0xff, the client's first.
#![no_main]

use hippius_common::flow::{Flow, MAX_HEAD_BYTES, phase};
use hippius_common::loss;
use hippius_ebpf::capture::side;
use hippius_ebpf::capture::walk::{begin_call, finish, resync, skip, step};
use hippius_fuzz::call::{Segments, new_flow};
use hippius_fuzz::pieces::Pieces;
use libfuzzer_sys::fuzz_target;
use zerocopy::IntoBytes;

fuzz_target!(|bytes: &[u8]| {
    let Some((&[seed, size, segment, skips], turns)) = bytes.split_first_chunk() else { return };
    let mut pieces = Pieces::new(seed, size);
    let segment = if segment == 0 { usize::MAX } else { usize::from(segment) };
    let mut connection = Connection::new(segment);
    for (index, turn) in turns.split(|byte| *byte == 0xff).enumerate() {
        let mut rest = turn;
        while !rest.is_empty() {
            let (call, after) = rest.split_at(pieces.next_len().min(rest.len()));
            let is_readable = skips == 0 || !pieces.one_of(u64::from(skips) + 1);
            if index % 2 == 0 {
                connection.call::<false>(call, is_readable);
            } else {
                connection.call::<true>(call, is_readable);
            }
            rest = after;
        }
    }
});

/// A connection, and what moved over it.
struct Connection {
    flow: Box<Flow>,
    segment: usize,
    inbound: Vec<u8>,
    outbound: Vec<u8>,
    /// A call of the other direction came into the head that is being collected; its line is cut there.
    is_cut: [bool; 2],
}

impl Connection {
    fn new(segment: usize) -> Self {
        Self { flow: new_flow(), segment, inbound: Vec::new(), outbound: Vec::new(), is_cut: [false; 2] }
    }

    /// As `account_on` of the kernel programs.
    fn call<const OUT: bool>(&mut self, bytes: &[u8], is_readable: bool) {
        if OUT { &mut self.outbound } else { &mut self.inbound }.extend_from_slice(bytes);
        self.is_cut[usize::from(!OUT)] |= self.flow_head_len::<OUT>() != 0;
        let direction = if OUT { 2 } else { 1 };
        let turned = self.flow.direction != direction;
        self.flow.direction = direction;
        if is_readable {
            self.walk::<OUT>(bytes, turned && may_resume::<OUT>(&self.flow));
            self.no_head_is_overlooked::<OUT>();
        } else {
            skip::<OUT>(&mut self.flow, bytes.len() as u64, 1, loss::SPLICED);
        }
        assert_eq!(side::<OUT>(&self.flow).total, self.moved::<OUT>().len() as u64, "bytes are counted");
        if side::<OUT>(&self.flow).head_len == 0 {
            self.is_cut[usize::from(OUT)] = false;
        }
    }

    fn walk<const OUT: bool>(&mut self, bytes: &[u8], resumable: bool) {
        let Self { flow, segment, inbound, outbound, is_cut } = self;
        let moved: &[u8] = if OUT { outbound } else { inbound };
        let emitted = |flow: &Flow| captured_bytes_moved(flow, inbound, outbound);
        let mut call = Segments { bytes, segment: *segment, emitted };
        begin_call::<OUT>(flow, bytes.len() as u64, 1);
        if resumable {
            resync::<OUT>(flow, &mut call, bytes.len() as u64);
        }
        for _ in 0..4 * bytes.len() + 8 {
            let messages = side::<OUT>(flow).messages;
            let bodiless = flow.bodiless & 1 != 0;
            let done = step::<OUT>(flow, &mut call);
            let side = side::<OUT>(flow);
            // A step that ends a head gives back what an earlier one has copied of the bytes behind it.
            assert!((flow.call_from..=flow.call_until).contains(&side.total), "at {}", side.total);
            if side.messages != messages {
                assert_eq!(side.messages, messages + 1, "one step, one head");
                if !is_cut[usize::from(OUT)] {
                    check::<OUT>(flow, moved, bodiless);
                }
                is_cut[usize::from(OUT)] = false;
            }
            if done {
                return finish::<OUT>(flow, &mut call);
            }
        }
        panic!("a call of {} bytes takes no end", bytes.len());
    }

    /// Where the core still collects a head, httparse sees no end either.
    fn no_head_is_overlooked<const OUT: bool>(&self) {
        let side = side::<OUT>(&self.flow);
        if side.phase != phase::HEAD || side.head_len == 0 || self.is_cut[usize::from(OUT)] {
            return;
        }
        let head = Head::parse::<OUT>(&self.moved::<OUT>()[side.head_at as usize..]);
        assert!(head.is_none(), "a head of {:?} bytes is overlooked", head.map(|head| head.len));
    }

    fn moved<const OUT: bool>(&self) -> &[u8] {
        if OUT { &self.outbound } else { &self.inbound }
    }

    /// Bytes of the head that the other direction is collecting.
    fn flow_head_len<const OUT: bool>(&self) -> u32 {
        if OUT { self.flow.header.inbound.head_len } else { self.flow.header.outbound.head_len }
    }
}

/// As in the kernel programs: the direction has turned, may a message begin although the last one is not over?
fn may_resume<const OUT: bool>(flow: &Flow) -> bool {
    match side::<OUT>(flow).phase {
        phase::LOST | phase::UNTIL_CLOSE => true,
        phase::BODY | phase::CHUNKED => OUT || flow.header.unanswered == 0,
        _ => false,
    }
}

fn captured_bytes_moved(flow: &Flow, inbound: &[u8], outbound: &[u8]) {
    let (in_len, out_len) = (usize::from(flow.header.in_len), usize::from(flow.header.out_len));
    let (requests, responses) = flow.capture.as_bytes()[..in_len + out_len].split_at(in_len);
    if in_len != 0 {
        assert_eq!(Some(requests), inbound.get(flow.header.in_at as usize..).and_then(|bytes| bytes.get(..in_len)));
    }
    if out_len != 0 {
        assert_eq!(Some(responses), outbound.get(flow.header.out_at as usize..).and_then(|bytes| bytes.get(..out_len)));
    }
}

/// Compares the head that was just completed with what httparse says of the same bytes.
fn check<const OUT: bool>(flow: &Flow, moved: &[u8], bodiless: bool) {
    let side = side::<OUT>(flow);
    let Some(head) = Head::parse::<OUT>(&moved[side.head_at as usize..]) else { return };
    if head.len > MAX_HEAD_BYTES as usize {
        return;
    }
    let end = side.head_at + head.len as u64;
    let tunnel = flow.connect != 0 && flow.header.unanswered == 0 && (200..300).contains(&head.status);
    if OUT && (head.status == 101 || tunnel) {
        return assert_eq!(side.phase, phase::OPAQUE);
    }
    assert_ne!(side.phase, phase::OPAQUE, "HTTP/1 goes on");
    if !OUT && flow.header.unanswered <= 64 {
        let bit = flow.bodiless >> (flow.header.unanswered - 1) & 1 != 0;
        assert_eq!(bit, head.is_bodiless, "whether the response has no body");
    }
    let no_body = OUT && (bodiless || head.status < 200 || matches!(head.status, 204 | 304));
    match if no_body { Framing::Length(0) } else { head.framing } {
        Framing::Unsure => {}
        Framing::Chunked => assert_eq!((side.phase, side.next), (phase::CHUNKED, end), "chunked"),
        Framing::Length(length) => {
            assert_eq!(side.next, end + length, "a head until {end} with a body of {length}");
            assert_eq!(side.phase, if side.total < side.next { phase::BODY } else { phase::HEAD });
        }
        Framing::None if OUT => assert_eq!(side.phase, phase::UNTIL_CLOSE),
        Framing::None => assert_eq!((side.phase, side.next), (phase::HEAD, end), "no body"),
    }
}

#[derive(Clone, Copy)]
enum Framing {
    None,
    Length(u64),
    Chunked,
    /// Written in a way that servers differ about.
    Unsure,
}

/// What httparse says.
struct Head {
    len: usize,
    status: u16,
    is_bodiless: bool,
    framing: Framing,
}

impl Head {
    fn parse<const OUT: bool>(bytes: &[u8]) -> Option<Self> {
        let mut slots = [httparse::EMPTY_HEADER; 256];
        let (len, status, is_bodiless, headers) = if OUT {
            let mut head = httparse::Response::new(&mut slots);
            let httparse::Status::Complete(len) = head.parse(bytes).ok()? else { return None };
            (len, head.code.filter(|code| *code >= 100)?, false, head.headers)
        } else {
            let mut head = httparse::Request::new(&mut slots);
            let httparse::Status::Complete(len) = head.parse(bytes).ok()? else { return None };
            (len, 0, head.method? == "HEAD", head.headers)
        };
        let framing = headers.iter().fold(Framing::None, |so_far, header| framing(so_far, header));
        Some(Self { len, status, is_bodiless, framing })
    }
}

fn framing(so_far: Framing, header: &httparse::Header<'_>) -> Framing {
    let (name, value) = (header.name, std::str::from_utf8(header.value).unwrap_or("?"));
    // The colon and white space; the core looks at a few bytes of it.
    let gap = (header.value.as_ptr() as usize).wrapping_sub(name.as_ptr() as usize + name.len());
    if name.eq_ignore_ascii_case("transfer-encoding") {
        return match so_far {
            Framing::Unsure => Framing::Unsure,
            _ if value.eq_ignore_ascii_case("chunked") => Framing::Chunked,
            same if value.eq_ignore_ascii_case("identity") && gap <= 2 => same,
            _ => Framing::Unsure,
        };
    }
    if !name.eq_ignore_ascii_case("content-length") {
        return so_far;
    }
    let is_number = (1..=18).contains(&value.len()) && value.bytes().all(|byte| byte.is_ascii_digit());
    match (so_far, value.parse()) {
        (Framing::Chunked, _) => Framing::Chunked,
        (Framing::None, Ok(length)) if is_number && gap <= 12 => Framing::Length(length),
        (Framing::Length(before), Ok(length)) if before == length && is_number && gap <= 12 => so_far,
        _ => Framing::Unsure,
    }
}
