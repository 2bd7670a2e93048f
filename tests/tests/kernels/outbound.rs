//! The client's end: calls that a watched process makes, plain and over TLS, against the called server's log.

use std::process::{Command, Stdio};

use anyhow::{Result, ensure};
use hippius_tests::agent::Agent;
use hippius_tests::calls::{self, Calls};
use hippius_tests::config::Config;
use hippius_tests::expect::{self, Expected};
use hippius_tests::lab::Lab;
use hippius_tests::metrics::Metrics;
use hippius_tests::process;
use hippius_tests::servers::nginx::{MARKS, Nginx, Options};

use super::on_backend;

const CLIENT: &str = "[[client]]\nname = \"shell\"\ncommand = \"sh *calls.sh\"";

/// A shell that calls curl with each of these lines, started before the agent and let go when that is there. What it
/// starts is a client, too.
fn curls(lab: &Lab, config: &Config, lines: &[String], ready: impl FnOnce(&Agent) -> Result<()>) -> Result<Agent> {
    let curl = "curl --silent --insecure --http1.1 --noproxy '*' --output /dev/null ";
    let calls: String = lines.iter().map(|line| format!("{curl}{line} || exit 1\n")).collect();
    let script = lab.workdir.write("calls.sh", format!("read go\n{calls}"))?;
    let mut shell = Command::new("sh").arg(script).stdin(Stdio::piped()).spawn()?;
    let agent = lab.agent(config)?;
    ready(&agent)?;
    drop(shell.stdin.take());
    ensure!(shell.wait()?.success(), "a call failed");
    Ok(agent)
}

#[test]
fn calls_of_a_watched_client() {
    on_backend("calls", |lab| {
        let nginx = Nginx::start(&lab.workdir)?;
        let upload = lab.workdir.write("upload", "u".repeat(300_000))?.display().to_string();
        let base = format!("http://{}", nginx.server.address());
        let lines = [
            "/k1 --head".to_owned(),
            "/chunked/65536".to_owned(),
            "/close/".to_owned(),
            "/files/1048576".to_owned(),
            "/nothing-here".to_owned(),
            format!("/dav/up --header Expect: --upload-file {upload}"),
            // One connection for all of these.
            "/k1?[1-20]".to_owned(),
        ];
        let lines = lines.map(|line| format!("{base}{line}"));
        let config = Config::with_calls().capture("discover = false").section(CLIENT);
        let agent = curls(lab, &config, &lines, |_| Ok(()))?;
        let metrics = calls::as_logged(lab, &agent, &nginx, 26)?;
        let connects = metrics.sum("http_client_connect_seconds_count", &[]);
        ensure!(connects == 7, "{connects} handshakes instead of 7");
        ensure!(metrics.select("http_requests_total", &[]).next().is_none(), "a call was counted as a service's");
        Ok(())
    });
}

/// Found by name and by command line, and gone when the agent, which sleeps, comes to look.
#[test]
fn clients_that_live_for_a_moment() {
    on_backend("moment", |lab| {
        let nginx = Nginx::start(&lab.workdir)?;
        let by_command = "[[client]]\nname = \"c\"\nprocess = \"curl\"\ncommand = \"* -A client *\"";
        let agent = lab.agent(&Config::with_calls().capture("discover = false").section(by_command))?;
        agent.signal(libc::SIGSTOP);
        for number in 0..20 {
            let name = if number % 4 == 0 { "other" } else { "client" };
            let url = format!("http://{}/k1?{name}", nginx.server.address());
            process::run(Command::new("curl").args(["-sS", "--noproxy", "*", "-o", "/dev/null", "-A", name, &url]))?;
        }
        agent.signal(libc::SIGCONT);
        let meant: Vec<_> = nginx.log(20)?.into_iter().filter(|line| line.uri.ends_with("?client")).collect();
        ensure!(meant.len() == 15, "{} calls are the client's", meant.len());
        calls::exactly(lab, &agent, &nginx.server.address().to_string(), &Calls::logged(&meant))?;
        Ok(())
    });
}

/// OpenSSL at both ends: each call has a status of its own, so that a wrong pair would be seen.
#[test]
fn tls_at_both_ends() {
    on_backend("tls", |lab| {
        const REQUESTS: u64 = 5;
        let nginx = Nginx::start_with(&lab.workdir, Options { tls: true, ..Options::default() })?;
        let port = nginx.server.port;
        let url = |mark: usize| format!("'https://localhost:{port}/mark/c{mark}/[1-{REQUESTS}]'");
        let lines: Vec<String> = (0..4).map(url).collect();
        let config = Config::with_calls().capture("tls = true").service("nginx", port).section(CLIENT);
        // nginx uses the library already; curl is gone before anybody looks for its libraries.
        let probed = |metrics: &Metrics| metrics.sum("hippius_agent_tls_processes", &[]) >= 2;
        let agent = curls(lab, &config, &lines, |agent| {
            let metrics = lab.settle(agent, probed)?;
            ensure!(probed(&metrics), "{}\n{}", metrics.lines_with("tls"), agent.log());
            Ok(())
        })?;
        let peer = format!("localhost:{port}");
        let wanted = MARKS.iter().take(4).map(|status| (status.to_string(), REQUESTS)).collect();
        let found = |metrics: &Metrics| metrics.by("http_client_requests_total", &[("peer", &peer)], "status_code");
        let metrics = lab.settle(&agent, |metrics| found(metrics) == wanted)?;
        ensure!(found(&metrics) == wanted, "{:?}\n{}", found(&metrics), metrics.lines_with("client"));
        expect::nothing_lost(&metrics)?;
        let opaque = metrics.sum("tls_opaque_bytes_total", &[("peer", &peer)]);
        ensure!(opaque == 0, "{opaque} opaque bytes although all was read");
        let log = nginx.log(4 * REQUESTS as usize)?;
        let (asked, answered) =
            log.iter().fold((0, 0), |sums, line| (sums.0 + line.request_length, sums.1 + line.bytes_sent));
        let bytes = |way| metrics.sum("http_client_bytes_total", &[("peer", &peer), ("direction", way)]);
        ensure!((bytes("out"), bytes("in")) == (asked, answered), "{}", metrics.lines_with("http_client_bytes"));
        expect::exactly(lab, &agent, "nginx", &Expected::requests(4 * REQUESTS).bytes(asked, answered))?;
        Ok(())
    });
}
