//! What the kernel says about a process: memory and processor time.

use anyhow::{Context, Result};

/// Resident memory and its peak, in bytes.
pub fn memory_bytes(pid: u32) -> Result<(u64, u64)> {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status"))?;
    let field = |name: &str| -> Result<u64> {
        let line = status.lines().find(|line| line.starts_with(name)).with_context(|| format!("{name} of {pid}"))?;
        let kib: u64 = line.split_whitespace().nth(1).context("value")?.parse()?;
        Ok(kib * 1024)
    };
    Ok((field("VmRSS:")?, field("VmHWM:")?))
}

/// Processor time of all threads, user and system, in nanoseconds.
pub fn cpu_ns(pid: u32) -> Result<u64> {
    // `schedstat` is exact to the nanosecond, `stat` counts ticks of 10 ms.
    let mut total = 0;
    for thread in threads(pid)? {
        let Ok(text) = std::fs::read_to_string(format!("/proc/{pid}/task/{thread}/schedstat")) else { continue };
        total += text.split_whitespace().next().context("schedstat")?.parse::<u64>()?;
    }
    Ok(total)
}

/// The process and its descendants (a master with its workers).
pub fn cpu_ns_of_tree(pid: u32) -> Result<u64> {
    let mut total = cpu_ns(pid)?;
    for child in children(pid) {
        total += cpu_ns_of_tree(child)?;
    }
    Ok(total)
}

/// Their numbers, the process' own among them.
pub fn threads(pid: u32) -> Result<Vec<u32>> {
    let tasks = std::fs::read_dir(format!("/proc/{pid}/task"))?;
    tasks.map(|task| task?.file_name().to_string_lossy().parse().context("number of a thread")).collect()
}

pub fn children(pid: u32) -> Vec<u32> {
    let text = std::fs::read_to_string(format!("/proc/{pid}/task/{pid}/children")).unwrap_or_default();
    text.split_whitespace().filter_map(|word| word.parse().ok()).collect()
}
