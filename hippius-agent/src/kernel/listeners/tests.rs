use super::{Listener, Row, listeners, parse_row, parse_table};
use std::net::IpAddr;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};

const TCP: &str = "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode
   0: 0100007F:46A0 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 27318 1 000000009c7ac262 100 0 0 10 0
   1: 00000000:07E8 00000000:0000 0A 00000000:00000000 00:00000000 00000000  1000        0 638 1 0000000096bb671a 100 0 0 10 0
   2: 0100007F:46A0 0100007F:D2F0 01 00000000:00000000 00:00000000 00000000     0        0 27400 1 00000000d8cf1cd2 20 4 30 10 -1
   3: 0100007F:D2F0 0100007F:46A0 06 00000000:00000000 03:00000F2C 00000000     0        0 0 3 00000000d8cf1cd3
";
const TCP6: &str = "  sl  local_address                         remote_address                        st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode
   0: 0000000000000000FFFF00000100007F:46A2 00000000000000000000000000000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 27320 1 00000000489e1935 100 0 0 10 0
   1: 00000000000000000000000001000000:46A1 00000000000000000000000000000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 27319 1 00000000f08d028a 100 0 0 10 0
   2: B80D01200000000000000000EFBEADDE:0050 00000000000000000000000000000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 99 1 00000000f08d028b 100 0 0 10 0
";

fn row(address: &str, port: u16, inode: u64) -> Row {
    Row { address: address.parse().unwrap(), port, inode }
}

// The recorded lines are those of a little-endian machine.
#[cfg(target_endian = "little")]
#[test]
fn recorded_tables() {
    assert_eq!(parse_table(TCP), [row("127.0.0.1", 18080, 27318), row("0.0.0.0", 2024, 638)]);
    assert_eq!(
        parse_table(TCP6),
        [row("127.0.0.1", 18082, 27320), row("::1", 18081, 27319), row("2001:db8::dead:beef", 80, 99)]
    );
}

#[test]
fn garbage_is_no_listener() {
    let good = "0: 00000000:07E8 00000000:0000 0A 0:0 00:0 0 0 0 638";
    assert!(parse_row(good).is_some());
    for line in [
        "",
        "sl  local_address rem_address   st",
        "0: 00000000:07E8 00000000:0000 0A",
        "0: 00000000:07E8 00000000:0000 0A 0:0 00:0 0 0 0 inode",
        "0: 00000000:07E8 00000000:0000 0A 0:0 00:0 0 0 0 99999999999999999999999",
        "0: 0000:07E8 00000000:0000 0A 0:0 00:0 0 0 0 638",
        "0: 0000000G:07E8 00000000:0000 0A 0:0 00:0 0 0 0 638",
        "0: +0000000:07E8 00000000:0000 0A 0:0 00:0 0 0 0 638",
        "0: 00000000:107E8 00000000:0000 0A 0:0 00:0 0 0 0 638",
        "0: 00000000 00000000:0000 0A 0:0 00:0 0 0 0 638",
        "0: 0000000\u{fc}:07E8 00000000:0000 0A 0:0 00:0 0 0 0 638",
        "0 00000000:07E8 00000000:0000 0A 0:0 00:0 0 0 0 638",
    ] {
        assert_eq!(parse_row(line), None, "{line}");
    }
}

/// A procfs made by hand.
struct Proc(PathBuf);

impl Proc {
    fn new(name: &str) -> Self {
        let root = std::env::temp_dir().join(format!("hippius-listeners-{name}-{}", std::process::id()));
        let _ = std::fs::remove_dir_all(&root);
        std::fs::create_dir_all(&root).unwrap();
        Self(root)
    }

    fn process(&self, pid: u32, netns: u64, comm: &str, sockets: &[u64]) -> PathBuf {
        let process = self.0.join(pid.to_string());
        for folder in ["ns", "net", "fd"] {
            std::fs::create_dir_all(process.join(folder)).unwrap();
        }
        symlink(format!("net:[{netns}]"), process.join("ns/net")).unwrap();
        std::fs::write(process.join("comm"), format!("{comm}\n")).unwrap();
        symlink("/usr/bin/python3.11 (deleted)", process.join("exe")).unwrap();
        symlink("/dev/null", process.join("fd/0")).unwrap();
        for (index, inode) in sockets.iter().enumerate() {
            symlink(format!("socket:[{inode}]"), process.join(format!("fd/{}", index + 3))).unwrap();
        }
        process
    }
}

impl Drop for Proc {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

#[cfg(target_endian = "little")]
#[test]
fn each_namespace_once_and_the_parent_of_forked_workers() {
    let proc = Proc::new("namespaces");
    // The kernel thread of another namespace shows no table; the next process of that namespace does.
    proc.process(7, 4026532001, "kworker", &[]);
    std::fs::write(proc.process(50, 4026531840, "gunicorn", &[638]).join("net/tcp"), TCP).unwrap();
    let worker = proc.process(51, 4026531840, "gunicorn-worker", &[638]);
    std::fs::write(worker.join("net/tcp"), TCP).unwrap();
    std::fs::write(proc.process(60, 4026532001, "redis-server", &[27319]).join("net/tcp6"), TCP6).unwrap();
    std::fs::create_dir_all(proc.0.join("sys")).unwrap();

    let found = listeners(&proc.0).unwrap();
    let expect = |netns, address: &str, port, holder: Option<(u32, &str)>| Listener {
        netns,
        address: address.parse::<IpAddr>().unwrap(),
        port,
        pid: holder.map(|(pid, _)| pid),
        comm: holder.map(|(_, comm)| comm.to_owned()),
        executable: holder.map(|_| "python3.11".to_owned()),
    };
    assert_eq!(
        found,
        [
            expect(4026531840, "0.0.0.0", 2024, Some((50, "gunicorn"))),
            expect(4026531840, "127.0.0.1", 18080, None),
            expect(4026532001, "2001:db8::dead:beef", 80, None),
            expect(4026532001, "::1", 18081, Some((60, "redis-server"))),
            expect(4026532001, "127.0.0.1", 18082, None),
        ]
    );
}

#[test]
fn no_procfs_is_an_error() {
    assert!(listeners(Path::new("/nonexistent")).is_err());
}

#[test]
fn this_machine() {
    let socket = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let port = socket.local_addr().unwrap().port();
    let found = listeners(Path::new("/proc")).unwrap();
    let mine = found.iter().find(|listener| listener.port == port).expect("own listener");
    assert_eq!(mine.pid, Some(std::process::id()));
    assert_eq!(mine.address, IpAddr::from([127, 0, 0, 1]));
}
