//! The kernel and what it allows this process.

use super::{Finding, Host};
use caps::{Capability, CapsHashSet};
use std::io::Read;

/// `uname -r`, from procfs.
pub fn release(host: &Host) -> Option<String> {
    let text = std::fs::read_to_string(host.proc.join("sys/kernel/osrelease")).ok()?;
    Some(text.trim().to_owned())
}

/// Major and minor number of a release such as `6.1.0-18-cloud-amd64`.
pub fn version(release: &str) -> Option<(u32, u32)> {
    let mut numbers = release.split(|c: char| !c.is_ascii_digit());
    Some((numbers.next()?.parse().ok()?, numbers.next()?.parse().ok()?))
}

/// The oldest kernel that the agent is tested on is 5.10; ring, iterators and typed programs came shortly before.
pub fn kernel(release: Option<&str>) -> Finding {
    const SUBJECT: &str = "kernel";
    let Some(release) = release else {
        return Finding::warn(SUBJECT, "its release cannot be read", "mount /proc");
    };
    match version(release) {
        Some(version) if version >= (5, 10) => Finding::ok(SUBJECT, release),
        Some(_) => Finding::fail(
            SUBJECT,
            format!("{release} is older than any kernel that the agent is tested on"),
            "run kernel 5.10 or newer",
        ),
        None => Finding::warn(SUBJECT, format!("the release {release:?} has no version"), "5.10 or newer is needed"),
    }
}

/// The kernel's own type information, without which no field can be found.
pub fn btf(host: &Host) -> Finding {
    const SUBJECT: &str = "btf";
    const MAGIC: u16 = 0xeb9f;
    let path = host.sys.join("kernel/btf/vmlinux");
    let mut magic = [0; 2];
    let read = std::fs::File::open(&path).and_then(|mut file| file.read_exact(&mut magic));
    let shown = path.display();
    match read {
        Ok(()) if u16::from_ne_bytes(magic) == MAGIC => Finding::ok(SUBJECT, format!("{shown} is readable")),
        Ok(()) => Finding::fail(SUBJECT, format!("{shown} is no BTF"), "mount the host's /sys"),
        Err(error) => Finding::fail(
            SUBJECT,
            format!("cannot read {shown}: {error}"),
            "run a kernel built with CONFIG_DEBUG_INFO_BTF=y, and mount the host's /sys",
        ),
    }
}

/// Under `confidentiality` the kernel refuses programs that read its memory (`LOCKDOWN_BPF_READ_KERNEL`).
pub fn lockdown(host: &Host) -> Finding {
    const SUBJECT: &str = "lockdown";
    let Ok(text) = std::fs::read_to_string(host.sys.join("kernel/security/lockdown")) else {
        return Finding::ok(SUBJECT, "not in use, as far as can be seen");
    };
    let mode = text.split_once('[').and_then(|(_, rest)| rest.split_once(']')).map_or("unknown", |(mode, _)| mode);
    if mode == "confidentiality" {
        let advice = "start the kernel with lockdown=integrity or without lockdown";
        Finding::fail(SUBJECT, "confidentiality: BPF programs may not read kernel memory", advice)
    } else {
        Finding::ok(SUBJECT, mode)
    }
}

/// Nothing that the agent needs, but what its operator should know.
pub fn unprivileged_bpf(host: &Host) -> Finding {
    const SUBJECT: &str = "unprivileged_bpf";
    let text = std::fs::read_to_string(host.proc.join("sys/kernel/unprivileged_bpf_disabled"));
    match text.as_deref().map(str::trim) {
        Ok("0") => Finding::warn(
            SUBJECT,
            "any user of this host may load BPF programs; the agent does not need that",
            "sysctl kernel.unprivileged_bpf_disabled=2",
        ),
        Ok(_) => Finding::ok(SUBJECT, "off"),
        Err(_) => Finding::ok(SUBJECT, "the kernel has no such setting"),
    }
}

/// Loading and reading needs CAP_BPF and CAP_PERFMON; seeing other users' sockets needs CAP_SYS_PTRACE. CAP_SYS_ADMIN
/// stands for the first two, and for the last on no kernel.
pub fn capabilities(effective: &CapsHashSet) -> Vec<Finding> {
    const SUBJECT: &str = "capabilities";
    let has = |capability| effective.contains(&capability);
    let missing = |wanted: &[Capability]| -> String {
        let missing = wanted.iter().filter(|&&capability| !has(capability));
        missing.map(ToString::to_string).collect::<Vec<_>>().join(", ")
    };
    let load = [Capability::CAP_BPF, Capability::CAP_PERFMON];
    let loading = if has(Capability::CAP_SYS_ADMIN) || load.into_iter().all(has) {
        Finding::ok(SUBJECT, "kernel programs may be loaded")
    } else {
        let detail = format!("kernel programs may not be loaded: {} missing", missing(&load));
        Finding::fail(
            SUBJECT,
            detail,
            "run as root, or grant CAP_BPF and CAP_PERFMON (AmbientCapabilities= in systemd)",
        )
    };
    let see = [Capability::CAP_SYS_PTRACE];
    let seeing = if see.into_iter().all(has) {
        Finding::ok(SUBJECT, "processes of other users can be seen")
    } else {
        Finding::warn(
            SUBJECT,
            format!("services of other users are not told apart by process: {} missing", missing(&see)),
            "grant it, or name services by \"ports\" only",
        )
    };
    vec![loading, seeing]
}
