//! Processes, as far as `/proc` tells.

use std::collections::{HashMap, HashSet};
use std::path::Path;

/// `comm` and the name of the executable's file.
pub fn names(pid: u32) -> (Option<String>, Option<String>) {
    let comm = std::fs::read_to_string(format!("/proc/{pid}/comm")).ok().map(|text| text.trim_end().to_owned());
    (comm, executable(Path::new(&format!("/proc/{pid}/exe"))))
}

/// File name of the executable that a link such as `/proc/PID/exe` leads to. Of one that was replaced while it runs, by an
/// upgrade for one, the kernel says that it is deleted.
pub fn executable(link: &Path) -> Option<String> {
    let path = std::fs::read_link(link).ok()?;
    let name = path.file_name()?.to_str()?;
    Some(name.strip_suffix(" (deleted)").unwrap_or(name).to_owned())
}

/// Whether a process of this number runs.
pub fn exists(pid: u32) -> bool {
    Path::new(&format!("/proc/{pid}")).exists()
}

/// The command line, arguments separated by spaces. It may hold secrets: to be matched, and not to be shown.
pub fn command(pid: u32) -> Option<String> {
    raw_command(pid).map(|bytes| command_of(&bytes))
}

/// The same as the kernel keeps it: each argument ends with a zero.
pub fn raw_command(pid: u32) -> Option<Vec<u8>> {
    std::fs::read(format!("/proc/{pid}/cmdline")).ok()
}

/// As it is written here, of what the kernel keeps.
pub fn command_of(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).trim_end_matches('\0').replace('\0', " ")
}

/// All processes.
pub fn all() -> Vec<u32> {
    let Ok(entries) = std::fs::read_dir("/proc") else { return Vec::new() };
    entries.filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok()).collect()
}

/// These processes and all that they have begotten.
pub fn with_descendants(roots: &[u32]) -> Vec<u32> {
    let mut children: HashMap<u32, Vec<u32>> = HashMap::new();
    for pid in all() {
        if let Some(parent) = parent(pid) {
            children.entry(parent).or_default().push(pid);
        }
    }
    let mut found: HashSet<u32> = HashSet::new();
    let mut left = roots.to_vec();
    while let Some(pid) = left.pop() {
        if found.insert(pid) {
            left.extend(children.get(&pid).into_iter().flatten());
        }
    }
    let mut found: Vec<u32> = found.into_iter().collect();
    found.sort_unstable();
    found
}

/// Whether this process is one of the host's own process namespace, so that the kernel knows it by the same number.
pub fn is_in_first_namespace() -> bool {
    /// `PROC_PID_INIT_INO` (include/linux/proc_ns.h)
    const FIRST: &str = "pid:[4026531836]";
    std::fs::read_link("/proc/self/ns/pid").is_ok_and(|link| link.as_os_str() == FIRST)
}

/// The fourth field of `/proc/PID/stat` (proc_pid_stat(5)); the second may hold spaces and parentheses.
fn parent(pid: u32) -> Option<u32> {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    let (_, rest) = stat.rsplit_once(") ")?;
    rest.split(' ').nth(1)?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_replaced_executable_keeps_its_name() {
        let folder = std::env::temp_dir().join(format!("hippius-replaced-{}", std::process::id()));
        std::fs::create_dir_all(&folder).expect("a folder");
        let program = folder.join("replaced");
        // By another process: while this one writes a program, threads that fork keep it from being started.
        let copied = std::process::Command::new("cp").arg("/bin/sh").arg(&program).status().expect("cp runs");
        assert!(copied.success());
        let mut shell = std::process::Command::new(&program);
        let shell = shell.args(["-c", "read line; exit 0"]).stdin(std::process::Stdio::piped());
        let mut process = shell.spawn().expect("it starts");
        std::fs::remove_dir_all(&folder).expect("the folder goes");
        let link = std::fs::read_link(format!("/proc/{}/exe", process.id())).expect("the link");
        assert!(link.to_string_lossy().ends_with("replaced (deleted)"), "{link:?}");
        assert_eq!(names(process.id()).1.as_deref(), Some("replaced"));
        drop(process.stdin.take());
        process.wait().expect("it ends with its input");
    }

    #[test]
    fn children_of_children_belong_to_the_family() {
        let mut shell = std::process::Command::new("sh");
        let shell = shell.args(["-c", "sleep 30 & echo $!; wait"]);
        let mut shell = shell.stdout(std::process::Stdio::piped()).spawn().expect("sh starts");
        let mut line = String::new();
        let output = shell.stdout.take().expect("a pipe");
        std::io::BufRead::read_line(&mut std::io::BufReader::new(output), &mut line).expect("its child's number");
        let sleeper: u32 = line.trim().parse().expect("a number");
        // Between fork and exec it is still a shell.
        let deadline = std::time::Instant::now() + std::time::Duration::from_secs(20);
        while command(sleeper).as_deref() != Some("sleep 30") {
            assert!(std::time::Instant::now() < deadline, "{:?}", command(sleeper));
            std::thread::sleep(std::time::Duration::from_millis(1));
        }
        let family = with_descendants(&[shell.id()]);
        assert!(family.contains(&shell.id()) && family.contains(&sleeper), "{family:?}");
        assert!(!family.contains(&std::process::id()));
        std::process::Command::new("kill").args([line.trim()]).status().expect("kill runs");
        shell.wait().expect("the shell ends with its child");
    }
}
