//! Probes of one library file: one perf event for each function, which detaches when it is closed.

use std::ffi::CString;
use std::fs::File;
use std::io;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, FromRawFd, OwnedFd};

use aya::programs::ProgramFd;

use super::symbols::Function;

/// `PERF_EVENT_IOC_SET_BPF` and `PERF_EVENT_IOC_ENABLE` (include/uapi/linux/perf_event.h)
const SET_BPF: libc::c_ulong = 0x4004_2408;
const ENABLE: libc::c_ulong = 0x2400;
/// `PERF_FLAG_FD_CLOEXEC`
const CLOEXEC: libc::c_ulong = 8;

/// Where the kernel says which number its uprobes have, and which bit makes one a return probe.
const PMU: &str = "/sys/bus/event_source/devices/uprobe";

/// `struct perf_event_attr` up to its first published size (`PERF_ATTR_SIZE_VER1`, 72 bytes).
#[repr(C)]
#[derive(Default)]
struct PerfEventAttributes {
    kind: u32,
    size: u32,
    config: u64,
    sample_period: u64,
    sample_type: u64,
    read_format: u64,
    flags: u64,
    wakeup_events: u32,
    bp_type: u32,
    /// `uprobe_path`: address of the path.
    path: u64,
    /// `probe_offset`
    offset: u64,
}

/// What the kernel calls its uprobes.
#[derive(Debug, Clone, Copy)]
pub struct Uprobes {
    kind: u32,
    return_bit: u64,
}

impl Uprobes {
    /// Asks the running kernel. An error means that it has none.
    pub fn of_running_kernel() -> io::Result<Self> {
        let nonsense = |text: &str| io::Error::other(format!("the kernel says {text:?} of its uprobes"));
        let kind = std::fs::read_to_string(format!("{PMU}/type"))?;
        let kind = kind.trim().parse().map_err(|_| nonsense(&kind))?;
        let format = std::fs::read_to_string(format!("{PMU}/format/retprobe"))?;
        let bit: Option<u32> = format.trim().strip_prefix("config:").and_then(|bit| bit.parse().ok());
        let return_bit = bit.and_then(|bit| 1u64.checked_shl(bit)).ok_or_else(|| nonsense(&format))?;
        Ok(Self { kind, return_bit })
    }

    /// Runs `program` wherever any process executes the instruction at `offset` of the file, or returns from the
    /// function that begins there. Closing the descriptor ends it.
    fn probe(self, file: &File, offset: u64, at_return: bool, program: BorrowedFd<'_>) -> io::Result<OwnedFd> {
        let path = CString::new(format!("/proc/self/fd/{}", file.as_raw_fd()))?;
        let attributes = PerfEventAttributes {
            kind: self.kind,
            size: size_of::<PerfEventAttributes>() as u32,
            config: if at_return { self.return_bit } else { 0 },
            path: path.as_ptr() as u64,
            offset,
            ..PerfEventAttributes::default()
        };
        // Any process, on a processor that is only named because the call wants one.
        // SAFETY: attributes and path outlive the call.
        let fd = unsafe { libc::syscall(libc::SYS_perf_event_open, &raw const attributes, -1, 0, -1, CLOEXEC) };
        if fd < 0 {
            return Err(io::Error::last_os_error());
        }
        // SAFETY: the kernel just returned this descriptor; nobody else owns it.
        let event = unsafe { OwnedFd::from_raw_fd(fd as i32) };
        for (request, argument) in [(SET_BPF, program.as_raw_fd()), (ENABLE, 0)] {
            // SAFETY: both requests take a number.
            if unsafe { libc::ioctl(event.as_raw_fd(), request, argument) } < 0 {
                return Err(io::Error::last_os_error());
            }
        }
        Ok(event)
    }
}

/// The loaded programs.
pub struct Programs {
    /// By function: the one that runs when it is entered.
    pub at_entry: Vec<(Function, ProgramFd)>,
    /// Runs when one of those returns that move bytes.
    pub at_return: ProgramFd,
}

/// The probes of one file. Dropping it detaches them.
pub struct Attached {
    _events: Vec<OwnedFd>,
}

/// Probes all functions, or none.
pub fn attach(uprobes: Uprobes, programs: &Programs, file: &File, offsets: &[(Function, u64)]) -> io::Result<Attached> {
    let mut events = Vec::with_capacity(2 * offsets.len());
    for (function, offset) in offsets {
        let Some((_, program)) = programs.at_entry.iter().find(|(other, _)| other == function) else { continue };
        events.push(uprobes.probe(file, *offset, false, program.as_fd())?);
        if returns(*function) {
            // After the probe of its beginning: a call that is seen to end was seen to begin.
            events.push(uprobes.probe(file, *offset, true, programs.at_return.as_fd())?);
        }
    }
    Ok(Attached { _events: events })
}

fn returns(function: Function) -> bool {
    use Function::{Handshake, Read, ReadEx, Write, WriteEx};
    matches!(function, Read | ReadEx | Write | WriteEx | Handshake)
}
