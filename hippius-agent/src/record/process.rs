//! The agent's own process, from `/proc/self`.

use std::fs;

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
        let mut process = Self::parse(&stat, &limits, &boot, units());
        // The directory that is being read is one of them.
        process.open_fds = fs::read_dir("/proc/self/fd").map_or(0, |entries| entries.count().saturating_sub(1) as u64);
        process
    }

    /// Fields as proc(5) numbers them; the command in parentheses may hold anything, so they are counted after it.
    fn parse(stat: &str, limits: &str, boot: &str, units: Units) -> Self {
        let fields: Vec<&str> = stat.rsplit_once(')').map_or("", |(_, rest)| rest).split_ascii_whitespace().collect();
        let field = |number: usize| fields.get(number - 3).and_then(|field| field.parse::<u64>().ok()).unwrap_or(0);
        let number = |line: Option<&str>, column: usize| {
            line.and_then(|line| line.split_ascii_whitespace().nth(column)).and_then(|word| word.parse::<u64>().ok())
        };
        let booted = number(boot.lines().find(|line| line.starts_with("btime ")), 1).unwrap_or(0);
        Self {
            cpu_seconds: (field(14) + field(15)) as f64 / units.ticks_per_second,
            virtual_bytes: field(23),
            resident_bytes: field(24) * units.page_bytes,
            start_seconds: booted as f64 + field(22) as f64 / units.ticks_per_second,
            open_fds: 0,
            max_fds: number(limits.lines().find(|line| line.starts_with("Max open files")), 3).unwrap_or(0),
        }
    }
}

#[derive(Debug, Clone, Copy)]
struct Units {
    ticks_per_second: f64,
    page_bytes: u64,
}

fn units() -> Units {
    // SAFETY: sysconf(3) takes a constant and touches no memory of ours.
    let (ticks, page) = unsafe { (libc::sysconf(libc::_SC_CLK_TCK), libc::sysconf(libc::_SC_PAGESIZE)) };
    Units {
        ticks_per_second: if ticks > 0 { ticks as f64 } else { 100.0 },
        page_bytes: u64::try_from(page).unwrap_or(4096),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_are_counted_after_the_command_whatever_it_is_called() {
        let stat = "7 (a ) b) S 1 7 7 0 -1 4194560 1 0 0 0 150 50 0 0 20 0 4 0 1000 8192000 300 18446744073709551615";
        let limits = "Limit  Soft Limit  Hard Limit  Units\nMax open files            1024                 4096                 files\n";
        let units = Units { ticks_per_second: 100.0, page_bytes: 4096 };
        let process = Process::parse(stat, limits, "cpu 1 2\nbtime 1700000000\n", units);
        assert_eq!(process.cpu_seconds, 2.0);
        assert_eq!((process.virtual_bytes, process.resident_bytes), (8_192_000, 300 * 4096));
        assert_eq!((process.start_seconds, process.max_fds), (1_700_000_010.0, 1024));
    }

    #[test]
    fn this_process_uses_memory_and_files() {
        let process = Process::read();
        assert!(process.resident_bytes > 0 && process.open_fds > 2 && process.start_seconds > 1e9);
        assert_eq!(Process::parse("", "", "", units()), Process::default());
    }
}
