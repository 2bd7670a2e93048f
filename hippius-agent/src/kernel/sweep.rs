//! A look at the flows that moved lately: what no record has told yet.
//!
//! A BPF iterator over the socket storage writes each flow as a frame: its size and version, header and capture, and
//! the version again. A frame whose version changed, or was odd, was written to meanwhile: it is left for the next
//! sweep.

use std::fs::File;
use std::io::{self, Read};
use std::os::fd::{AsRawFd, BorrowedFd, FromRawFd, OwnedFd};

use aya::maps::{Array, MapData};
use hippius_common::flow::{CAPTURE_BYTES, FlowHeader};

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

/// The iterator over all flows.
pub struct Sweeper {
    link: OwnedFd,
    since: Array<MapData, u64>,
    buffer: Vec<u8>,
}

impl Sweeper {
    /// Binds the iterator program to the map of flows.
    pub fn new(program: BorrowedFd<'_>, flows: BorrowedFd<'_>, since: Array<MapData, u64>) -> io::Result<Self> {
        // union bpf_iter_link_info: the map's descriptor comes first.
        let info: [u32; 4] = [flows.as_raw_fd() as u32, 0, 0, 0];
        let attributes = LinkCreate {
            prog_fd: program.as_raw_fd() as u32,
            attach_type: BPF_TRACE_ITER,
            iter_info: info.as_ptr() as u64,
            iter_info_len: size_of_val(&info) as u32,
            ..LinkCreate::default()
        };
        let link = bpf(BPF_LINK_CREATE, &attributes)?;
        Ok(Self { link, since, buffer: vec![0; 64 * 1024] })
    }

    /// Gives `visit` each flow that moved since `since_ns` (`CLOCK_MONOTONIC`), header and captured bytes. Returns how
    /// many were torn.
    pub fn sweep(&mut self, since_ns: u64, mut visit: impl FnMut(&[u8])) -> io::Result<u32> {
        self.since.set(0, since_ns, 0).map_err(io::Error::other)?;
        let attributes = IterCreate { link_fd: self.link.as_raw_fd() as u32, flags: 0 };
        let mut file = File::from(bpf(BPF_ITER_CREATE, &attributes)?);
        let mut filled = 0;
        let mut torn = 0;
        loop {
            let room = self.buffer.get_mut(filled..).unwrap_or_default();
            let read = match file.read(room) {
                Ok(0) => return Ok(torn),
                Ok(read) => read,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                Err(error) => return Err(error),
            };
            filled += read;
            let (used, more_torn) = frames(self.buffer.get(..filled).unwrap_or_default(), &mut visit);
            torn += more_torn;
            self.buffer.copy_within(used..filled, 0);
            filled -= used;
        }
    }
}

/// Visits the flow of each whole frame; returns how many bytes the frames took, and how many were torn. A size that no
/// flow has counts as one torn frame that takes all bytes: nothing tells where the next one begins.
pub fn frames(bytes: &[u8], visit: &mut impl FnMut(&[u8])) -> (usize, u32) {
    let mut used = 0;
    let mut torn = 0;
    while let Some((frame, version)) =
        bytes.get(used..).and_then(|rest| rest.split_first_chunk::<16>()).map(|(head, rest)| {
            let (size, version) = head.split_at(8);
            ((rest, word(size) as usize), word(version))
        })
    {
        let (rest, size) = frame;
        if size > size_of::<FlowHeader>() + CAPTURE_BYTES {
            return (bytes.len(), torn + 1);
        }
        let Some(flow) = rest.get(..size) else { break };
        let Some(after) = rest.get(size..size + 8) else { break };
        if version & 1 == 0 && word(after) == version {
            visit(flow);
        } else {
            torn += 1;
        }
        used += 16 + size + 8;
    }
    (used, torn)
}

fn word(bytes: &[u8]) -> u64 {
    bytes.try_into().map_or(0, u64::from_ne_bytes)
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
