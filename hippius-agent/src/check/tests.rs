use super::{Finding, Host, Level, as_json, as_text, host, memory, services, sources};
use crate::config::{Config, SecretUrl, Surroundings};
use crate::kernel::listeners::unix::UnixListener;
use crate::kernel::listeners::{Listener, Names};
use caps::{Capability, CapsHashSet};
use std::io::{Read, Write};
use std::path::{Path, PathBuf};

/// Files of a host made by hand.
struct Tree(PathBuf);

impl Tree {
    fn new(name: &str, files: &[(&str, &[u8])]) -> Self {
        let root = std::env::temp_dir().join(format!("hippius-check-{name}-{}", std::process::id()));
        let _ = std::fs::remove_dir_all(&root);
        for (path, text) in files {
            let path = root.join(path);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, text).unwrap();
        }
        Self(root)
    }

    fn host(&self) -> Host {
        Host { proc: self.0.join("proc"), sys: self.0.join("sys") }
    }
}

impl Drop for Tree {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

fn config(text: &str) -> Config {
    let around = Surroundings { folder: Path::new(""), environment: &|_| None };
    Config::parse(text, Path::new("agent.toml"), &around).unwrap()
}

fn listener(port: u16, pid: Option<u32>, comm: Option<&str>) -> Listener {
    let comm = comm.map(str::to_owned);
    Listener { netns: 1, address: [0, 0, 0, 0].into(), port, pid, comm, executable: None }
}

#[test]
fn kernel_releases() {
    for (release, level) in [
        (Some("6.18.44"), Level::Ok),
        (Some("6.12.0-30-cloud-amd64"), Level::Ok),
        (Some("5.10.0-46-cloud-amd64"), Level::Ok),
        (Some("5.4.0"), Level::Fail),
        (Some("4.19.0"), Level::Fail),
        (Some("newest"), Level::Warn),
        (None, Level::Warn),
    ] {
        assert_eq!(host::kernel(release).level, level, "{release:?}");
    }
}

#[test]
fn the_first_back_end_that_loads_is_named() {
    use crate::kernel::backend::Backend::{Fentry, Tracepoint};
    let lacking = || Err(crate::kernel::error::LoadError::Lacking("there is no function tcp_recvmsg".to_owned()));
    let found = |results: [_; 2]| {
        let findings = super::backend::findings(results.into_iter());
        (super::failed(&findings), as_text(&findings))
    };
    let (failed, text) = found([(Fentry, lacking()), (Tracepoint, Ok(()))]);
    assert!(!failed && text.contains("fentry does not load: there is no function tcp_recvmsg"), "{text}");
    assert!(text.contains("tracepoint loads and is used"), "{text}");
    let (failed, text) = found([(Fentry, Ok(())), (Tracepoint, Ok(()))]);
    assert!(!failed && text.contains("fentry loads and is used") && text.contains("tracepoint loads too"), "{text}");
    let (failed, text) = found([(Fentry, lacking()), (Tracepoint, lacking())]);
    assert!(failed && text.contains("no capture back-end loads"), "{text}");
}

#[test]
fn kernel_files() {
    let good = Tree::new(
        "good",
        &[
            ("proc/sys/kernel/osrelease", b"6.1.0-18\n"),
            ("proc/sys/kernel/unprivileged_bpf_disabled", b"2\n"),
            ("sys/kernel/btf/vmlinux", &0xeb9f_u16.to_ne_bytes()),
            ("sys/kernel/security/lockdown", b"none [integrity] confidentiality\n"),
        ],
    );
    let good = good.host();
    assert_eq!(host::release(&good).as_deref(), Some("6.1.0-18"));
    assert_eq!(host::btf(&good).level, Level::Ok);
    assert_eq!(host::lockdown(&good), Finding::ok("lockdown", "integrity"));
    assert_eq!(host::unprivileged_bpf(&good).level, Level::Ok);

    let bad = Tree::new(
        "bad",
        &[
            ("proc/sys/kernel/unprivileged_bpf_disabled", b"0\n"),
            ("sys/kernel/btf/vmlinux", b"ELF"),
            ("sys/kernel/security/lockdown", b"none integrity [confidentiality]\n"),
        ],
    );
    let bad = bad.host();
    assert_eq!(host::btf(&bad).level, Level::Fail);
    assert_eq!(host::lockdown(&bad).level, Level::Fail);
    assert_eq!(host::unprivileged_bpf(&bad).level, Level::Warn);

    let none = Host { proc: "/nonexistent".into(), sys: "/nonexistent".into() };
    assert_eq!(host::btf(&none).level, Level::Fail);
    assert_eq!(host::lockdown(&none).level, Level::Ok);
    assert_eq!(host::unprivileged_bpf(&none).level, Level::Ok);
}

#[test]
fn capability_sets() {
    let levels = |held: &[Capability]| -> Vec<Level> {
        let held: CapsHashSet = held.iter().copied().collect();
        host::capabilities(&held).iter().map(|finding| finding.level).collect()
    };
    use Capability::{CAP_BPF, CAP_PERFMON, CAP_SYS_ADMIN, CAP_SYS_PTRACE};
    assert_eq!(levels(&[]), [Level::Fail, Level::Warn]);
    assert_eq!(levels(&[CAP_BPF, CAP_SYS_PTRACE]), [Level::Fail, Level::Ok]);
    assert_eq!(levels(&[CAP_BPF, CAP_PERFMON]), [Level::Ok, Level::Warn]);
    assert_eq!(levels(&[CAP_SYS_ADMIN, CAP_SYS_PTRACE]), [Level::Ok, Level::Ok]);
}

#[test]
fn memory_limits() {
    let limits = b"Limit                     Soft Limit           Hard Limit           Units     \n\
                   Max locked memory         65536                65536                bytes     \n";
    let tree = Tree::new(
        "memory",
        &[
            ("proc/meminfo", b"MemTotal:        2000000 kB\nMemAvailable:      60000 kB\n"),
            ("proc/self/limits", limits),
            ("proc/self/cgroup", b"0::/system.slice/hippius-agent.service\n"),
            ("sys/fs/cgroup/system.slice/hippius-agent.service/memory.max", b"67108864\n"),
        ],
    );
    let levels = |ring: u32, version| -> Vec<(&str, Level)> {
        let findings = memory::checks(&tree.host(), ring, version);
        findings.into_iter().map(|finding| (finding.subject, finding.level)).collect()
    };
    assert_eq!(levels(4 << 20, Some((6, 1))), [("ring", Level::Ok), ("memory_cgroup", Level::Ok)]);
    assert_eq!(levels(16 << 20, Some((6, 1))), [("ring", Level::Warn), ("memory_cgroup", Level::Warn)]);
    assert_eq!(levels(4 << 20, Some((5, 10))), [("ring", Level::Ok), ("memlock", Level::Warn)]);
}

#[test]
fn services_against_listeners() {
    let config = config(
        r#"
        [[service]]
        name = "api"
        ports = [8000]
        process = "uvicorn"
        [[service]]
        name = "gateway"
        ports = ["8080-8081"]
        [[service]]
        name = "worker"
        sockets = ["/run/gunicorn*.sock"]
        [[service]]
        name = "other"
        sockets = ["@other"]
        "#,
    );
    let found = [listener(22, None, None), listener(8000, Some(7), Some("uvicorn"))];
    let process = Names { comm: Some("gunicorn".to_owned()), executable: None };
    let unix = [UnixListener { name: "/run/gunicorn-1.sock".to_owned(), pid: Some(8), process }];
    let findings = services::checks(&config, Ok(&found), &unix);
    assert_eq!(
        as_text(&findings),
        "\
ok    services  listening TCP sockets: 2, network namespaces: 1 (22, 8000 uvicorn (pid 7))
warn  services  the processes of 1 of 2 listening sockets are hidden
                -> grant CAP_SYS_PTRACE, and share the host's pid namespace
ok    services  \"api\" listens: 8000 uvicorn (pid 7)
warn  services  nothing listens that is \"gateway\" (port 8080-8081)
                -> start it, or correct its \"ports\", \"sockets\" and \"process\"
ok    services  \"worker\" listens: /run/gunicorn-1.sock gunicorn (pid 8)
warn  services  nothing listens that is \"other\" (socket @other)
                -> start it, or correct its \"ports\", \"sockets\" and \"process\"

ok: 3, warnings: 3, failed: 0
"
    );
    assert_eq!(
        services::checks(&config, Err("no".to_owned()), &[]).first().map(|first| first.level),
        Some(Level::Fail)
    );
}

#[test]
fn own_address() {
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap();
    let by = |comm| services::listen_address(address, &[listener(address.port(), Some(9), Some(comm))]);
    assert_eq!(by("hippius-agent").level, Level::Ok);
    let other = by("nginx");
    assert_eq!(other.level, Level::Fail);
    assert_eq!(other.detail, format!("{address} is taken by {} nginx (pid 9)", address.port()));
    assert_eq!(services::listen_address(address, &[]).level, Level::Fail);
    drop(taken);
    assert_eq!(services::listen_address(address, &[]).level, Level::Ok);
}

#[test]
fn machine_readable() {
    let findings = [Finding::ok("btf", "there"), Finding::fail("kernel", "old", "new one")];
    let json: serde_json::Value = serde_json::from_str(&as_json(&findings)).unwrap();
    assert_eq!(
        json,
        serde_json::json!({"failed": true, "findings": [
            {"level": "ok", "subject": "btf", "detail": "there"},
            {"level": "fail", "subject": "kernel", "detail": "old", "advice": "new one"},
        ]})
    );
}

/// Answers every command of one connection with `reply`.
fn serve(reply: &'static [u8]) -> u16 {
    let server = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let port = server.local_addr().unwrap().port();
    std::thread::spawn(move || {
        for connection in server.incoming().flatten() {
            std::thread::spawn(move || {
                let mut connection = connection;
                let mut buffer = [0; 4096];
                while let Ok(read @ 1..) = connection.read(&mut buffer) {
                    let commands = buffer.get(..read).unwrap().split(|&byte| byte == b'*').count() - 1;
                    if connection.write_all(&reply.repeat(commands)).is_err() {
                        break;
                    }
                }
            });
        }
    });
    port
}

#[tokio::test]
async fn sources_answer_or_not() {
    let good = serve(b"+OK\r\n");
    let denied = serve(b"-WRONGPASS invalid username-password pair\r\n");
    let gone = {
        let socket = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        socket.local_addr().unwrap().port()
    };
    let url = |text: String| Some(SecretUrl::from(text));
    let mut attribution = Config::default().attribution;
    attribution.redis_auth = url(format!("redis://127.0.0.1:{good}/0"));
    attribution.redis_accounts = url(format!("redis://:geheim@127.0.0.1:{denied}/0"));
    attribution.postgres = url(format!("postgres://user:geheim@127.0.0.1:{gone}/hippius"));
    let findings = sources::checks(&attribution).await;
    let levels: Vec<Level> = findings.iter().map(|finding| finding.level).collect();
    assert_eq!(levels, [Level::Ok, Level::Ok, Level::Fail, Level::Fail], "{findings:#?}");
    let text = as_text(&findings);
    assert!(text.contains(&format!("Redis of auth_url at 127.0.0.1:{good} answers")), "{text}");
    assert!(text.contains(&format!("Postgres at 127.0.0.1:{gone}: ")), "{text}");
    assert!(!text.contains("geheim") && !format!("{attribution:?}").contains("geheim"), "{text}");
}

#[tokio::test]
async fn a_source_that_is_never_asked() {
    let mut attribution = Config::default().attribution;
    attribution.static_file = Some("/etc/hosts".into());
    attribution.order.clear();
    let findings = sources::checks(&attribution).await;
    let details: Vec<&str> = findings.iter().map(|finding| finding.detail.as_str()).collect();
    assert_eq!(details, ["sources of accounts: none", "\"static\" is configured, but attribution.order leaves it out"]);
}
