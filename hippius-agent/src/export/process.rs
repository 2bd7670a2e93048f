//! The agent's own process, from `/proc/self`.

use std::fs;

use crate::record::agent::single;

/// The `process_*` families as they stand now.
pub fn process_families() -> Vec<prometheus::proto::MetricFamily> {
    let process = Process::read();
    let values = [
        ("process_cpu_seconds_total", process.cpu_seconds),
        ("process_open_fds", process.open_fds as f64),
        ("process_max_fds", process.max_fds as f64),
        ("process_virtual_memory_bytes", process.virtual_bytes as f64),
        ("process_resident_memory_bytes", process.resident_bytes as f64),
        ("process_start_time_seconds", process.start_seconds),
    ];
    values.into_iter().filter_map(|(name, value)| single(name, value)).flatten().collect()
}

/// What the `process_*` families say.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Process {
    /// User and system CPU time, in seconds.
    pub cpu_seconds: f64,
    /// Virtual memory, in bytes.
    pub virtual_bytes: u64,
    /// Resident memory, in bytes.
    pub resident_bytes: u64,
    /// Start of the process, in seconds since 1970.
    pub start_seconds: f64,
    /// Open file descriptors.
    pub open_fds: u64,
    /// Soft limit of open file descriptors.
    pub max_fds: u64,
}

impl Process {
    /// Reads `/proc/self`; what cannot be read stays 0.
    pub fn read() -> Self {
        let stat = fs::read_to_string("/proc/self/stat").unwrap_or_default();
        let limits = fs::read_to_string("/proc/self/limits").unwrap_or_default();
        let boot = fs::read_to_string("/proc/stat").unwrap_or_default();
        let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
        let mut process = Self::parse(&stat, &status, &limits, &boot);
        // The directory that is being read is one of them.
        process.open_fds = fs::read_dir("/proc/self/fd").map_or(0, |entries| entries.count().saturating_sub(1) as u64);
        process
    }

    /// Fields as proc(5) numbers them; the command in parentheses may hold anything, so they are counted after it.
    fn parse(stat: &str, status: &str, limits: &str, boot: &str) -> Self {
        let fields: Vec<&str> = stat.rsplit_once(')').map_or("", |(_, rest)| rest).split_ascii_whitespace().collect();
        let field = |number: usize| fields.get(number - 3).and_then(|field| field.parse::<u64>().ok()).unwrap_or(0);
        let number = |line: Option<&str>, column: usize| {
            line.and_then(|line| line.split_ascii_whitespace().nth(column)).and_then(|word| word.parse::<u64>().ok())
        };
        let booted = number(boot.lines().find(|line| line.starts_with("btime ")), 1).unwrap_or(0);
        Self {
            cpu_seconds: (field(14) + field(15)) as f64 / TICKS_PER_SECOND,
            virtual_bytes: field(23),
            resident_bytes: number(status.lines().find(|line| line.starts_with("VmRSS:")), 1).unwrap_or(0) * 1024,
            start_seconds: booted as f64 + field(22) as f64 / TICKS_PER_SECOND,
            open_fds: 0,
            max_fds: number(limits.lines().find(|line| line.starts_with("Max open files")), 3).unwrap_or(0),
        }
    }
}

/// Ticks of the times in /proc/self/stat: `USER_HZ` is 100 on every architecture that the agent is built for
/// (include/asm-generic/param.h).
const TICKS_PER_SECOND: f64 = 100.0;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_are_counted_after_the_command_whatever_it_is_called() {
        let stat = "7 (a ) b) S 1 7 7 0 -1 4194560 1 0 0 0 150 50 0 0 20 0 4 0 1000 8192000 300 18446744073709551615";
        let limits = "Limit  Soft Limit  Hard Limit  Units\nMax open files            1024                 4096                 files\n";
        let process = Process::parse(stat, "Name: a\nVmRSS:\t 1200 kB\n", limits, "cpu 1 2\nbtime 1700000000\n");
        assert_eq!(process.cpu_seconds, 2.0);
        assert_eq!((process.virtual_bytes, process.resident_bytes), (8_192_000, 300 * 4096));
        assert_eq!((process.start_seconds, process.max_fds), (1_700_000_010.0, 1024));
    }

    #[test]
    fn this_process_uses_memory_and_files() {
        let process = Process::read();
        assert_eq!(process_families().len(), 6);
        assert!(process.resident_bytes > 0 && process.open_fds > 2 && process.start_seconds > 1e9);
        assert_eq!(Process::parse("", "", "", ""), Process::default());
    }
}
