//! What is read of `struct sock` and `struct tcp_sock`.

use aya_ebpf::helpers::generated::{bpf_get_smp_processor_id, bpf_get_socket_cookie, bpf_skc_to_tcp_sock};

use hippius_common::fields::ABSENT;

use super::fields::{
    HAS_STORAGE, Kernel, SK_DADDR, SK_DADDR6, SK_DPORT, SK_ERR, SK_FAMILY, SK_FLAGS, SK_NUM, SK_OWNED, SK_PROTOCOL,
    SK_SHUTDOWN, SK_TYPE, TCP_BYTES_ACKED, TCP_BYTES_RECEIVED, TCP_COPIED_SEQ, TCP_IS_MPTCP, TCP_RCV_NXT, TCP_SND_UNA,
    TCP_SOCK, TCP_WRITE_SEQ,
};
use super::{cast, clock};

const AF_UNIX: u16 = 1;
const AF_INET: u16 = 2;
const AF_INET6: u16 = 10;
const IPPROTO_TCP: u16 = 6;
/// include/linux/net.h; all that do not define their own have the same.
const SOCK_STREAM: u16 = 1;
/// include/uapi/linux/in.h
const IPPROTO_MPTCP: u16 = 262;
/// include/net/sock.h: nothing more comes from the peer.
const RCV_SHUTDOWN: u8 = 1;
/// include/net/sock.h: nothing more goes either way.
const SHUTDOWN_MASK: u8 = 3;
/// `enum sock_flags` in include/net/sock.h: the second flag since 2.6. Set when the peer's FIN was received.
const SOCK_DONE: u64 = 1 << 1;

/// A `struct sock` argument of a hook.
#[derive(Clone, Copy)]
pub struct Socket(pub Kernel);

/// Sequence counters of a TCP socket at one moment.
#[derive(Clone, Copy)]
pub struct Counters {
    /// Up to where the application has read; modulo 2^32.
    pub copied_seq: u32,
    /// Bytes read by the application since the connection began.
    pub read: u64,
    /// Bytes accepted from the application, the SYN of an active open and the FIN included.
    pub accepted: u64,
    /// The application has read the end of stream, whose FIN took one sequence number.
    pub fin_read: bool,
    /// The peer's FIN has arrived.
    pub fin_received: bool,
}

impl Socket {
    /// Local port in host order, 0 for sockets other than IPv4 and IPv6.
    #[inline(always)]
    pub fn local_port(self) -> u16 {
        let family = self.0.read::<u16>(&SK_FAMILY);
        if family == AF_INET || family == AF_INET6 { self.0.read::<u16>(&SK_NUM) } else { 0 }
    }

    /// Whether it is a Unix socket.
    #[inline(always)]
    pub fn is_unix(self) -> bool {
        self.0.read::<u16>(&SK_FAMILY) == AF_UNIX
    }

    /// Whether it is an IPv6 socket.
    #[inline(always)]
    pub fn is_ipv6(self) -> bool {
        self.0.read::<u16>(&SK_FAMILY) == AF_INET6
    }

    /// Port of the other end, host order.
    #[inline(always)]
    pub fn peer_port(self) -> u16 {
        self.0.read::<u16>(&SK_DPORT).swap_bytes()
    }

    /// Address of the other end; an IPv4 address is mapped.
    #[inline(always)]
    pub fn peer_address(self) -> [u8; 16] {
        let mut address = [0u8; 16];
        if self.is_ipv6() {
            let from = SK_DADDR6.load() as usize;
            address[..8].copy_from_slice(&self.0.read_at::<u64>(from).to_ne_bytes());
            address[8..].copy_from_slice(&self.0.read_at::<u64>(from + 8).to_ne_bytes());
        } else {
            address[10] = 0xff;
            address[11] = 0xff;
            address[12..].copy_from_slice(&self.0.read::<u32>(&SK_DADDR).to_ne_bytes());
        }
        address
    }

    /// Whether it is a stream, and not a raw socket.
    #[inline(always)]
    pub fn is_stream(self) -> bool {
        self.0.read::<u16>(&SK_TYPE) == SOCK_STREAM
    }

    /// Whether it is TCP and nothing else; MPTCP sockets report another protocol, and raw ones of TCP another type.
    #[inline(always)]
    pub fn is_tcp(self) -> bool {
        self.0.read::<u16>(&SK_PROTOCOL) == IPPROTO_TCP && self.is_stream()
    }

    /// Whether it is MPTCP: the socket that a program holds. The subflows below it are TCP sockets of the kernel's own.
    #[inline(always)]
    pub fn is_mptcp(self) -> bool {
        self.0.read::<u16>(&SK_PROTOCOL) == IPPROTO_MPTCP
    }

    /// Whether it is a TCP socket of the kernel's own, below one of MPTCP.
    #[inline(always)]
    pub fn is_subflow(self) -> bool {
        let tcp = self.tcp();
        TCP_IS_MPTCP.load() != ABSENT && !tcp.is_null() && tcp.read::<u8>(&TCP_IS_MPTCP) != 0
    }

    /// Whether the end of what the peer sends has come.
    #[inline(always)]
    pub fn is_at_end(self) -> bool {
        self.0.read::<u8>(&SK_SHUTDOWN) & RCV_SHUTDOWN != 0
    }

    /// Whether it neither receives nor sends any more, as a socket that is being closed.
    #[inline(always)]
    pub fn is_shut(self) -> bool {
        self.0.read::<u8>(&SK_SHUTDOWN) & SHUTDOWN_MASK == SHUTDOWN_MASK
    }

    /// `sk_err`
    #[inline(always)]
    pub fn error(self) -> u16 {
        self.0.read::<i32>(&SK_ERR) as u16
    }

    /// Where it stands: its identity while it lives.
    #[inline(always)]
    pub fn address(self) -> u64 {
        self.0.0 as u64
    }

    /// Whether a system call holds the socket. What arrives meanwhile is processed when it gives the socket back, before
    /// the call returns (net/core/sock.c, release_sock).
    #[inline(always)]
    pub fn is_owned(self) -> bool {
        self.0.read::<u32>(&SK_OWNED) != 0
    }

    /// The cookie that identifies the socket until reboot. Tracing programs may ask for it since 5.12; before that, a
    /// number that is not given twice: the time, and the processor. To be asked for once.
    #[inline(always)]
    pub fn cookie(self) -> u64 {
        if HAS_STORAGE.load() == 0 {
            // SAFETY: no precondition.
            return clock::now() << 10 | u64::from(unsafe { bpf_get_smp_processor_id() } & 0x3ff);
        }
        // SAFETY: a trusted `struct sock` of the hook.
        unsafe { bpf_get_socket_cookie(self.0.0.cast_mut().cast()) }
    }

    /// The TCP part; null for anything but TCP.
    #[inline(always)]
    pub fn tcp(self) -> Kernel {
        if cast::is_possible() {
            return if self.is_tcp() { cast::cast(self.0.0, &TCP_SOCK) } else { Kernel(core::ptr::null()) };
        }
        // SAFETY: a trusted `struct sock` of the hook.
        Kernel(unsafe { bpf_skc_to_tcp_sock(self.0.0.cast_mut().cast()) }.cast_const().cast())
    }

    /// Reads the counters. tcp_rcv_nxt_update() adds the FIN's sequence number to `bytes_received`, and reading the end
    /// of stream adds it to `copied_seq` (net/ipv4/tcp.c, tcp_recvmsg_locked).
    #[inline(always)]
    pub fn counters(self, tcp: Kernel) -> Counters {
        let copied_seq = tcp.read::<u32>(&TCP_COPIED_SEQ);
        let rcv_nxt = tcp.read::<u32>(&TCP_RCV_NXT);
        let received = tcp.read::<u64>(&TCP_BYTES_RECEIVED);
        let unread = rcv_nxt.wrapping_sub(copied_seq);
        let fin_received = self.0.read::<u64>(&SK_FLAGS) & SOCK_DONE != 0;
        let fin_read = unread == 0 && fin_received;
        let unacknowledged = tcp.read::<u32>(&TCP_WRITE_SEQ).wrapping_sub(tcp.read::<u32>(&TCP_SND_UNA));
        Counters {
            copied_seq,
            read: received.wrapping_sub(u64::from(unread)).wrapping_sub(u64::from(fin_read)),
            accepted: tcp.read::<u64>(&TCP_BYTES_ACKED).wrapping_add(u64::from(unacknowledged)),
            fin_read,
            fin_received,
        }
    }
}
