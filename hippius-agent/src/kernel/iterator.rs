//! BPF iterators, which the kernel runs when a file is read.

use std::fs::File;
use std::io;
use std::os::fd::{AsRawFd, BorrowedFd, FromRawFd, OwnedFd};

const BPF_LINK_CREATE: libc::c_int = 28;
const BPF_ITER_CREATE: libc::c_int = 33;
const BPF_TRACE_ITER: u32 = 28;

/// `union bpf_attr` as `BPF_LINK_CREATE` reads it for an iterator (include/uapi/linux/bpf.h).
#[repr(C)]
#[derive(Default)]
struct LinkCreate {
    prog_fd: u32,
    target_fd: u32,
    attach_type: u32,
    flags: u32,
    iter_info: u64,
    iter_info_len: u32,
    reserved: u32,
}

/// `union bpf_attr` as `BPF_ITER_CREATE` reads it.
#[repr(C)]
#[derive(Default)]
struct IterCreate {
    link_fd: u32,
    flags: u32,
}

/// A program bound to what it walks.
pub struct Iterator(OwnedFd);

impl Iterator {
    /// Binds a program to the elements of a map.
    pub fn over_map(program: BorrowedFd<'_>, map: BorrowedFd<'_>) -> io::Result<Self> {
        // union bpf_iter_link_info: the map's descriptor comes first.
        let info: [u32; 4] = [map.as_raw_fd() as u32, 0, 0, 0];
        Self::new(program, &info)
    }

    /// Binds a program to all there is of its kind.
    pub fn over_all(program: BorrowedFd<'_>) -> io::Result<Self> {
        Self::new(program, &[])
    }

    fn new(program: BorrowedFd<'_>, info: &[u32]) -> io::Result<Self> {
        let attributes = LinkCreate {
            prog_fd: program.as_raw_fd() as u32,
            attach_type: BPF_TRACE_ITER,
            iter_info: if info.is_empty() { 0 } else { info.as_ptr() as u64 },
            iter_info_len: size_of_val(info) as u32,
            ..LinkCreate::default()
        };
        bpf(BPF_LINK_CREATE, &attributes).map(Self)
    }

    /// One walk: what is read is what the program writes.
    pub fn walk(&self) -> io::Result<File> {
        let attributes = IterCreate { link_fd: self.0.as_raw_fd() as u32, flags: 0 };
        bpf(BPF_ITER_CREATE, &attributes).map(File::from)
    }
}

fn bpf<T>(command: libc::c_int, attributes: &T) -> io::Result<OwnedFd> {
    // SAFETY: `attributes` is a prefix of `union bpf_attr` of the given size; pointers in it outlive the call.
    let fd = unsafe { libc::syscall(libc::SYS_bpf, command, &raw const *attributes, size_of::<T>()) };
    if fd < 0 {
        return Err(io::Error::last_os_error());
    }
    // SAFETY: the kernel just returned this descriptor; nobody else owns it.
    Ok(unsafe { OwnedFd::from_raw_fd(fd as i32) })
}
