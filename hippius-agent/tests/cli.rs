//! The real binary: exit codes, messages, signals.

use std::io::{BufRead, BufReader};
use std::path::PathBuf;
use std::process::{Child, Command, Output, Stdio};
use std::sync::mpsc::{Receiver, sync_channel};
use std::time::{Duration, Instant};

fn agent(arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_hippius-agent"));
    command.args(arguments).env_remove("HIPPIUS_LOG").stdin(Stdio::null());
    command
}

fn output(arguments: &[&str]) -> Output {
    agent(arguments).output().unwrap()
}

fn text(bytes: &[u8]) -> &str {
    std::str::from_utf8(bytes).unwrap()
}

/// A configuration file that is removed at the end.
struct File(PathBuf);

impl File {
    fn new(name: &str, text: &str) -> Self {
        let file = Self(std::env::temp_dir().join(format!("hippius-cli-{name}-{}.toml", std::process::id())));
        file.write(text);
        file
    }

    fn write(&self, text: &str) {
        std::fs::write(&self.0, text).unwrap();
    }

    fn path(&self) -> &str {
        self.0.to_str().unwrap()
    }
}

impl Drop for File {
    fn drop(&mut self) {
        let _ = std::fs::remove_file(&self.0);
    }
}

#[test]
fn version_says_what_was_built() {
    let output = output(&["--version"]);
    assert_eq!(output.status.code(), Some(0));
    let said = text(&output.stdout);
    assert!(said.starts_with(concat!("hippius-agent ", env!("CARGO_PKG_VERSION"), " (revision ")), "{said}");
    assert!(said.contains(", rustc "), "{said}");
}

#[test]
fn help_names_every_command_and_the_exit_codes() {
    let output = output(&["--help"]);
    assert_eq!(output.status.code(), Some(0));
    for word in ["run", "check", "metrics", "Exit codes", "HIPPIUS_LOG"] {
        assert!(text(&output.stdout).contains(word), "{word}");
    }
}

#[test]
fn a_wrong_command_line_ends_with_2() {
    for arguments in [&[][..], &["walk"], &["run", "--conf"], &["run", "--listen", "localhost"], &["check", "extra"]] {
        let output = output(arguments);
        assert_eq!(output.status.code(), Some(2), "{arguments:?}");
        assert!(output.stdout.is_empty(), "{arguments:?}");
        assert!(!output.stderr.is_empty(), "{arguments:?}");
    }
}

#[test]
fn a_bad_configuration_ends_with_2_and_all_mistakes() {
    let file = File::new("bad", "[capture]\nring_byte = 1\nbackend = \"ebpf\"\n");
    for command in ["run", "check"] {
        let output = output(&[command, "--config", file.path()]);
        assert_eq!(output.status.code(), Some(2));
        let expected = "error: FILE:2:1: capture.ring_byte: unknown key; did you mean \"ring_bytes\"? \
                        Allowed: ring_bytes, max_connections, probe_log, backend, discover, outbound, tls\n\
                        error: FILE:3:11: capture.backend: \"ebpf\" is unknown; \
                        allowed: \"auto\", \"tracepoint\", \"fentry\"\n";
        assert_eq!(text(&output.stderr), expected.replace("FILE", file.path()));
        assert!(output.stdout.is_empty());
    }
}

#[test]
fn a_configuration_that_is_not_there_ends_with_2() {
    let output = output(&["run", "--config", "/nonexistent.toml"]);
    assert_eq!(output.status.code(), Some(2));
    assert_eq!(
        text(&output.stderr),
        "error: /nonexistent.toml: cannot read the configuration: No such file or directory (os error 2)\n"
    );
}

#[test]
fn a_bad_log_variable_ends_with_2() {
    let output = agent(&["run", "--listen", "127.0.0.1:0"]).env("HIPPIUS_LOG", "loud").output().unwrap();
    assert_eq!(output.status.code(), Some(2));
    let said = text(&output.stderr);
    assert!(said.starts_with("error: HIPPIUS_LOG: \"loud\" is no level; allowed: off, error, "), "{said}");
}

#[test]
fn metrics_are_printed_without_a_configuration() {
    let output = output(&["metrics"]);
    assert_eq!(output.status.code(), Some(0));
    assert!(output.stderr.is_empty());
}

#[test]
fn check_prints_findings_for_people_and_for_programs() {
    // A port that nobody listens on any more, and a password that must not be shown.
    let gone = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let file =
        File::new("check", &format!("[attribution.redis]\nauth_url = \"redis://user:geheim@127.0.0.1:{gone}/0\"\n"));
    let people = output(&["check", "--config", file.path()]);
    let said = text(&people.stdout);
    assert_eq!(people.status.code(), Some(1), "{said}");
    assert!(said.contains(&format!("Redis of auth_url at 127.0.0.1:{gone}: ")), "{said}");
    assert!(said.lines().last().is_some_and(|line| line.starts_with("ok: ")), "{said}");

    let programs = output(&["check", "--json", "--config", file.path()]);
    assert_eq!(programs.status.code(), Some(1));
    let json: serde_json::Value = serde_json::from_slice(&programs.stdout).unwrap();
    assert_eq!(json.get("failed"), Some(&serde_json::Value::Bool(true)));
    let subject = |finding: &serde_json::Value| finding.get("subject").and_then(|s| s.as_str()).map(str::to_owned);
    let findings = json.get("findings").and_then(|findings| findings.as_array()).unwrap();
    let subjects: Vec<String> = findings.iter().filter_map(subject).collect();
    for expected in ["kernel", "btf", "lockdown", "capabilities", "ring", "services", "listen", "attribution"] {
        assert!(subjects.iter().any(|subject| subject == expected), "{expected} is missing in {subjects:?}");
    }
    for output in [&people, &programs] {
        assert!(!text(&output.stdout).contains("geheim") && !text(&output.stderr).contains("geheim"));
    }
}

/// A running agent and the lines of its log.
struct Running {
    child: Child,
    lines: Receiver<String>,
}

impl Running {
    fn start(file: &File) -> Self {
        let mut command = agent(&["run", "--config", file.path(), "--listen", "127.0.0.1:0"]);
        let mut child = command.stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap();
        let (sender, lines) = sync_channel(1024);
        let stderr = BufReader::new(child.stderr.take().unwrap());
        std::thread::spawn(move || stderr.lines().map_while(Result::ok).try_for_each(|line| sender.send(line)));
        let running = Self { child, lines };
        running.wait_for("started");
        running
    }

    fn wait_for(&self, part: &str) -> String {
        let deadline = Instant::now() + Duration::from_secs(60);
        loop {
            let left = deadline.saturating_duration_since(Instant::now());
            let line = self.lines.recv_timeout(left).unwrap_or_else(|_| panic!("the log never said {part:?}"));
            if line.contains(part) {
                return line;
            }
        }
    }

    fn signal(&self, name: &str) {
        let status = Command::new("kill").args([name, &self.child.id().to_string()]).status().unwrap();
        assert!(status.success());
    }

    /// Exit code, and how long it took.
    fn end(&mut self, signal: &str) -> (Option<i32>, Duration) {
        let begin = Instant::now();
        self.signal(signal);
        let status = self.child.wait().unwrap();
        (status.code(), begin.elapsed())
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[test]
fn sigterm_and_sigint_end_it_well_within_2_seconds() {
    for signal in ["-TERM", "-INT"] {
        let file = File::new(&format!("end{signal}"), "");
        let (code, took) = Running::start(&file).end(signal);
        assert_eq!(code, Some(0), "{signal}");
        assert!(took < Duration::from_secs(2), "{signal} took {took:?}");
    }
}

#[test]
fn sighup_takes_a_good_configuration_and_refuses_a_bad_one() {
    let file = File::new("hangup", "");
    let mut agent = Running::start(&file);

    file.write("lisen = 1\n");
    agent.signal("-HUP");
    agent.wait_for("configuration refused, the old one stays in use");
    agent.wait_for("lisen: unknown key; did you mean \"listen\"?");

    file.write("[labels]\nmax_series = 1000\n[capture]\nring_bytes = 262144\n");
    agent.signal("-HUP");
    let line = agent.wait_for("configuration reloaded");
    assert!(line.contains(r#"changed=["labels"]"#), "{line}");
    let line = agent.wait_for("wait for a restart");
    assert!(line.contains(r#"keys=["capture.ring_bytes"]"#), "{line}");

    // Mistakes are told at the quietest level that tells anything.
    file.write("log = \"error\"\n");
    agent.signal("-HUP");
    file.write("log = 1\n");
    agent.signal("-HUP");
    agent.wait_for("configuration refused");
    assert_eq!(agent.end("-TERM").0, Some(0));
}
