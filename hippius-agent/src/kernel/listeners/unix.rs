//! Listening Unix stream sockets, from `/proc/net/unix` of each network namespace.

use super::{Names, holders, names, of_namespaces, process_ids};
use crate::config::Candidate;
use std::io;
use std::path::Path;

/// One listening socket.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UnixListener {
    /// What it is bound to: a path as its process wrote it, or `@` and an abstract name.
    pub name: String,
    /// The lowest of the processes that hold it: of forked workers, the parent.
    pub pid: Option<u32>,
    /// Names of that process.
    pub process: Names,
}

impl UnixListener {
    /// What a selector of the configuration looks at, the container left out.
    pub fn candidate(&self) -> Candidate<'_> {
        let (comm, executable) = (self.process.comm.as_deref(), self.process.executable.as_deref());
        Candidate { socket: Some(&self.name), comm, executable, ..Candidate::default() }
    }
}

/// All listening Unix stream sockets with a name that this process may know of, ordered by name.
pub fn unix_listeners(proc: &Path) -> io::Result<Vec<UnixListener>> {
    let pids = process_ids(proc)?;
    let rows = of_namespaces(proc, &pids, namespace_rows);
    let holders = holders(proc, &pids, &rows.iter().map(|(_, (_, inode))| *inode).collect());
    let mut listeners: Vec<UnixListener> = rows
        .into_iter()
        .map(|(_, (name, inode))| {
            let pid = holders.get(&inode).copied();
            UnixListener { name, pid, process: names(proc, pid) }
        })
        .collect();
    listeners.sort_by(|one, other| one.name.cmp(&other.name));
    Ok(listeners)
}

fn namespace_rows(process: &Path) -> Option<Vec<(String, u64)>> {
    let table = std::fs::read(process.join("net/unix")).ok()?;
    Some(String::from_utf8_lossy(&table).lines().filter_map(parse_row).collect())
}

/// `Num: RefCount Protocol Flags Type St Inode Path` (`net/unix/af_unix.c`, `unix_seq_show`). `None` where the line is not
/// a listening stream socket with a name.
pub fn parse_row(line: &str) -> Option<(String, u64)> {
    /// `__SO_ACCEPTCON` (include/uapi/linux/net.h)
    const LISTENS: u32 = 1 << 16;
    const SOCK_STREAM: u32 = 1;
    let mut rest = line;
    let mut field = || {
        rest = rest.trim_start_matches(' ');
        let (field, after) = rest.split_once(' ')?;
        rest = after;
        Some(field)
    };
    field()?.strip_suffix(':')?;
    let (_references, _protocol) = (field()?, field()?);
    let flags = u32::from_str_radix(field()?, 16).ok()?;
    let kind = u32::from_str_radix(field()?, 16).ok()?;
    let _state = field()?;
    let inode = field()?.parse().ok()?;
    // Names may hold spaces.
    (flags & LISTENS != 0 && kind == SOCK_STREAM && !rest.is_empty()).then(|| (rest.to_owned(), inode))
}

#[cfg(test)]
mod tests {
    use super::parse_row;

    const TABLE: &str = "Num       RefCount Protocol Flags    Type St Inode Path
0000000000000000: 00000002 00000000 00010000 0001 01 17834 /run/dbus/system_bus_socket
0000000000000000: 00000002 00000000 00000000 0002 01 10953 /run/systemd/notify
0000000000000000: 00000003 00000000 00000000 0001 03 20533 /run/dbus/system_bus_socket
0000000000000000: 00000002 00000000 00010000 0005 01 10964 /run/udev/control
0000000000000000: 00000002 00000000 00010000 0001 01  9152 @/tmp/.X11-unix/X0
0000000000000000: 00000002 00000000 00010000 0001 01 23405 /srv/my app/web.sock
0000000000000000: 00000003 00000000 00000000 0001 03 23406
";

    #[test]
    fn recorded_table() {
        let found: Vec<(String, u64)> = TABLE.lines().filter_map(parse_row).collect();
        let expected =
            [("/run/dbus/system_bus_socket", 17834), ("@/tmp/.X11-unix/X0", 9152), ("/srv/my app/web.sock", 23405)];
        assert_eq!(found, expected.map(|(name, inode)| (name.to_owned(), inode)));
    }

    #[test]
    fn garbage_is_no_listener() {
        for line in
            ["", ":", "x: y z", "0: 2 0 00010000 0001 01 x /a", "0: 2 0 00010000 0001 01 5", "0: 2 0 zz 0001 01 5 /a"]
        {
            assert_eq!(parse_row(line), None, "{line}");
        }
    }
}
