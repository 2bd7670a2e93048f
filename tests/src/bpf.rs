//! Can this process load BPF at all? Asked of the kernel, by trying, without the agent.

use std::ffi::CStr;
use std::io;
use std::os::fd::{AsRawFd as _, FromRawFd as _, OwnedFd};
use std::path::Path;

/// The sentence to print for a skipped test, or nothing where BPF works.
///
/// With `HIPPIUS_REQUIRE_BPF=1` a missing right is a failure, so that a test run cannot pass by skipping everything.
pub fn why_not() -> Option<String> {
    let reason = missing()?;
    assert!(std::env::var_os("HIPPIUS_REQUIRE_BPF").is_none(), "BPF is required here, but {reason}");
    Some(reason)
}

/// The programs that a process holds, by their kernel-wide numbers (`prog_id` of `/proc/PID/fdinfo`).
pub fn programs_of(pid: u32) -> io::Result<Vec<u32>> {
    let mut ids = Vec::new();
    for entry in std::fs::read_dir(format!("/proc/{pid}/fdinfo"))? {
        // A descriptor may be closed between the two looks.
        let text = std::fs::read_to_string(entry?.path()).unwrap_or_default();
        let id: Option<u32> = text.lines().find_map(|line| line.strip_prefix("prog_id:")?.trim().parse().ok());
        ids.extend(id);
    }
    ids.sort_unstable();
    ids.dedup();
    Ok(ids)
}

/// Whether the kernel still has this program.
pub fn program_exists(id: u32) -> bool {
    const PROG_GET_NEXT_ID: libc::c_long = 11;
    // `union bpf_attr`: `start_id`, `next_id`; the rest stays zero.
    let mut attr = [0u32; 32];
    attr[0] = id.saturating_sub(1);
    // SAFETY: attr is longer than the fields that the kernel reads and writes, and outlives the call.
    let result = unsafe { libc::syscall(libc::SYS_bpf, PROG_GET_NEXT_ID, attr.as_mut_ptr(), size_of_val(&attr)) };
    result == 0 && attr[1] == id
}

fn missing() -> Option<String> {
    if !Path::new("/sys/kernel/btf/vmlinux").exists() {
        return Some("the kernel has no BTF (/sys/kernel/btf/vmlinux)".to_owned());
    }
    with_memory(load_empty_program).err().map(|error| format!("the kernel refuses to load a BPF program: {error}"))
}

/// Before 5.11 the memory of BPF counts against the user's limit of locked memory, that of an agent which has just ended
/// included. The agent lifts its own limit; this process does for the length of one question.
fn with_memory<T>(ask: impl FnOnce() -> T) -> T {
    let mut before = libc::rlimit { rlim_cur: 0, rlim_max: 0 };
    let lifted = libc::rlimit { rlim_cur: libc::RLIM_INFINITY, rlim_max: libc::RLIM_INFINITY };
    // SAFETY: both structures outlive the calls. A user who may not lift the limit keeps it, and the answer says so.
    let is_lifted = unsafe {
        libc::getrlimit(libc::RLIMIT_MEMLOCK, &mut before) == 0 && libc::setrlimit(libc::RLIMIT_MEMLOCK, &lifted) == 0
    };
    let answer = ask();
    if is_lifted {
        // SAFETY: as above. Lowering a limit is always allowed.
        unsafe { libc::setrlimit(libc::RLIMIT_MEMLOCK, &before) };
    }
    answer
}

const RAW_TRACEPOINT: u32 = 17;

/// The smallest tracing program, as a raw tracepoint (needs CAP_BPF and CAP_PERFMON).
fn load_empty_program() -> io::Result<()> {
    load_empty(RAW_TRACEPOINT).map(drop)
}

/// Programs that do nothing, attached to tracepoints until this is dropped.
pub struct DoNothing {
    _links: Vec<OwnedFd>,
}

impl DoNothing {
    /// One on each tracepoint of these names.
    pub fn attach(tracepoints: &[&CStr]) -> io::Result<Self> {
        const RAW_TRACEPOINT_OPEN: libc::c_long = 17;
        let attach = |name: &&CStr| {
            let program = load_empty(RAW_TRACEPOINT)?;
            // The fields of BPF_RAW_TRACEPOINT_OPEN: name and program; the rest stays zero.
            let mut attr = [0u64; 16];
            attr[0] = name.as_ptr() as u64;
            attr[1] = program.as_raw_fd() as u64;
            // SAFETY: attr is longer than the fields that the kernel reads, and the name outlives the call.
            unsafe { descriptor(libc::syscall(libc::SYS_bpf, RAW_TRACEPOINT_OPEN, attr.as_ptr(), size_of_val(&attr))) }
        };
        Ok(Self { _links: tracepoints.iter().map(attach).collect::<io::Result<_>>()? })
    }
}

/// `r0 = 0; exit`
fn load_empty(kind: u32) -> io::Result<OwnedFd> {
    const PROG_LOAD: libc::c_long = 5;
    let instructions: [u64; 2] = [0x0000_0000_0000_00b7, 0x0000_0000_0000_0095];
    let licence = c"GPL";
    // `union bpf_attr`, the first fields of BPF_PROG_LOAD (include/uapi/linux/bpf.h); the rest stays zero.
    let mut attr = [0u64; 16];
    attr[0] = u64::from(kind) | (instructions.len() as u64) << 32;
    attr[1] = instructions.as_ptr() as u64;
    attr[2] = licence.as_ptr() as u64;
    // SAFETY: attr is longer than the fields that the kernel reads, and all pointers in it outlive the call.
    unsafe { descriptor(libc::syscall(libc::SYS_bpf, PROG_LOAD, attr.as_ptr(), size_of_val(&attr))) }
}

/// What a call of `bpf` has returned.
///
/// # Safety
/// It is a descriptor that nobody else knows, or below zero.
unsafe fn descriptor(result: libc::c_long) -> io::Result<OwnedFd> {
    if result < 0 {
        return Err(io::Error::last_os_error());
    }
    // SAFETY: guaranteed by the caller.
    Ok(unsafe { OwnedFd::from_raw_fd(result as libc::c_int) })
}

/// Nanoseconds that the kernel's statistics (`kernel.bpf_stats_enabled`) give for one run of a program that does
/// nothing: what its own clock takes.
pub fn empty_run_ns() -> io::Result<f64> {
    const SOCKET_FILTER: u32 = 1;
    const PROG_TEST_RUN: libc::c_long = 10;
    const RUNS: u64 = 100_000;
    let program = load_empty(SOCKET_FILTER)?;
    let packet = [0u8; 64];
    // The fields of BPF_PROG_TEST_RUN: program and answer, sizes of the packet in and out, the packet, none out, runs.
    let mut attr = [0u64; 16];
    attr[0] = program.as_raw_fd() as u64;
    attr[1] = packet.len() as u64;
    attr[2] = packet.as_ptr() as u64;
    attr[4] = RUNS;
    // SAFETY: attr is longer than the fields that the kernel reads and writes, and the packet outlives the call.
    let result = unsafe { libc::syscall(libc::SYS_bpf, PROG_TEST_RUN, attr.as_mut_ptr(), size_of_val(&attr)) };
    if result < 0 {
        return Err(io::Error::last_os_error());
    }
    let info = std::fs::read_to_string(format!("/proc/self/fdinfo/{}", program.as_raw_fd()))?;
    let field = |name: &str| -> f64 {
        let value = info.lines().find_map(|line| line.strip_prefix(name)?.trim().parse().ok());
        value.unwrap_or(0.0)
    };
    Ok(field("run_time_ns:") / field("run_cnt:"))
}
