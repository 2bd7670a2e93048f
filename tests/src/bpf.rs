//! Can this process load BPF at all? Asked of the kernel, by trying, without the agent.

use std::io;
use std::path::Path;

/// The sentence to print for a skipped test, or nothing where BPF works.
///
/// With `HIPPIUS_REQUIRE_BPF=1` a missing right is a failure, so that a test run cannot pass by skipping everything.
pub fn why_not() -> Option<String> {
    let reason = missing()?;
    assert!(std::env::var_os("HIPPIUS_REQUIRE_BPF").is_none(), "BPF is required here, but {reason}");
    Some(reason)
}

fn missing() -> Option<String> {
    if !Path::new("/sys/kernel/btf/vmlinux").exists() {
        return Some("the kernel has no BTF (/sys/kernel/btf/vmlinux)".to_owned());
    }
    load_empty_program().err().map(|error| format!("the kernel refuses to load a BPF program: {error}"))
}

/// The smallest tracing program: `r0 = 0; exit`, as a raw tracepoint (needs CAP_BPF and CAP_PERFMON).
fn load_empty_program() -> io::Result<()> {
    const PROG_LOAD: libc::c_long = 5;
    const RAW_TRACEPOINT: u32 = 17;
    let instructions: [u64; 2] = [0x0000_0000_0000_00b7, 0x0000_0000_0000_0095];
    let licence = c"GPL";
    // `union bpf_attr`, the first fields of BPF_PROG_LOAD (include/uapi/linux/bpf.h); the rest stays zero.
    let mut attr = [0u64; 16];
    attr[0] = u64::from(RAW_TRACEPOINT) | (instructions.len() as u64) << 32;
    attr[1] = instructions.as_ptr() as u64;
    attr[2] = licence.as_ptr() as u64;
    // SAFETY: attr is longer than the fields that the kernel reads, and all pointers in it outlive the call.
    let fd = unsafe { libc::syscall(libc::SYS_bpf, PROG_LOAD, attr.as_ptr(), size_of_val(&attr)) };
    if fd < 0 {
        return Err(io::Error::last_os_error());
    }
    // SAFETY: the descriptor was just given to us and nobody else knows it.
    unsafe { libc::close(fd as libc::c_int) };
    Ok(())
}
