//! What the programs know of the running kernel, resolved from BTF at load time.
//!
//! One table for both sides: the kernel side declares a read-only global of the given name for each entry, the loader
//! fills it. What a kernel does not have is [`ABSENT`], and the back-ends that need it cannot run there.

/// Value of a global whose entry the kernel does not have.
pub const ABSENT: u32 = u32::MAX;

/// What programs call in place of `bpf_rdonly_cast`, which has another number on each kernel: no helper of any. The loader
/// puts the number in; where there is none, the verifier finds that no way leads there.
pub const RDONLY_CAST_CALL: u32 = 0x7fff_0001;

/// The back-ends, as bits of [`KernelField::needed_by`] and as the value of the global `BACKEND`.
pub mod backend {
    /// BTF tracepoints `sock_send_length` and `sock_recv_length`.
    pub const TRACEPOINT: u32 = 1;
    /// fexit programs on the functions that send and receive.
    pub const FENTRY: u32 = 2;
    /// All of them.
    pub const ALL: u32 = TRACEPOINT | FENTRY;
    /// None: capture works without.
    pub const NONE: u32 = 0;
}

/// Processors, as values of the global `ARCH`.
pub mod arch {
    /// x86-64.
    pub const X86_64: u32 = 0;
    /// 64-bit Arm.
    pub const AARCH64: u32 = 1;
}

/// What is looked up.
#[derive(Debug, Clone, Copy)]
pub enum Place {
    /// The offset in bytes of a structure's member. Alternatives in order of preference, because kernels differ; dots
    /// descend, anonymous members are looked through.
    Member(&'static str, &'static [&'static str]),
    /// The value of a name in an enumeration.
    Enumerator(&'static str, &'static str),
    /// 1 where the kernel has a function of this name, else 0: for what changed without a trace in any type.
    Function(&'static str),
    /// 1 where the structure has this member, else 0.
    HasMember(&'static str, &'static str),
    /// The number of a structure among the kernel's types.
    Structure(&'static str),
    /// The number of a function among the kernel's types, by which programs call it.
    Callable(&'static str),
}

/// One fact.
#[derive(Debug, Clone, Copy)]
pub struct KernelField {
    /// Name of the global in the kernel object.
    pub global: &'static str,
    /// What it holds.
    pub place: Place,
    /// Bits of [`backend`]: those that cannot run without it.
    pub needed_by: u32,
}

macro_rules! fields {
    ($($global:ident: $needed:ident, $place:expr;)*) => {
        /// All facts that the programs use.
        pub const FIELDS: &[KernelField] = &[$(KernelField {
            global: stringify!($global),
            place: $place,
            needed_by: backend::$needed,
        }),*];
    };
}

use Place::{Callable, Enumerator, Function, HasMember, Member, Structure};

fields! {
    SK_FAMILY: ALL, Member("sock", &["__sk_common.skc_family"]);
    SK_NUM: ALL, Member("sock", &["__sk_common.skc_num"]);
    SK_FLAGS: ALL, Member("sock", &["__sk_common.skc_flags", "sk_flags"]);
    SK_PROTOCOL: ALL, Member("sock", &["sk_protocol"]);
    SK_ERR: ALL, Member("sock", &["sk_err"]);
    SK_OWNED: ALL, Member("sock", &["sk_lock.owned"]);
    SK_STATE: ALL, Member("sock", &["__sk_common.skc_state"]);
    // The other end of a client's connection (include/net/sock.h, struct sock_common).
    SK_DPORT: ALL, Member("sock", &["__sk_common.skc_dport"]);
    SK_DADDR: ALL, Member("sock", &["__sk_common.skc_daddr"]);
    SK_DADDR6: ALL, Member("sock", &["__sk_common.skc_v6_daddr"]);
    // Null for most sockets: those that no program keeps anything of.
    SK_STORAGE: NONE, Member("sock", &["sk_bpf_storage"]);
    SOCKET_SK: ALL, Member("socket", &["sk"]);
    // Unix sockets (include/net/af_unix.h): an accepted one shares the address of the one that listens.
    SK_TYPE: ALL, Member("sock", &["sk_type"]);
    SK_SHUTDOWN: ALL, Member("sock", &["sk_shutdown"]);
    UNIX_ADDRESS: ALL, Member("unix_sock", &["addr"]);
    UNIX_NAME_LEN: ALL, Member("unix_address", &["len"]);
    UNIX_NAME: ALL, Member("unix_address", &["name"]);
    // A subflow of MPTCP is a TCP socket of the kernel's own. Absent where the kernel is built without MPTCP.
    TCP_IS_MPTCP: NONE, Member("tcp_sock", &["is_mptcp"]);
    TASK_TGID: ALL, Member("task_struct", &["tgid"]);
    // How many threads of a process are left (include/linux/sched/signal.h); at the end of the last one it is 0.
    TASK_SIGNAL: ALL, Member("task_struct", &["signal"]);
    SIGNAL_LIVE: ALL, Member("signal_struct", &["live"]);
    // What a process has begun to run (fs/exec.c, fs/binfmt_elf.c).
    BINPRM_FILE: ALL, Member("linux_binprm", &["file"]);
    FILE_DENTRY: ALL, Member("file", &["f_path.dentry"]);
    DENTRY_NAME: ALL, Member("dentry", &["d_name.name"]);
    TASK_MM: ALL, Member("task_struct", &["mm"]);
    MM_ARG_START: ALL, Member("mm_struct", &["arg_start"]);
    MM_ARG_END: ALL, Member("mm_struct", &["arg_end"]);
    TCP_COPIED_SEQ: ALL, Member("tcp_sock", &["copied_seq"]);
    TCP_RCV_NXT: ALL, Member("tcp_sock", &["rcv_nxt"]);
    TCP_BYTES_RECEIVED: ALL, Member("tcp_sock", &["bytes_received"]);
    TCP_WRITE_SEQ: ALL, Member("tcp_sock", &["write_seq"]);
    TCP_SND_UNA: ALL, Member("tcp_sock", &["snd_una"]);
    TCP_BYTES_ACKED: ALL, Member("tcp_sock", &["bytes_acked"]);
    // The proof that the system call in flight is about the socket, which fexit programs do not need.
    SK_SOCKET: TRACEPOINT, Member("sock", &["sk_socket"]);
    SOCKET_FILE: TRACEPOINT, Member("socket", &["file"]);
    TASK_FILES: TRACEPOINT, Member("task_struct", &["files"]);
    FILES_FDT: TRACEPOINT, Member("files_struct", &["fdt"]);
    FDT_FD: TRACEPOINT, Member("fdtable", &["fd"]);
    FDT_MAX_FDS: TRACEPOINT, Member("fdtable", &["max_fds"]);
    // Tells 32-bit calls. On 64-bit Arm there is no `status`, and the bit is one of the flags.
    TASK_STATUS: TRACEPOINT, Member("task_struct", &["thread_info.status", "thread_info.flags"]);
    // The iterator of the message that a call was given (include/linux/uio.h). `type` became `iter_type` in 5.14, `iov`
    // became `__iov` in 6.4; user buffers without an array of segments came with 6.0.
    ITER_TYPE: FENTRY, Member("msghdr", &["msg_iter.iter_type", "msg_iter.type"]);
    ITER_HAS_DIRECTION: FENTRY, HasMember("iov_iter", "type");
    ITER_OFFSET: FENTRY, Member("msghdr", &["msg_iter.iov_offset"]);
    ITER_COUNT: FENTRY, Member("msghdr", &["msg_iter.count"]);
    ITER_SEGMENTS: FENTRY, Member("msghdr", &["msg_iter.__iov", "msg_iter.iov"]);
    ITER_ADDRESS: NONE, Member("msghdr", &["msg_iter.ubuf"]);
    ITER_IOVEC: FENTRY, Enumerator("iter_type", "ITER_IOVEC");
    ITER_UBUF: NONE, Enumerator("iter_type", "ITER_UBUF");
    // Tracing programs may use socket storage since 5.11 and socket cookies since 5.12, which brought this function
    // (net/core/filter.c); without it, state is kept in a hash by address.
    HAS_STORAGE: ALL, Function("bpf_get_socket_ptr_cookie");
    // Gives an address a type (kernel/bpf/helpers.c, since 6.2). The verifier puts a move in place of the call, so what
    // is read costs a load and not a call.
    RDONLY_CAST: NONE, Callable("bpf_rdonly_cast");
    TCP_SOCK: NONE, Structure("tcp_sock");
    // Begins with a pointer.
    POINTER: NONE, Structure("list_head");
}
