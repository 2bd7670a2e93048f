//! The agent's own process, from `/proc/self`.

use std::fs;
use std::io::Read as _;
use std::sync::LazyLock;

use crate::record::taken::Taken;

/// The `process_*` families as they stand now.
pub fn process_families() -> Vec<Taken> {
    let process = Process::read();
    let values = [
        ("process_cpu_seconds_total", process.cpu_seconds),
        ("process_open_fds", process.open_fds as f64),
        ("process_max_fds", process.max_fds as f64),
        ("process_virtual_memory_bytes", process.virtual_bytes as f64),
        ("process_resident_memory_bytes", process.resident_bytes as f64),
        ("process_start_time_seconds", process.start_seconds),
    ];
    values.into_iter().filter_map(|(name, value)| Taken::single(name, value)).collect()
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
        let [stat, limits, statm] = ["stat", "limits", "statm"].map(own);
        Self { open_fds: open_fds(), ..Self::parse(&stat, &statm, &limits, *HOST) }
    }

    /// Fields as proc(5) numbers them; the command in parentheses may hold anything, so they are counted after it.
    fn parse(stat: &str, statm: &str, limits: &str, host: Host) -> Self {
        let fields: Vec<&str> = stat.rsplit_once(')').map_or("", |(_, rest)| rest).split_ascii_whitespace().collect();
        let field = |number: usize| fields.get(number - 3).and_then(|field| field.parse::<u64>().ok()).unwrap_or(0);
        let open_files = limits.lines().find(|line| line.starts_with("Max open files"));
        Self {
            cpu_seconds: (field(14) + field(15)) as f64 / TICKS_PER_SECOND,
            virtual_bytes: field(23),
            // Field 24 of stat is not exact, says proc(5); `VmRSS` in status is this number, and takes longer to get.
            resident_bytes: word(Some(statm), 1).unwrap_or(0) * host.page_bytes,
            start_seconds: host.booted_s as f64 + field(22) as f64 / TICKS_PER_SECOND,
            open_fds: 0,
            max_fds: word(open_files, 3).unwrap_or(0),
        }
    }
}

/// A short file of `/proc/self`. The kernel gives all of it at once: none is longer than a page, and none says how long
/// it is, so that who asks for the whole asks several times.
fn own(name: &str) -> String {
    let mut bytes = [0; 4096];
    let file = fs::File::open(["/proc/self/", name].concat());
    let read = file.and_then(|mut file| file.read(&mut bytes)).unwrap_or(0);
    String::from_utf8_lossy(bytes.get(..read).unwrap_or_default()).into_owned()
}

/// What stays as long as the process runs: each look at `/proc/stat` has the kernel add up all interrupts.
static HOST: LazyLock<Host> = LazyLock::new(|| {
    let stat = fs::read_to_string("/proc/stat").unwrap_or_default();
    Host::parse(&stat, &fs::read("/proc/self/auxv").unwrap_or_default())
});

#[derive(Debug, Clone, Copy)]
struct Host {
    /// In seconds since 1970.
    booted_s: u64,
    page_bytes: u64,
}

impl Host {
    /// `auxv` holds pairs of words, a key and its value (getauxval(3)).
    fn parse(stat: &str, auxv: &[u8]) -> Self {
        /// Key of the page size (include/uapi/linux/auxvec.h).
        const AT_PAGESZ: usize = 6;
        let (words, _) = auxv.as_chunks::<{ size_of::<usize>() }>();
        let page = words.chunks_exact(2).find_map(|pair| match pair {
            [key, value] => (usize::from_ne_bytes(*key) == AT_PAGESZ).then_some(usize::from_ne_bytes(*value)),
            _ => None,
        });
        let booted_s = word(stat.lines().find(|line| line.starts_with("btime ")), 1).unwrap_or(0);
        Self { booted_s, page_bytes: page.unwrap_or(4096) as u64 }
    }
}

/// A number by its place among the words of a line.
fn word(line: Option<&str>, place: usize) -> Option<u64> {
    line?.split_ascii_whitespace().nth(place)?.parse().ok()
}

/// Since Linux 6.2 the size of the directory is their number; before, it is 0 and they are counted.
fn open_fds() -> u64 {
    const FDS: &str = "/proc/self/fd";
    match fs::metadata(FDS).map_or(0, |fds| fds.len()) {
        // The directory that is being read is one of them.
        0 => fs::read_dir(FDS).map_or(0, |entries| entries.count().saturating_sub(1) as u64),
        count => count,
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
        let auxv: Vec<u8> = [33, 1, 6, 16384, 0, 0].into_iter().flat_map(usize::to_ne_bytes).collect();
        let host = Host::parse("cpu 1 2\nbtime 1700000000\n", &auxv);
        let process = Process::parse(stat, "2000 300 100 1 0 500 0\n", limits, host);
        assert_eq!(process.cpu_seconds, 2.0);
        assert_eq!((process.virtual_bytes, process.resident_bytes), (8_192_000, 300 * 16384));
        assert_eq!((process.start_seconds, process.max_fds), (1_700_000_010.0, 1024));
    }

    #[test]
    fn this_process_uses_memory_and_files() {
        let process = Process::read();
        assert_eq!(process_families().len(), 6);
        assert!(process.start_seconds > 1e9);
        assert_eq!(Process::parse("", "", "", Host::parse("", &[])), Process::default());
    }

    #[test]
    fn memory_and_files_are_what_the_kernel_lists_one_by_one() {
        let status = fs::read_to_string("/proc/self/status").expect("status");
        let kb = word(status.lines().find(|line| line.starts_with("VmRSS:")), 1).expect("VmRSS");
        let resident_kb = Process::read().resident_bytes / 1024;
        // Other tests run in this process meanwhile.
        assert!(resident_kb > kb / 2 && resident_kb < kb * 2, "{resident_kb}, {kb}");
        let held: Vec<_> = (0..500).filter_map(|_| fs::File::open("/dev/null").ok()).collect();
        let count = open_fds() as usize;
        assert!(count > held.len() && count < held.len() + 1000, "{count}");
    }
}
