//! What the programs know of the running kernel, filled in by the loader from its BTF.

use aya_ebpf::Global;

macro_rules! offsets {
    ($($name:ident),* $(,)?) => {
        $(#[unsafe(no_mangle)]
        pub static $name: Global<u32> = Global::new(0);)*
    };
}

// Must name every entry of `hippius_common::fields::FIELDS`; the loader refuses an object that lacks one.
offsets!(
    SK_FAMILY,
    SK_NUM,
    SK_FLAGS,
    SK_PROTOCOL,
    SK_SOCKET,
    SK_ERR,
    SK_OWNED,
    SK_STATE,
    SK_DPORT,
    SK_DADDR,
    SK_DADDR6,
    SK_STORAGE,
    SOCKET_SK,
    SK_TYPE,
    SK_SHUTDOWN,
    UNIX_ADDRESS,
    UNIX_NAME_LEN,
    UNIX_NAME,
    TCP_IS_MPTCP,
    TASK_TGID,
    TASK_SIGNAL,
    SIGNAL_LIVE,
    BINPRM_FILE,
    FILE_DENTRY,
    DENTRY_NAME,
    TASK_MM,
    MM_ARG_START,
    MM_ARG_END,
    SOCKET_FILE,
    TCP_COPIED_SEQ,
    TCP_RCV_NXT,
    TCP_BYTES_RECEIVED,
    TCP_WRITE_SEQ,
    TCP_SND_UNA,
    TCP_BYTES_ACKED,
    TASK_FILES,
    TASK_STATUS,
    FILES_FDT,
    FDT_FD,
    FDT_MAX_FDS,
    ITER_TYPE,
    ITER_HAS_DIRECTION,
    ITER_OFFSET,
    ITER_COUNT,
    ITER_SEGMENTS,
    ITER_ADDRESS,
    ITER_IOVEC,
    ITER_UBUF,
    HAS_STORAGE,
    RDONLY_CAST,
    TCP_SOCK,
    POINTER,
);

/// A pointer to a kernel structure whose type the verifier knows.
#[derive(Clone, Copy)]
pub struct Kernel(pub *const u8);

impl Kernel {
    /// Whether there is none.
    #[inline(always)]
    pub fn is_null(self) -> bool {
        self.0.is_null()
    }

    /// Reads a field.
    #[inline(always)]
    pub fn read<T: Copy>(self, offset: &Global<u32>) -> T {
        self.read_at(offset.load() as usize)
    }

    /// Reads at a fixed offset, for structures whose layout is part of the kernel's stable interface.
    #[inline(always)]
    pub fn read_at<T: Copy>(self, offset: usize) -> T {
        // SAFETY: the pointer came from the context or a helper, so the verifier checks the offset against the
        // structure's BTF; a fault reads as zero.
        unsafe { core::ptr::read_volatile(self.0.add(offset).cast::<T>()) }
    }

    /// Reads a field that is a pointer to another structure.
    #[inline(always)]
    pub fn follow(self, offset: &Global<u32>) -> Self {
        Self(self.read::<*const u8>(offset))
    }
}
