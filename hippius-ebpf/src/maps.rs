//! All maps on one page.

use core::ffi::c_void;

use aya_ebpf::bindings::BPF_F_NO_PREALLOC;
use aya_ebpf::btf_maps::{Array, HashMap, LruHashMap, PerCpuArray, ProgramArray, RingBuf, SkStorage};
use aya_ebpf::macros::btf_map;
use hippius_common::flow::Flow;
use hippius_common::loss::REASON_COUNT;
use hippius_common::started::Run;
use hippius_common::tls::{Calls, Session, SessionKey};

/// A map as the helpers want it.
pub trait MapPointer {
    /// Its address, which the loader replaces by the map.
    fn pointer(&'static self) -> *mut c_void;
}

impl<T> MapPointer for T {
    #[inline(always)]
    fn pointer(&'static self) -> *mut c_void {
        core::ptr::from_ref(self).cast_mut().cast()
    }
}

/// Words of the port bitmap.
pub const PORT_WORDS: usize = 65536 / 64;

/// State of each watched socket.
#[btf_map]
pub static FLOWS: SkStorage<Flow> = SkStorage::new();

/// Sockets that turned out to be of no interest.
#[btf_map]
pub static IGNORED: SkStorage<u32> = SkStorage::new();

/// `FLOWS` by the socket's address, for kernels without socket storage; of one entry on others. Entries are made when
/// they are needed, and freed after the programs that may still look at them.
#[btf_map]
pub static FLOWS_BY_ADDRESS: HashMap<u64, Flow, 65536, { BPF_F_NO_PREALLOC as usize }> = HashMap::new();

/// `IGNORED` likewise.
#[btf_map]
pub static IGNORED_BY_ADDRESS: HashMap<u64, u32, 65536, { BPF_F_NO_PREALLOC as usize }> = HashMap::new();

/// A flow of zeroes: too large for the stack.
#[btf_map]
pub static EMPTY_FLOW: Array<Flow, 1> = Array::new();

/// Records for the agent. The loader sets the size.
#[btf_map]
pub static RECORDS: RingBuf<u64, 4194304> = RingBuf::new();

/// Local ports whose sockets are watched, one bit each.
#[btf_map]
pub static PORTS: Array<[u64; PORT_WORDS], 1> = Array::new();

/// Ports on which anybody listens, one bit each; written before the agent asks for open connections.
#[btf_map]
pub static LISTENED: Array<[u64; PORT_WORDS], 1> = Array::new();

/// Processes whose outgoing connections are watched, by tgid.
#[btf_map]
pub static CLIENTS: HashMap<u32, u32, 65536, { BPF_F_NO_PREALLOC as usize }> = HashMap::new();

/// When a process began to run its program, by tgid, until it ends; those that began while [`PROGRAMS`] was 1, and were no
/// clients before.
#[btf_map]
pub static STARTED: HashMap<u32, u64, 65536, { BPF_F_NO_PREALLOC as usize }> = HashMap::new();

/// One of [`hippius_common::started::answer`]. Written here before the agent is told, and taken away by the agent, which
/// is told of each.
#[btf_map]
pub static ANSWERS: HashMap<Run, u32, 65536, { BPF_F_NO_PREALLOC as usize }> = HashMap::new();

/// 1: the agent is told of each process that begins to run a program. In a map, because a reload may change it.
#[btf_map]
pub static PROGRAMS: Array<u32, 1> = Array::new();

/// Losses by reason, for each processor.
#[btf_map]
pub static LOSSES: PerCpuArray<u64, { REASON_COUNT as usize }> = PerCpuArray::new();

/// What the next sweep shows. First: since when flows must have moved, `CLOCK_MONOTONIC` in nanoseconds. Second, if it is
/// not 0: instead of those, the headers of all Unix sockets that are still open.
#[btf_map]
pub static SWEEP_SINCE: Array<u64, 2> = Array::new();

/// 1: watch every port on which somebody begins to listen. In a map, because a reload may change it.
#[btf_map]
pub static DISCOVER: Array<u32, 1> = Array::new();

/// 1: services on Unix sockets are watched. In a map, because a reload may change it.
#[btf_map]
pub static UNIX: Array<u32, 1> = Array::new();

/// 1: the calls of MPTCP sockets are seen. In a map, because their programs may be loaded after the others.
#[btf_map]
pub static MPTCP: Array<u32, 1> = Array::new();

/// 1: the connections that watched services open are watched too. In a map, because a reload may change it.
#[btf_map]
pub static OUTBOUND: Array<u32, 1> = Array::new();

/// Programs that go on with a call that receives; [`crate::hooks`] has their places.
#[btf_map]
pub static RECV_ON: ProgramArray<4> = ProgramArray::new();

/// Likewise of one that sends.
#[btf_map]
pub static SEND_ON: ProgramArray<4> = ProgramArray::new();

/// `RECV_ON` of Unix sockets, on the back-end where they have functions of their own: those who call each other must
/// belong to the same.
#[btf_map]
pub static UNIX_RECV_ON: ProgramArray<1> = ProgramArray::new();

/// `SEND_ON` likewise.
#[btf_map]
pub static UNIX_SEND_ON: ProgramArray<1> = ProgramArray::new();

/// `RECV_ON` of MPTCP, likewise.
#[btf_map]
pub static MPTCP_RECV_ON: ProgramArray<1> = ProgramArray::new();

/// `SEND_ON` of MPTCP, likewise.
#[btf_map]
pub static MPTCP_SEND_ON: ProgramArray<1> = ProgramArray::new();

/// TLS sessions. The loader sets the size; it is one entry where no TLS library may be probed.
#[btf_map]
pub static TLS_SESSIONS: HashMap<SessionKey, Session, 65536, { BPF_F_NO_PREALLOC as usize }> = HashMap::new();

/// A session of zeroes: too large for the stack.
#[btf_map]
pub static EMPTY_SESSION: Array<Session, 1> = Array::new();

/// By thread (`pid_tgid`), the calls into TLS libraries that it is in. Those of ended threads make room by themselves.
#[btf_map]
pub static TLS_CALLS: LruHashMap<u64, Calls, 16384> = LruHashMap::new();

/// Calls of zeroes.
#[btf_map]
pub static EMPTY_CALLS: Array<Calls, 1> = Array::new();

/// Of processes that use a probed library and are not in `CLIENTS`: one of [`hippius_common::tls::process`].
#[btf_map]
pub static TLS_PROCESSES: LruHashMap<u32, u32, 8192> = LruHashMap::new();

/// Not 0 while any TLS library is probed: calls on sockets look then whether they are made by one.
#[btf_map]
pub static TLS_ACTIVE: Array<u32, 1> = Array::new();

/// `ssl_in_on`, for calls that take several runs.
#[btf_map]
pub static SSL_IN_ON: ProgramArray<1> = ProgramArray::new();

/// `ssl_out_on`.
#[btf_map]
pub static SSL_OUT_ON: ProgramArray<1> = ProgramArray::new();
