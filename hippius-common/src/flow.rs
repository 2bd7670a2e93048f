//! The state of one watched socket, which is also the record that the agent reads.
//!
//! [`Flow`] lives in the kernel's socket storage. Its first part, [`FlowHeader`] and the captured bytes behind it, is
//! written to the ring as it stands: one copy, nothing assembled. "Position" always means a count of accepted bytes of
//! one direction since the agent began to watch the socket.

use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout};

use crate::loss::LossReason;

/// Words of the capture buffer that hold bytes.
pub const CAPTURE_WORDS: usize = 256;
/// Bytes of one record's capture at most.
pub const CAPTURE_BYTES: usize = CAPTURE_WORDS * 8;
/// Words of the small window that chunk framing is read through.
pub const WINDOW_WORDS: usize = 4;
/// The same in bytes.
pub const WINDOW_BYTES: u32 = 8 * WINDOW_WORDS as u32;
/// A first copy into an empty buffer takes at most so many bytes: most request heads in one piece.
pub const FIRST_COPY_BYTES: u32 = 1536;
/// A further copy takes at most so many bytes.
pub const NEXT_COPY_BYTES: u32 = 768;
/// Further copies begin at or before this offset, so that they always fit.
pub const NEXT_COPY_LIMIT: u32 = CAPTURE_BYTES as u32 - NEXT_COPY_BYTES;
/// The first copy of a response head: a body often stands behind it in the same call.
pub const RESPONSE_COPY_BYTES: u32 = 512;
/// Longest head that is captured, in bytes.
pub const MAX_HEAD_BYTES: u32 = 16 * 1024;
/// How much of an error response's body is captured, in bytes: the S3 error code stands at its beginning.
pub const ERROR_BODY_BYTES: u64 = 512;

/// A stream that was joined in the middle is given up after so many turns that did not look like HTTP.
pub const MAX_TRIES: u32 = 32;

/// [`Flow::started_ns`] of a socket whose process turned out to be no client.
pub const LEFT_ALONE: u64 = u64::MAX;

/// What a record says.
pub mod kind {
    /// Captured heads, or the state of a flow as it stood.
    pub const CAPTURE: u16 = 1;
    /// The socket reached `TCP_CLOSE`: last record of the flow.
    pub const CLOSE: u16 = 2;
    /// The server sent its FIN: nothing more goes out.
    pub const END: u16 = 3;
    /// A client's socket moves bytes for the first time: a [`Connected`](super::Connected) follows instead of a flow.
    pub const CONNECTED: u16 = 4;
    /// A process uses a probed TLS library for the first time: an [`Asked`](crate::tls::Asked) follows instead of a flow.
    pub const PROCESS: u16 = 5;
    /// A client's TLS session begins. The captured request bytes are the name of the server that it wants, as far as it is
    /// known yet (SNI).
    pub const SESSION: u16 = 6;
    /// A Unix socket is watched from now on: a [`Named`](super::Named) follows instead of a flow.
    pub const NAMED: u16 = 7;
    /// A process has begun to run a program, and may be a configured client: a [`Started`](crate::started::Started) follows
    /// instead of a flow.
    pub const STARTED: u16 = 8;
}

/// Bits of [`FlowHeader::flags`].
pub mod flag {
    /// The client's FIN came before the server's.
    pub const CLIENT_FIN_FIRST: u16 = 1;
    /// The server has sent its FIN.
    pub const SERVER_FIN: u16 = 2;
    /// The client has sent its FIN.
    pub const CLIENT_FIN: u16 = 4;
    /// The application has read the end of stream; the FIN's sequence number is accounted for.
    pub const FIN_READ: u16 = 8;
    /// The connection was open before it was first seen.
    pub const BEFORE_START: u16 = 16;
    /// The socket is closed; what follows was read from its queue afterwards.
    pub const CLOSED: u16 = 32;
    /// IPv6 socket.
    pub const IPV6: u16 = 64;
    /// The socket was closed in the middle of a send call: its last record waits for the bytes of that call.
    pub const CLOSING: u16 = 128;
    /// The client's end of the connection is watched, not the server's.
    pub const CLIENT: u16 = 256;
    /// No HTTP: the bytes of both directions go to the ring as they pass, up to a limit for each call.
    pub const STREAM: u16 = 512;
    /// TLS: bytes are counted.
    pub const TLS: u16 = 1024;
    /// Plaintext of a TLS session: positions count its bytes, not those on the wire.
    pub const SESSION: u16 = 2048;
    /// TLS of a socket whose session is read.
    pub const OPENED: u16 = 4096;
    /// The trailer section of the current (or last) response says that the body broke off: `X-Stream-Error`, which an
    /// IPFS node sends when something fails after it has answered 200.
    pub const STREAM_ERROR: u16 = 8192;
    /// A Unix stream socket.
    pub const UNIX: u16 = 16384;
    /// The kernel keeps no counters of this kind of socket (MPTCP): there is nothing to compare with.
    pub const UNAUDITED: u16 = 32768;
}

/// Where the framing of one direction stands.
pub mod phase {
    /// A head begins, or is being collected, at the present position.
    pub const HEAD: u16 = 0;
    /// A body of known length runs up to `next`.
    pub const BODY: u16 = 1;
    /// A chunked body; chunk framing is read at `next`.
    pub const CHUNKED: u16 = 2;
    /// A body that ends with the connection.
    pub const UNTIL_CLOSE: u16 = 3;
    /// No HTTP/1 any more (upgrade, CONNECT, HTTP/2).
    pub const OPAQUE: u16 = 4;
    /// Framing is lost; see `lost`. Picked up again where the direction turns and a message begins.
    pub const LOST: u16 = 5;
    /// No HTTP: all bytes are copied.
    pub const STREAM: u16 = 6;
}

/// One direction of a flow.
#[derive(Debug, Clone, Copy, Default, FromBytes, IntoBytes, KnownLayout, Immutable)]
#[repr(C)]
pub struct Side {
    /// Accepted bytes.
    pub total: u64,
    /// Position up to which bytes need no reading.
    pub next: u64,
    /// Payload bytes of chunked bodies, announced so far, all messages together.
    pub payload: u64,
    /// `payload` as it stood when the current (or last) message began.
    pub payload_before: u64,
    /// Position of the first byte of the current (or last) head.
    pub head_at: u64,
    /// When the first byte of the current (or last) message moved, `CLOCK_MONOTONIC` in nanoseconds.
    pub first_ns: u64,
    /// When the last byte so far moved.
    pub last_ns: u64,
    /// When the last byte before the current message moved.
    pub previous_last_ns: u64,
    /// The value of Content-Length in the head being read; while reading chunk framing, the size of the chunk.
    pub length: u64,
    /// Heads completed.
    pub messages: u32,
    /// Bytes of the current head so far.
    pub head_len: u32,
    /// One of [`phase`].
    pub phase: u16,
    /// Step of the chunk reader, or bits of the head reader.
    pub step: u16,
    /// Status code of the response head being read; 0 on the request side.
    pub status: u16,
    /// Why framing is lost, a [`LossReason`].
    pub lost: u16,
    /// Offset in the capture buffer up to which the head was scanned for line ends.
    pub scan: u16,
    /// Offset in the capture buffer of the line being scanned.
    pub line: u16,
    /// Bytes of the body still to be captured.
    pub want: u16,
    /// Offset in the capture buffer of a Content-Length's value that is still to be read, or 0.
    pub length_at: u16,
}

/// Head of every record, and the live state of a flow.
#[derive(Debug, Clone, Copy, Default, FromBytes, IntoBytes, KnownLayout, Immutable)]
#[repr(C)]
pub struct FlowHeader {
    /// One of [`kind`].
    pub kind: u16,
    /// Bits of [`flag`].
    pub flags: u16,
    /// Captured request bytes; they stand first.
    pub in_len: u16,
    /// Captured response bytes; they stand behind the request's.
    pub out_len: u16,
    /// The kernel's socket cookie, unique until reboot.
    pub cookie: u64,
    /// Position of the first captured request byte.
    pub in_at: u64,
    /// Position of the first captured response byte.
    pub out_at: u64,
    /// Process that moved the first bytes, or that opened the connection.
    pub tgid: u32,
    /// Port of the watched socket, host order: a server's, on which it listens, or a client's.
    pub local_port: u16,
    /// `sk_err` at close (`ECONNRESET`, `ETIMEDOUT`, …), 0 without an error.
    pub error: u16,
    /// At close: request bytes that the application moved, by the kernel's own counters.
    pub kernel_in: u64,
    /// Likewise response bytes.
    pub kernel_out: u64,
    /// Changes with every update; a snapshot whose number changed meanwhile is torn.
    pub version: u32,
    /// Requests without a final response.
    pub unanswered: u32,
    /// The way of requests: what the server receives, or the client sends.
    pub inbound: Side,
    /// The way of responses.
    pub outbound: Side,
}

/// Who a client's socket is connected with. Told once, before anything else of the connection.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, FromBytes, IntoBytes, KnownLayout, Immutable)]
#[repr(C)]
pub struct Connected {
    /// [`kind::CONNECTED`].
    pub kind: u16,
    /// Bits of [`flag`].
    pub flags: u16,
    /// Port of the server, host order.
    pub port: u16,
    /// Port of the client, host order.
    pub local_port: u16,
    /// The kernel's socket cookie.
    pub cookie: u64,
    /// From SYN to the end of the handshake, in nanoseconds; 0 where it was not seen or never ended.
    pub connect_ns: u64,
    /// Address of the server; an IPv4 address stands in the last four bytes, mapped (RFC 4291 section 2.5.5.2).
    pub address: [u8; 16],
    /// Process that opened the connection.
    pub tgid: u32,
    /// Error of a connection that was never made (`ECONNREFUSED`, …; `ECANCELED` if the process did not wait), else 0.
    pub error: u32,
    /// Not 0: the process may be no client at all. It depends on the [`Run`](crate::started::Run) that began then.
    pub started_ns: u64,
}

/// Bytes of a Unix socket's name at most (include/uapi/linux/un.h, `UNIX_PATH_MAX`).
pub const UNIX_NAME_BYTES: usize = 108;

/// The name that a Unix socket was accepted under. Told once, before anything else of the connection.
#[derive(Debug, Clone, Copy, FromBytes, IntoBytes, KnownLayout, Immutable)]
#[repr(C)]
pub struct Named {
    /// [`kind::NAMED`].
    pub kind: u16,
    /// Bits of [`flag`].
    pub flags: u16,
    /// Process that moved the first bytes.
    pub tgid: u32,
    /// The kernel's socket cookie.
    pub cookie: u64,
    /// Bytes of the name.
    pub len: u32,
    /// As it was bound: a path, up to its zero byte, or, beginning with a zero byte, an abstract name.
    pub name: [u8; UNIX_NAME_BYTES],
}

/// The whole state of a watched socket.
#[derive(Debug, Clone, Copy, FromBytes, IntoBytes, KnownLayout, Immutable)]
#[repr(C)]
pub struct Flow {
    /// The published part.
    pub header: FlowHeader,
    /// Captured bytes, as little-endian words: heads are scanned a word at a time.
    pub capture: [u64; CAPTURE_WORDS],
    /// A few bytes for the chunk reader and for looking at how a message begins.
    pub window: [u64; WINDOW_WORDS],
    /// For each unanswered request, oldest in the lowest bit: its response has no body (HEAD).
    pub bodiless: u64,
    /// Kernel counters when the socket was first seen: bytes read before, in their raw form.
    pub base_in: u64,
    /// Likewise for bytes sent before.
    pub base_out: u64,
    /// Position of the first byte of the call that is being walked.
    pub call_from: u64,
    /// Position behind its last byte.
    pub call_until: u64,
    /// Its user buffer, or array of `struct iovec`.
    pub call_base: u64,
    /// Number of `struct iovec`; 0 for a plain buffer.
    pub call_segments: u64,
    /// Bytes of the first of them that are not of the call.
    pub call_skip: u64,
    /// Where the bytes to be copied next stand in user memory.
    pub copy_from: u64,
    /// How many they are.
    pub copy_len: u64,
    /// Where they go: an offset in the capture.
    pub copy_at: u64,
    /// Bytes in the capture before the last copy.
    pub captured_before: u32,
    /// Bytes that the last copy added.
    pub captured_now: u32,
    /// Offset in the capture behind a complete head, 0 while there is none.
    pub head_end: u64,
    /// When it ended.
    pub call_ns: u64,
    /// Of a client's socket: when the SYN was sent, and from the end of the handshake on, how long that took; 0 if the
    /// connection was open before.
    pub connect_ns: u64,
    /// Of a client's socket: when the process began to run its program, if it was not decided whether it is a client;
    /// 0 if it is, [`LEFT_ALONE`] if it is none.
    pub started_ns: u64,
    /// Task (`pid_tgid`) of the `sendmmsg`/`recvmmsg` that is being followed.
    pub multi_task: u64,
    /// Its array of messages.
    pub multi_base: u64,
    /// The tick of the kernel in which bytes were last counted unread.
    pub tick: u64,
    /// When that was first done in it.
    pub tick_ns: u64,
    /// How often a program that reads heads on this socket took the flow, and programs that try to.
    pub entered: u64,
    /// How often it was given back.
    pub left: u64,
    /// `tcp_sock.copied_seq` as accounted for.
    pub copied_seq: u32,
    /// Index of the next message in the `sendmmsg`/`recvmmsg` that is being followed.
    pub multi_index: u32,
    /// What the last message in it returned.
    pub multi_last: u32,
    /// Direction of the last call: 0 none, 1 in, 2 out.
    pub direction: u16,
    /// A complete response head waits in the capture for the end of the call.
    pub ready: u16,
    /// How often a stream that was joined in the middle did not look like HTTP where it turned.
    pub tries: u32,
    /// Framing was lost already when the call that is being walked began.
    pub lost_before: u16,
    /// The last request was CONNECT: a 2xx response makes the connection a tunnel.
    pub connect: u16,
}

impl Side {
    /// Why framing is lost.
    pub fn loss(&self) -> LossReason {
        LossReason::from(self.lost)
    }
}

const _: () = {
    assert!(size_of::<Side>() == 96);
    assert!(size_of::<FlowHeader>() == 64 + 2 * 96);
    assert!(core::mem::offset_of!(Flow, capture) == size_of::<FlowHeader>());
    assert!(core::mem::offset_of!(FlowHeader, inbound) == 64);
    assert!(size_of::<Connected>() == 56);
    assert!(core::mem::offset_of!(Connected, kind) == core::mem::offset_of!(FlowHeader, kind));
    assert!(size_of::<Named>() == 128);
    assert!(core::mem::offset_of!(Named, kind) == core::mem::offset_of!(FlowHeader, kind));
};
