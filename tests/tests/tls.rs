//! HTTPS: what OpenSSL takes and gives, at both ends, is counted like plain HTTP. The truth is nginx' access log and the
//! clients' own counts.
//!
//! Every connection has a method and a status of its own, so that a request that was paired with another connection's
//! answer would be seen.

use std::collections::BTreeMap;
use std::process::Command;

use anyhow::{Context, Result, ensure};
use hippius_tests::agent::Agent;
use hippius_tests::clients::curl::curl;
use hippius_tests::clients::tls::{Load, METHODS, TlsClient};
use hippius_tests::config::Config;
use hippius_tests::expect::{self, Expected};
use hippius_tests::lab::{self, Lab};
use hippius_tests::metrics::Metrics;
use hippius_tests::servers::asgi::{self, Loop};
use hippius_tests::servers::haproxy;
use hippius_tests::servers::nginx::{self, MARKS, Nginx, Options};
use hippius_tests::truth::AccessLine;
use hippius_tests::{paths, ports, process, python, wait};

const FEW: Load = Load { connections: 4, requests: 25 };

fn config(nginx: &Nginx) -> Config {
    Config::with_calls()
        .capture("tls = true")
        .service("nginx", nginx.server.port)
        .section("[[client]]\nname = \"python\"\ncommand = \"*tls_client.py*\"")
        .section("[[client]]\nname = \"node\"\ncommand = \"*tls_client.js*\"")
        .section(&format!("[[client]]\nname = \"curl\"\nprocess = \"curl\"\ncommand = \"*:{}/*\"", nginx.server.port))
}

fn with_nginx(name: &str, test: impl FnOnce(&Lab, &Nginx, &Agent) -> Result<()>) {
    lab::with_agent(name, |lab| {
        let nginx = Nginx::start_with(&lab.workdir, Options { tls: true, ..Options::default() })?;
        let agent = lab.agent(&config(&nginx))?;
        processes(lab, &agent, 2)?;
        test(lab, &nginx, &agent)
    });
}

/// Waits until so many processes are known to use probed libraries.
fn processes(lab: &Lab, agent: &Agent, wanted: u64) -> Result<()> {
    let known = |metrics: &Metrics| metrics.sum("hippius_agent_tls_processes", &[]) >= wanted;
    let metrics = lab.settle(agent, known)?;
    ensure!(known(&metrics), "{}\n{}", metrics.lines_with("tls"), agent.log());
    Ok(())
}

/// Both ends agree with the truth, each connection for itself, and nothing is called opaque.
fn all_agree(lab: &Lab, nginx: &Nginx, agent: &Agent, peer: &str, load: Load) -> Result<()> {
    let wanted: Vec<_> = (0..load.connections as usize).map(|n| (METHODS[n], MARKS[n].to_string())).collect();
    let found = |metrics: &Metrics| -> Vec<u64> {
        let of = |(method, status): &(&str, String)| {
            let filter = [("peer", peer), ("method", *method), ("status_code", status)];
            metrics.sum("http_client_requests_total", &filter)
        };
        wanted.iter().map(of).collect()
    };
    let right = vec![load.requests; wanted.len()];
    let metrics = lab.settle(agent, |metrics| found(metrics) == right)?;
    ensure!(found(&metrics) == right, "{:?}\n{}", found(&metrics), metrics.lines_with("client"));
    let all = metrics.sum("http_client_requests_total", &[]);
    ensure!(all == load.total(), "{all} requests\n{}", metrics.lines_with("client"));
    expect::nothing_lost(&metrics)?;
    let opaque = metrics.sum("tls_opaque_bytes_total", &[("peer", peer)]);
    ensure!(opaque == 0, "{opaque} opaque bytes although all was read\n{}", metrics.lines_with("opaque"));
    let log = nginx.log(load.total() as usize)?;
    let (asked, answered) =
        log.iter().fold((0, 0), |(asked, answered), line| (asked + line.request_length, answered + line.bytes_sent));
    let served = Expected::requests(log.len() as u64).bytes(asked, answered);
    expect::exactly(lab, agent, "nginx", &served)?;
    Ok(())
}

/// A client that begins once it is watched. `peer` is what it is told of.
fn client(name: &str, peer: impl Fn(u16) -> String, start: impl FnOnce(u16) -> Result<TlsClient>, load: Load) {
    with_nginx(name, |lab, nginx, agent| {
        let port = nginx.server.port;
        let mut client = start(port)?;
        processes(lab, agent, 3)?;
        let right = client.run()?;
        ensure!(right == load.total(), "{right} of {} answers were right", load.total());
        all_agree(lab, nginx, agent, &peer(port), load)
    });
}

/// As the request names it, whether the socket of the session is known or not.
fn with_port(port: u16) -> String {
    format!("localhost:{port}")
}

/// The library works on memory, and the request names no port.
fn name_alone(_port: u16) -> String {
    "localhost".to_owned()
}

#[test]
fn python_requests() {
    client("tls-requests", with_port, |port| TlsClient::python("requests", port, FEW), FEW);
}

#[test]
fn python_urllib() {
    client("tls-urllib", with_port, |port| TlsClient::python("urllib", port, FEW), FEW);
}

#[test]
fn python_httpx_on_asyncio() {
    client("tls-httpx", with_port, |port| TlsClient::python("httpx", port, FEW), FEW);
}

#[test]
fn python_httpx_on_uvloop() {
    client("tls-httpx-uvloop", with_port, |port| TlsClient::python("httpx+uvloop", port, FEW), FEW);
}

#[test]
fn python_aiohttp_on_asyncio() {
    client("tls-aiohttp", with_port, |port| TlsClient::python("aiohttp", port, FEW), FEW);
}

#[test]
fn python_aiohttp_on_uvloop() {
    client("tls-aiohttp-uvloop", with_port, |port| TlsClient::python("aiohttp+uvloop", port, FEW), FEW);
}

#[test]
fn node() {
    client("tls-node", with_port, |port| TlsClient::node(port, FEW), FEW);
}

/// Eight connections interleaved in one thread over memory: none of their requests is on another's.
#[test]
fn a_hundred_thousand_requests_over_interleaved_connections() {
    let load = Load { connections: 8, requests: 12_500 };
    client("tls-many", name_alone, |port| TlsClient::python("streams+uvloop", port, load), load);
}

/// curl lives for a moment; the library is probed already, and the agent is asked who it is.
#[test]
fn curl_that_is_gone_before_anybody_looks() {
    with_nginx("tls-curl", |lab, nginx, agent| {
        let port = nginx.server.port;
        let load = Load { connections: 4, requests: 10 };
        for (connection, method) in METHODS.iter().enumerate().take(load.connections as usize) {
            let urls = (0..load.requests).map(|number| format!("https://localhost:{port}/mark/c{connection}/{number}"));
            let mut curl = Command::new("curl");
            curl.args(["-sk", "--http1.1", "-X", method]).args(urls);
            let said = process::run(&mut curl)?;
            ensure!(said.matches("/mark/").count() as u64 == load.requests, "{said}");
        }
        all_agree(lab, nginx, agent, &with_port(port), load)
    });
}

/// A process that is not meant leaves no trace, although the library that it uses is probed.
#[test]
fn processes_that_are_not_meant_are_left_alone() {
    with_nginx("tls-not-meant", |lab, nginx, agent| {
        let mut openssl = Command::new("sh");
        let port = nginx.server.port;
        let ask = format!(
            "printf 'GET /mark/c0/1 HTTP/1.1\\r\\nHost: x\\r\\nConnection: close\\r\\n\\r\\n' | \
             openssl s_client -quiet -connect localhost:{port} 2>/dev/null"
        );
        let said = process::run(openssl.args(["-c", &ask]))?;
        ensure!(said.contains("/mark/c0/1"), "{said}");
        let metrics = expect::counted(lab, agent, "nginx", &Expected::requests(1))?;
        let calls = metrics.sum("http_client_requests_total", &[]);
        ensure!(calls == 0, "{}", metrics.lines_with("http_client"));
        expect::nothing_lost(&metrics)
    });
}

/// A process that was killed in the middle of a request: its session ends, and is not complete.
#[test]
fn a_killed_client_leaves_nothing_open() {
    with_nginx("tls-killed", |lab, nginx, agent| {
        let mut client = TlsClient::python("urllib", nginx.server.port, Load { connections: 1, requests: 3 })?;
        processes(lab, agent, 3)?;
        ensure!(client.run()? == 3);
        drop(client);
        let gone = |metrics: &Metrics| metrics.sum("hippius_agent_tls_processes", &[]) == 2;
        wait::until("the end of the client is noticed", wait::WIDE, || agent.scrape().ok().filter(gone))?;
        all_agree(lab, nginx, agent, &with_port(nginx.server.port), Load { connections: 1, requests: 3 })
    });
}

/// The server moves the records itself: its sessions belong to no socket, and to the one port on which it listens.
fn uvicorn(name: &str, event_loop: Loop) {
    lab::with_agent(name, |lab| {
        let api = asgi::uvicorn_tls(&lab.workdir, event_loop)?;
        let port = api.server.port;
        let config = Config::with_calls().capture("tls = true").service("api", port);
        let agent = lab.agent(&config)?;
        processes(lab, &agent, 1)?;
        let (mut asked, mut answered) = (0, 0);
        for path in ["bytes/0", "bytes/1", "bytes/70000", "bytes/3000000", "status/204", "status/404", "x"] {
            let address = format!("https://localhost:{port}/{path}");
            let answer = curl(&["--insecure", "--data", "some body", &address])?;
            // The body goes out with the head, and is counted with it.
            asked += answer.head_sent;
            answered += answer.head_received + answer.body_received;
        }
        let log = api.log(7)?;
        let served = Expected::requests(log.len() as u64).bytes(asked, answered);
        let served = served.statuses(&[("200", 5), ("204", 1), ("404", 1)]).outcomes(&[("complete", 7)]);
        expect::exactly(lab, &agent, "api", &served)?;
        Ok(())
    });
}

#[test]
fn uvicorn_on_asyncio() {
    uvicorn("tls-uvicorn", Loop::Asyncio);
}

#[test]
fn uvicorn_on_uvloop() {
    uvicorn("tls-uvicorn-uvloop", Loop::Uvloop);
}

/// Where the dynamic linker finds the library.
fn libssl() -> Result<String> {
    let known = process::run(Command::new("ldconfig").arg("-p"))?;
    let line = known.lines().find(|line| line.contains("libssl.so.3")).context("libssl.so.3 is not installed")?;
    Ok(line.rsplit(' ').next().unwrap_or_default().to_owned())
}

/// As in a container: mounts, processes and network of its own, and a copy of the library at the usual path.
#[test]
fn a_process_in_its_own_namespaces_with_its_own_library() {
    lab::with_agent("tls-namespaces", |lab| {
        let load = FEW;
        let port = ports::free();
        let server = nginx::prepare(&lab.workdir, port, Options { tls: true, ..Options::default() })?.join(" ");
        let (library, copy) = (libssl()?, lab.workdir.join("libssl.so.3"));
        std::fs::copy(&library, &copy)?;
        let config = Config::with_calls()
            .capture("tls = true")
            .service("nginx", port)
            .section("[[client]]\nname = \"python\"\ncommand = \"*tls_client.py*\"\nprocess = \"python*\"");
        let agent = lab.agent(&config)?;
        let pid_file = lab.workdir.join("nginx.pid");
        let script = format!(
            "ip link set lo up && mount --bind {} {library} && {{ {server} & }} && \
             while ! test -s {}; do sleep 0.05; done && exec \"$@\"",
            copy.display(),
            pid_file.display()
        );
        let mut command = Command::new("unshare");
        command.args(["--mount", "--pid", "--net", "--fork", "--kill-child", "--mount-proc", "--"]);
        command.args(["sh", "-c", &script, "sh"]).arg(python::program("python")?);
        command.arg(paths::apps().join("tls_client.py")).arg("urllib");
        let mut client = TlsClient::start(command, port, load)?;
        // nginx' two processes and the client.
        processes(lab, &agent, 3)?;
        ensure!(client.run()? == load.total());
        let metrics = lab.settle(&agent, |metrics| metrics.sum("http_client_requests_total", &[]) == load.total())?;
        let by_status = metrics.by("http_client_requests_total", &[("peer", &with_port(port))], "status_code");
        let wanted = MARKS.iter().take(4).map(|status| (status.to_string(), load.requests)).collect();
        ensure!(by_status == wanted, "{by_status:?}\n{}", metrics.lines_with("client"));
        ensure!(metrics.sum("hippius_agent_tls_libraries", &[]) == 1, "{}", metrics.lines_with("tls"));
        let log = AccessLine::read(&lab.workdir.join("access.log"))?;
        let (asked, answered) =
            log.iter().fold((0, 0), |sums, line| (sums.0 + line.request_length, sums.1 + line.bytes_sent));
        let served = Expected::requests(load.total()).bytes(asked, answered);
        expect::exactly(lab, &agent, "nginx", &served)?;
        Ok(())
    });
}

/// In a root directory of its own, that has no other OpenSSL: found there, whatever the host has.
fn old_openssl(name: &str, kind: &'static str, load: Load, peer: impl Fn(u16) -> String) {
    const ENTER: &str = "mount --bind /proc \"$1/proc\" && mount --bind \"$2\" \"$1/apps\" && shift 2 && exec \"$@\"";
    with_nginx(name, |lab, nginx, agent| {
        let root = paths::workspace().join("target/openssl-1.1");
        ensure!(root.is_dir(), "{} is missing; `cargo xtask test` fetches it", root.display());
        let mut command = Command::new("unshare");
        command.args(["--mount", "--propagation", "private", "sh", "-c", ENTER, "sh"]).arg(&root).arg(paths::apps());
        command.arg("chroot").arg(&root).args(["/usr/bin/python3.9", "-B", "/apps/tls_client.py", kind]);
        let port = nginx.server.port;
        let mut client = TlsClient::start(command, port, load)?;
        let maps = std::fs::read_to_string(format!("/proc/{}/maps", client.pid()))?;
        ensure!(maps.contains("/libssl.so.1.1") && !maps.contains("/libssl.so.3"), "another library");
        processes(lab, agent, 3)?;
        ensure!(client.run()? == load.total());
        all_agree(lab, nginx, agent, &peer(port), load)?;
        let metrics = agent.scrape()?;
        let refused = metrics.sum("hippius_agent_tls_refused_total", &[]);
        ensure!(refused == 0, "{}\n{}", metrics.lines_with("tls_refused"), agent.log());
        let libraries = metrics.sum("hippius_agent_tls_libraries", &[]);
        ensure!(libraries == 2, "{libraries} libraries: nginx has the host's\n{}", metrics.lines_with("tls"));
        Ok(())
    });
}

#[test]
fn openssl_1_1_on_sockets() {
    old_openssl("tls-openssl-1.1", "urllib", FEW, with_port);
}

#[test]
fn openssl_1_1_on_memory() {
    old_openssl("tls-openssl-1.1-memory", "streams", Load { connections: 8, requests: 50 }, name_alone);
}

/// HAProxy ends the TLS, nginx answers: the same requests at three sockets, each counted where it is.
#[test]
fn haproxy_before_nginx() {
    lab::with_agent("tls-haproxy", |lab| {
        let nginx = Nginx::start(&lab.workdir)?;
        let haproxy = haproxy::before(&lab.workdir, nginx.server.port)?;
        let (load, port) = (FEW, haproxy.port);
        let config = Config::with_calls()
            .capture("tls = true")
            .service("haproxy", port)
            .service("nginx", nginx.server.port)
            .section("[[client]]\nname = \"python\"\ncommand = \"*tls_client.py*\"");
        let agent = lab.agent(&config)?;
        processes(lab, &agent, 3)?;
        let mut client = TlsClient::python("requests", port, load)?;
        processes(lab, &agent, 4)?;
        ensure!(client.run()? == load.total());
        let log = nginx.log(load.total() as usize)?;
        let statuses = [("200", load.requests), ("201", load.requests), ("202", load.requests), ("203", load.requests)];
        let served = Expected::requests(log.len() as u64).statuses(&statuses).outcomes(&[("complete", load.total())]);
        expect::exactly(lab, &agent, "haproxy", &served)?;
        let metrics = expect::exactly(lab, &agent, "nginx", &served)?;
        // The client's and HAProxy's: both name the same host, which HAProxy hands on.
        let wanted = BTreeMap::from([(with_port(port), 2 * load.total())]);
        let calls = metrics.by("http_client_requests_total", &[], "peer");
        ensure!(calls == wanted, "{calls:?}, expected {wanted:?}");
        Ok(())
    });
}

/// Its frames are not read: their bytes are counted, by whom they came from.
#[test]
fn http_2_over_tls_is_opaque_and_told_by_peer() {
    with_nginx("tls-http2", |lab, nginx, agent| {
        let port = nginx.server.port;
        let address = format!("https://localhost:{port}/files/65536");
        let format = "%{http_version} %{size_download}";
        let mut curl = Command::new("curl");
        let said = process::run(curl.args(["-sk", "--http2", "-o", "/dev/null", "-w", format, &address]))?;
        ensure!(said == "2 65536", "{said}");
        let peer = with_port(port);
        let received =
            |metrics: &Metrics| metrics.sum("tls_opaque_bytes_total", &[("peer", &peer), ("direction", "in")]);
        // Body and at least the frames around it.
        let metrics = lab.settle(agent, |metrics| received(metrics) > 65_536)?;
        let found = received(&metrics);
        ensure!((65_537..70_000).contains(&found), "{found}\n{}", metrics.lines_with("opaque"));
        ensure!(metrics.sum("http_client_requests_total", &[]) == 0, "{}", metrics.lines_with("http_client"));
        Ok(())
    });
}
