//! Which files that a process has mapped may hold a TLS library.
//!
//! A library is known by its file, not by its name: containers of one image share it, and one that was replaced while
//! processes still use it is another one.

use std::collections::HashSet;
use std::ffi::CString;
use std::fs::File;
use std::io;
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

/// A file that the kernel tells from all others.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct FileId {
    /// Device of its file system.
    pub device: u64,
    /// Number in it.
    pub inode: u64,
}

/// A mapped file, as a line of `/proc/PID/maps` tells of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Mapping<'a> {
    /// The addresses as they stand there; also the file's name in `/proc/PID/map_files`.
    pub range: &'a str,
    /// Device as it stands there.
    pub device: &'a str,
    /// Number of the file.
    pub inode: u64,
    /// Its path in the process's own mount namespace.
    pub path: &'a str,
}

/// The files mapped with the right to execute, each once. Other lines, and garbage, are skipped (`proc_pid_maps(5)`).
pub fn executable_files(maps: &str) -> Vec<Mapping<'_>> {
    let mut seen = HashSet::new();
    let files = maps.lines().filter_map(executable_file);
    files.filter(|mapping| seen.insert((mapping.device, mapping.inode))).collect()
}

fn executable_file(line: &str) -> Option<Mapping<'_>> {
    let (range, rest) = line.split_once(' ')?;
    let (rights, rest) = rest.split_once(' ')?;
    let (_offset, rest) = rest.split_once(' ')?;
    let (device, rest) = rest.split_once(' ')?;
    let (inode, path) = rest.split_once(' ')?;
    let inode = inode.parse().ok().filter(|inode| *inode != 0)?;
    let path = path.trim_start_matches(' ');
    let is_file = path.starts_with('/') && range.contains('-');
    (is_file && rights.as_bytes().get(2) == Some(&b'x')).then_some(Mapping { range, device, inode, path })
}

/// Whether the file's name says that it may hold a TLS library: `libssl.so.3`, Python's `_ssl…so`, those that packages
/// bring along (`libssl-1a2b3c.so.1.1`). The program itself may too; its symbols tell.
pub fn may_be_library(path: &str) -> bool {
    let path = path.strip_suffix(DELETED).unwrap_or(path);
    let name = path.rsplit('/').next().unwrap_or(path);
    name.contains(".so") && name.to_ascii_lowercase().contains("ssl")
}

const DELETED: &str = " (deleted)";

/// Opens what the process has mapped: the very file where the kernel allows that (`CAP_CHECKPOINT_RESTORE`), otherwise
/// the one that stands at the path now, which is followed in the process's own root and does not lead out of it.
pub fn open(process: &Path, mapping: &Mapping<'_>) -> io::Result<(File, FileId)> {
    let exact = File::open(process.join("map_files").join(name_of(mapping.range)));
    let file = match exact {
        Ok(file) => file,
        Err(_) => open_in_root(process, mapping.path)?,
    };
    let status = file.metadata()?;
    if !status.is_file() {
        return Err(io::Error::new(io::ErrorKind::InvalidInput, "not a regular file"));
    }
    let id = FileId { device: status.dev(), inode: status.ino() };
    Ok((file, id))
}

/// `map_files` writes addresses without the zeroes that `maps` begins low ones with: those of programs that are not
/// position independent (fs/proc/base.c `proc_map_files_readdir`, fs/proc/task_mmu.c `show_vma_header_prefix`).
fn name_of(range: &str) -> String {
    range.split('-').map(|address| address.trim_start_matches('0')).collect::<Vec<_>>().join("-")
}

fn open_in_root(process: &Path, path: &str) -> io::Result<File> {
    let root = File::open(process.join("root"))?;
    let relative = Path::new(path).strip_prefix("/").unwrap_or(Path::new(path));
    let path = CString::new(relative.as_os_str().as_bytes())?;
    // SAFETY: all zeroes is a valid value of this structure of numbers.
    let mut how: libc::open_how = unsafe { std::mem::zeroed() };
    // O_NONBLOCK: what stands there may have become a pipe.
    how.flags = (libc::O_RDONLY | libc::O_CLOEXEC | libc::O_NONBLOCK) as u64;
    how.resolve = libc::RESOLVE_IN_ROOT;
    // SAFETY: a descriptor, a string and a structure that outlive the call.
    let fd = unsafe {
        libc::syscall(libc::SYS_openat2, root.as_raw_fd(), path.as_ptr(), &raw const how, size_of::<libc::open_how>())
    };
    if fd < 0 {
        return Err(io::Error::last_os_error());
    }
    // SAFETY: the kernel just returned this descriptor; nobody else owns it.
    Ok(File::from(unsafe { OwnedFd::from_raw_fd(fd as i32) }))
}

#[cfg(test)]
mod tests {
    use super::*;

    const MAPS: &str = "\
55d0c0a00000-55d0c0a01000 r--p 00000000 fe:00 11 /usr/bin/curl
55d0c0a01000-55d0c0a02000 r-xp 00001000 fe:00 11 /usr/bin/curl
7f0000000000-7f0000001000 r--p 00000000 fe:00 22                         /usr/lib/libssl.so.3
7f0000001000-7f0000002000 r-xp 00001000 fe:00 22                         /usr/lib/libssl.so.3
7f0000003000-7f0000004000 r-xp 00001000 fe:00 22                         /usr/lib/libssl.so.3
7f0000005000-7f0000006000 r-xp 00000000 fe:01 22                         /data/my libssl-1a2b.so.1.1 (deleted)
7f0000007000-7f0000008000 rw-p 00000000 00:00 0
7fff00000000-7fff00001000 r-xp 00000000 00:00 0                          [vdso]
nonsense
7f0000009000 r-xp 0 fe:00 33 /x
";

    #[test]
    fn files_that_may_be_executed_are_found_once() {
        let found: Vec<_> = executable_files(MAPS).into_iter().map(|mapping| (mapping.inode, mapping.path)).collect();
        let expected =
            [(11, "/usr/bin/curl"), (22, "/usr/lib/libssl.so.3"), (22, "/data/my libssl-1a2b.so.1.1 (deleted)")];
        assert_eq!(found, expected);
    }

    #[test]
    fn low_addresses_are_files_too() {
        assert_eq!(name_of("00400000-00423000"), "400000-423000");
        assert_eq!(name_of("7f0000001000-7f0000002000"), "7f0000001000-7f0000002000");
    }

    #[test]
    fn names_tell_libraries() {
        for (path, expected) in [
            ("/usr/lib/x86_64-linux-gnu/libssl.so.3", true),
            ("/app/.libs/libssl-1f2e3d.so.1.1 (deleted)", true),
            ("/usr/lib/python3.11/lib-dynload/_ssl.cpython-311-x86_64-linux-gnu.so", true),
            ("/usr/lib/libOpenSSL.so", true),
            ("/usr/lib/libcrypto.so.3", false),
            ("/usr/bin/openssl", false),
            ("/opt/ssl.so.d/libc.so.6", false),
        ] {
            assert_eq!(may_be_library(path), expected, "{path}");
        }
    }

    #[test]
    fn the_mapped_file_of_this_process_is_opened_by_either_way() {
        let process = Path::new("/proc/self");
        let maps = std::fs::read_to_string("/proc/self/maps").expect("own maps");
        let program = std::fs::metadata("/proc/self/exe").expect("own program");
        let mapping = executable_files(&maps).into_iter().find(|mapping| mapping.inode == program.ino());
        let mapping = mapping.expect("the own program is mapped");
        let (_, id) = open(process, &mapping).expect("opened");
        assert_eq!(id, FileId { device: program.dev(), inode: program.ino() });
        let at_path = open_in_root(process, mapping.path).expect("opened in root").metadata().expect("status");
        assert_eq!(at_path.ino(), program.ino());
    }

    #[test]
    fn a_path_does_not_lead_out_of_the_root() {
        let outside = open_in_root(Path::new("/proc/self"), "/../../../../proc/self/exe/x");
        assert!(outside.is_err());
    }
}
