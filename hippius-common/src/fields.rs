//! The kernel structure fields that the programs read, resolved from BTF at load time.
//!
//! One table for both sides: the kernel side declares a read-only global of the given name for each entry, the loader
//! fills it.

/// One field.
#[derive(Debug, Clone, Copy)]
pub struct KernelField {
    /// Name of the global in the kernel object.
    pub global: &'static str,
    /// Structure.
    pub structure: &'static str,
    /// Paths to the member, alternatives in order of preference (kernels differ); dots descend.
    pub paths: &'static [&'static str],
    /// Whether capture can work without it.
    pub required: bool,
}

macro_rules! fields {
    ($($global:ident: $structure:literal, [$($path:literal),+];)*) => {
        /// All fields that the programs read.
        pub const FIELDS: &[KernelField] = &[$(KernelField {
            global: stringify!($global),
            structure: $structure,
            paths: &[$($path),+],
            required: true,
        }),*];
    };
}

fields! {
    SK_FAMILY: "sock", ["__sk_common.skc_family"];
    SK_NUM: "sock", ["__sk_common.skc_num"];
    SK_FLAGS: "sock", ["__sk_common.skc_flags"];
    SK_PROTOCOL: "sock", ["sk_protocol"];
    SK_SOCKET: "sock", ["sk_socket"];
    SK_ERR: "sock", ["sk_err"];
    SOCKET_FILE: "socket", ["file"];
    TCP_COPIED_SEQ: "tcp_sock", ["copied_seq"];
    TCP_RCV_NXT: "tcp_sock", ["rcv_nxt"];
    TCP_BYTES_RECEIVED: "tcp_sock", ["bytes_received"];
    TCP_WRITE_SEQ: "tcp_sock", ["write_seq"];
    TCP_SND_UNA: "tcp_sock", ["snd_una"];
    TCP_BYTES_ACKED: "tcp_sock", ["bytes_acked"];
    TASK_FILES: "task_struct", ["files"];
    TASK_STATUS: "task_struct", ["thread_info.status"];
    FILES_FDT: "files_struct", ["fdt"];
    FDT_FD: "fdtable", ["fd"];
    FDT_MAX_FDS: "fdtable", ["max_fds"];
}
