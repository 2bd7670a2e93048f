//! Memory for the ring and the maps, and who may limit it.

use super::{Finding, Host};

const MIB: u64 = 1 << 20;
/// What the agent needs beside the ring.
const REST: u64 = 40 * MIB;

/// Ring against free memory, and the limit that the kernel charges BPF memory to: `RLIMIT_MEMLOCK` before 5.11, the
/// memory cgroup since.
pub fn checks(host: &Host, ring_bytes: u32, version: Option<(u32, u32)>) -> Vec<Finding> {
    let limit = match version {
        Some(version) if version < (5, 11) => memlock(host, ring_bytes),
        _ => cgroup(host, ring_bytes),
    };
    vec![ring(host, ring_bytes), limit]
}

/// The ring is mapped twice, so that a record that wraps can be read in one piece.
fn ring(host: &Host, ring_bytes: u32) -> Finding {
    const SUBJECT: &str = "ring";
    let twice = 2 * u64::from(ring_bytes);
    let detail = format!("{} KiB, counted as {} KiB of the agent's memory", ring_bytes >> 10, twice >> 10);
    let meminfo = std::fs::read_to_string(host.proc.join("meminfo")).unwrap_or_default();
    match field(&meminfo, "MemAvailable:").map(|kib| kib.saturating_mul(1024)) {
        Some(available) if twice + REST > available => Finding::warn(
            SUBJECT,
            format!("{detail}; only {} MiB of this host's memory are free", available / MIB),
            "lower capture.ring_bytes",
        ),
        _ => Finding::ok(SUBJECT, detail),
    }
}

fn memlock(host: &Host, ring_bytes: u32) -> Finding {
    const SUBJECT: &str = "memlock";
    let limits = std::fs::read_to_string(host.proc.join("self/limits")).unwrap_or_default();
    let needed = 2 * u64::from(ring_bytes) + REST;
    let line = limits.lines().find_map(|line| line.strip_prefix("Max locked memory"));
    let soft = line.and_then(|rest| rest.split_ascii_whitespace().next());
    match soft {
        Some("unlimited") => Finding::ok(SUBJECT, "unlimited"),
        Some(soft) if soft.parse().is_ok_and(|bytes: u64| bytes >= needed) => {
            Finding::ok(SUBJECT, format!("{soft} bytes"))
        }
        _ => Finding::warn(
            SUBJECT,
            format!("{} bytes; before kernel 5.11 BPF memory counts against it", soft.unwrap_or("unknown")),
            "set LimitMEMLOCK=infinity in the systemd unit, or grant CAP_SYS_RESOURCE",
        ),
    }
}

fn cgroup(host: &Host, ring_bytes: u32) -> Finding {
    const SUBJECT: &str = "memory_cgroup";
    let Some(limit) = cgroup_limit(host) else {
        return Finding::ok(SUBJECT, "no limit of its own");
    };
    let needed = 2 * u64::from(ring_bytes) + REST;
    let detail = format!("limited to {} MiB, BPF memory included", limit / MIB);
    if limit >= needed {
        return Finding::ok(SUBJECT, detail);
    }
    Finding::warn(SUBJECT, detail, format!("allow at least {} MiB, or lower capture.ring_bytes", needed / MIB))
}

/// `memory.max` of this process's group in the unified hierarchy; `None` for no limit and for what cannot be read.
fn cgroup_limit(host: &Host) -> Option<u64> {
    let groups = std::fs::read_to_string(host.proc.join("self/cgroup")).ok()?;
    let group = groups.lines().find_map(|line| line.strip_prefix("0::/"))?;
    let file = host.sys.join("fs/cgroup").join(group).join("memory.max");
    std::fs::read_to_string(file).ok()?.trim().parse().ok()
}

fn field(text: &str, name: &str) -> Option<u64> {
    let rest = text.lines().find_map(|line| line.strip_prefix(name))?;
    rest.split_ascii_whitespace().next()?.parse().ok()
}
