//! Calls that watched processes make are equal to the called server's log, whatever makes them.

use std::net::TcpStream;
use std::os::fd::AsRawFd as _;
use std::process::{Command, Stdio};
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use hippius_tests::agent::Agent;
use hippius_tests::calls::{self, Calls};
use hippius_tests::clients::load::{self, Load};
use hippius_tests::clients::raw::{Raw, request};
use hippius_tests::config::Config;
use hippius_tests::expect::{self, Expected};
use hippius_tests::lab::{self, Lab};
use hippius_tests::process::Process;
use hippius_tests::servers::asgi;
use hippius_tests::servers::nginx::{K1, Nginx, Options};
use hippius_tests::servers::scripted::{Scripted, Step};
use hippius_tests::servers::syscall::Syscall;
use hippius_tests::{paths, wait};

/// This process is the watched client.
const OWN: &str = "[[client]]\nname = \"tests\"\nprocess = \"outbound-*\"";

fn own_calls(lab: &Lab) -> Result<Agent> {
    lab.agent(&Config::with_calls().capture("discover = false").section(OWN))
}

/// What `request` names as the host, with the port of the connection.
fn peer(port: u16) -> String {
    format!("test:{port}")
}

#[test]
fn curl_in_all_its_ways_is_counted_as_nginx_logs_it() {
    lab::with_agent("calls-curl", |lab| {
        let nginx = Nginx::start(&lab.workdir)?;
        let upload = lab.workdir.write("upload", "u".repeat(3_000_000))?.display().to_string();
        let mut script = String::from("read go\n");
        let curl = format!("curl --silent --noproxy '*' --output /dev/null http://{}", nginx.server.address());
        for line in [
            "/k1",
            "/k1 --head",
            "/empty",
            "/chunked/65536 --compressed",
            "/close/",
            "/files/10485760",
            "/nothing-here",
            "/files/1024 --header 'If-Modified-Since: Fri, 01 Jan 2038 00:00:00 GMT'",
            &format!("/dav/up --header Expect: --upload-file {upload}"),
            // One connection for all of these.
            "/k1?[1-20]",
        ] {
            script += &format!("{curl}{line}\n");
        }
        let script = lab.workdir.write("calls.sh", script)?;
        let mut shell = Command::new("sh").arg(script).stdin(Stdio::piped()).spawn()?;
        // What a client starts is a client, too, from its first moment on.
        let client = "[[client]]\nname = \"shell\"\ncommand = \"sh *calls.sh\"";
        let agent = lab.agent(&Config::with_calls().capture("discover = false").section(client))?;
        drop(shell.stdin.take());
        ensure!(shell.wait()?.success(), "a call failed");
        let metrics = calls::as_logged(lab, &agent, &nginx, 29)?;
        let address = nginx.server.address().to_string();
        let connects = metrics.sum("http_client_connect_seconds_count", &[("peer", &address)]);
        ensure!(connects == 10, "{connects} handshakes instead of 10");
        let waits = metrics.sum("http_client_first_byte_seconds_count", &[("peer", &address)]);
        ensure!(waits == 29, "{waits} first bytes instead of 29");
        ensure!(metrics.select("http_requests_total", &[]).next().is_none(), "a call was counted as a service's");
        Ok(())
    });
}

#[test]
fn a_hundred_thousand_calls_are_counted_without_one_missing() {
    lab::with_agent("calls-many", |lab| {
        const COUNT: u64 = 100_000;
        let nginx = Nginx::start_with(&lab.workdir, Options { buffered_log: true, ..Options::default() })?;
        let agent = own_calls(lab)?;
        let request = request("GET", "/k1", &[]).into_bytes();
        let load = Load { address: nginx.server.address(), request, connections: 16, requests: COUNT, rate: None };
        let report = load::run(&load)?;
        let expected = Calls::of_status("GET 200", COUNT, report.bytes_sent, report.bytes_received);
        let metrics = calls::exactly(lab, &agent, &peer(nginx.server.port), &expected)?;
        let times = metrics.sum("http_client_request_duration_seconds_count", &[("peer", &peer(nginx.server.port))]);
        ensure!(times == COUNT, "{times} durations");
        ensure!(nginx.quit()?.len() as u64 == COUNT, "nginx' log has another number of lines");
        ensure!(report.body_bytes_received == COUNT * K1 as u64, "bodies");
        Ok(())
    });
}

#[test]
fn pipelined_calls_and_a_connection_for_each_are_counted() {
    lab::with_agent("calls-pipelined", |lab| {
        let nginx = Nginx::start(&lab.workdir)?;
        let agent = own_calls(lab)?;
        let (mut sent, mut received) = (0, 0);
        let mut client = Raw::connect(nginx.server.address())?;
        for _ in 0..20 {
            client.send((0..16).map(|_| request("GET", "/k1", &[])).collect::<String>())?;
            for _ in 0..16 {
                client.read_response()?;
            }
        }
        (sent, received) = (sent + client.sent, received + client.received);
        for _ in 0..200 {
            let mut client = Raw::connect(nginx.server.address())?;
            client.send(request("GET", "/k1", &["Connection: close"]))?;
            client.read_to_end()?;
            (sent, received) = (sent + client.sent, received + client.received);
        }
        let expected = Calls::of_status("GET 200", 520, sent, received);
        ensure!(Calls::logged(&nginx.log(520)?) == expected, "the rig's own counts differ");
        calls::exactly(lab, &agent, &peer(nginx.server.port), &expected)?;
        Ok(())
    });
}

/// A call of a script: what becomes of it, and what its bytes are.
fn scripted(
    lab: &Lab,
    agent: &Agent,
    steps: Vec<Step>,
    client: impl FnOnce(&mut Raw) -> Result<()>,
    ends: (&str, &str),
) -> Result<()> {
    let server = Scripted::start(steps)?;
    let port = server.port();
    let mut raw = Raw::connect(server.address)?;
    client(&mut raw)?;
    let (sent, received) = (raw.sent, raw.received);
    drop(raw);
    server.finish()?;
    let (status, outcome) = ends;
    let expected = Calls::of_status(status, 1, sent, received);
    let expected = if outcome == "complete" { expected } else { expected.unfinished(outcome, 1) };
    calls::exactly(lab, agent, &peer(port), &expected).map(drop).with_context(|| format!("{status} {outcome}"))
}

#[test]
fn a_call_that_breaks_off_says_who_broke_it_off() {
    lab::with_agent("calls-broken", |lab| {
        let agent = own_calls(lab)?;
        let half = "HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhalf of it";
        let until_close = "HTTP/1.1 200 OK\r\n\r\nall of it";
        let ask = |raw: &mut Raw| raw.send(request("GET", "/", &[]));
        let read = |raw: &mut Raw| {
            ask(raw)?;
            raw.read_to_end().map(drop)
        };
        let first = |raw: &mut Raw| {
            ask(raw)?;
            raw.read_head().map(drop)
        };
        let (head, write) = (|| Step::ReadHead, |text: &str| Step::write(text));
        scripted(lab, &agent, vec![head(), write(until_close)], read, ("GET 200", "complete"))?;
        scripted(lab, &agent, vec![head(), write(half)], read, ("GET 200", "server_abort"))?;
        // The client reads before that: what lies unread when a reset comes is gone for the agent.
        let reset = vec![head(), write(half), Step::Pause(Duration::from_millis(300)), Step::Reset];
        scripted(lab, &agent, reset, read, ("GET 200", "server_abort"))?;
        scripted(lab, &agent, vec![head()], read, ("GET none", "server_abort"))?;
        scripted(lab, &agent, vec![head(), write(half), Step::ReadToEnd], first, ("GET 200", "client_abort"))?;
        scripted(lab, &agent, vec![head(), Step::ReadToEnd], ask, ("GET none", "client_abort"))?;
        Ok(())
    });
}

#[test]
fn connections_that_cannot_be_made_have_a_reason() {
    lab::with_agent("calls-refused", |lab| {
        let agent = own_calls(lab)?;
        let closed = hippius_tests::ports::free();
        for _ in 0..3 {
            ensure!(TcpStream::connect(("127.0.0.1", closed)).is_err(), "somebody listens on {closed}");
        }
        // A queue of one that is full: the SYN of the next is not answered.
        let deaf = std::net::TcpListener::bind("127.0.0.1:0")?;
        // SAFETY: a plain system call on an open socket.
        ensure!(unsafe { libc::listen(deaf.as_raw_fd(), 0) } == 0, "listen");
        let address = deaf.local_addr()?;
        let _first = TcpStream::connect(address)?;
        ensure!(TcpStream::connect_timeout(&address, Duration::from_millis(300)).is_err(), "the queue is not full");
        let found = |metrics: &hippius_tests::metrics::Metrics, port: u16| {
            metrics.by("http_client_connect_errors_total", &[("peer", &format!("127.0.0.1:{port}"))], "reason")
        };
        let wanted = [(closed, ("refused", 3)), (address.port(), ("given_up", 1))];
        let is_there = |metrics: &_| {
            wanted.iter().all(|(port, (reason, count))| found(metrics, *port).get(*reason) == Some(count))
        };
        let metrics = lab.settle(&agent, is_there)?;
        ensure!(is_there(&metrics), "{}", metrics.lines_with("http_client_connect"));
        expect::nothing_lost(&metrics)
    });
}

#[test]
fn connections_that_were_open_before_the_agent_are_taken_up() {
    lab::with_agent("calls-open", |lab| {
        let nginx = Nginx::start(&lab.workdir)?;
        let mut clients = Vec::new();
        for _ in 0..5 {
            let mut client = Raw::connect(nginx.server.address())?;
            client.send(request("GET", "/k1", &[]))?;
            client.read_response()?;
            clients.push(client);
        }
        let agent = own_calls(lab)?;
        let (mut sent, mut received) = (0, 0);
        for client in &mut clients {
            let before = (client.sent, client.received);
            for _ in 0..10 {
                client.send(request("GET", "/k1", &[]))?;
                client.read_response()?;
            }
            (sent, received) = (sent + client.sent - before.0, received + client.received - before.1);
        }
        drop(clients);
        let expected = Calls::of_status("GET 200", 50, sent, received);
        calls::exactly(lab, &agent, &peer(nginx.server.port), &expected)?;
        Ok(())
    });
}

/// The API answers and asks on the same host: each hop counts once on either side.
fn api_calls_nginx(name: &str, library: &str, start: impl FnOnce(&Lab) -> Result<hippius_tests::servers::Server>) {
    lab::with_agent(name, |lab| {
        const ROUNDS: u64 = 60;
        let nginx = Nginx::start(&lab.workdir)?;
        let app = start(lab)?;
        let config = Config::with_calls().service("api", app.port).service("nginx", nginx.server.port);
        let agent = lab.agent(&config)?;
        let url = |path: &str| format!("http://{}{path}", nginx.server.address());
        let mut client = Raw::connect(app.address())?;
        for round in 0..ROUNDS {
            let (method, path) =
                [("GET", "/k1"), ("HEAD", "/files/1024"), ("GET", "/files/1048576"), ("GET", "/empty")]
                    [round as usize % 4];
            client.send(request("GET", &format!("/{library}/{method}?{}", url(path)), &[]))?;
            let (head, status) = client.read_response()?;
            ensure!(head.starts_with("HTTP/1.1 200") && status.starts_with(b"20"), "{head}");
        }
        let metrics = calls::as_logged(lab, &agent, &nginx, usize::try_from(ROUNDS)?)?;
        for service in ["api", "nginx"] {
            expect::exactly(lab, &agent, service, &Expected::requests(ROUNDS))?;
        }
        let all = metrics.sum("http_client_requests_total", &[]);
        ensure!(all == ROUNDS, "{all} calls of all peers instead of {ROUNDS}");
        Ok(())
    });
}

#[test]
fn calls_of_a_uvicorn_app_with_httpx_are_counted() {
    api_calls_nginx("calls-httpx", "httpx", |lab| asgi::calling(&lab.workdir, 1));
}

#[test]
fn calls_of_a_uvicorn_app_with_aiohttp_are_counted() {
    api_calls_nginx("calls-aiohttp", "aiohttp", |lab| asgi::calling(&lab.workdir, 1));
}

#[test]
fn calls_of_threads_with_requests_are_counted() {
    api_calls_nginx("calls-requests", "requests", |lab| asgi::calling(&lab.workdir, 1));
}

#[test]
fn calls_of_forked_workers_are_counted() {
    api_calls_nginx("calls-forked", "httpx", |lab| asgi::calling(&lab.workdir, 3));
}

#[test]
fn a_process_that_begins_later_is_watched_from_its_first_call() {
    lab::with_agent("calls-node", |lab| {
        let nginx = Nginx::start(&lab.workdir)?;
        let agent = lab.agent(
            &Config::with_calls()
                .capture("discover = false")
                .section("[[client]]\nname = \"node\"\ncommand = \"*node_calls.js*\""),
        )?;
        let (nginx_at, agent_at) = (nginx.server.address(), agent.address());
        let go = lab.workdir.join("go");
        let mut node = Command::new("node");
        node.arg(paths::apps().join("node_calls.js")).args(["300", &format!("http://{nginx_at}/k1")]);
        node.arg(format!("http://{agent_at}/healthz")).arg(&go);
        let mut node = Process::spawn("node", node, &lab.workdir)?;
        wait::until("the process to be watched", wait::WIDE, || {
            let metrics = agent.scrape().ok()?;
            (metrics.sum("http_client_requests_total", &[("peer", &agent_at)]) > 0).then_some(())
        })?;
        std::fs::write(&go, "")?;
        let status = wait::until("the calls", wait::WIDE, || node.try_wait().ok().flatten())?;
        ensure!(status.success(), "{}", node.log());
        calls::as_logged(lab, &agent, &nginx, 300)?;
        Ok(())
    });
}

#[test]
fn a_long_transfer_grows_while_it_runs() {
    lab::with_agent("calls-long", |lab| {
        let server = Syscall::start(&lab.workdir, "recv-send")?;
        let agent = own_calls(lab)?;
        let mut client = Raw::connect(server.server.address())?;
        client.send(request("GET", "/50000000", &[]))?;
        client.read_head()?;
        client.discard(20_000_000)?;
        let peer = peer(server.server.port);
        let filter = [("peer", peer.as_str()), ("direction", "in")];
        wait::until("bytes of the running transfer", wait::WIDE, || {
            let received = agent.scrape().ok()?.sum("http_client_bytes_total", &filter);
            (20_000_000..50_000_000).contains(&received).then_some(())
        })?;
        client.discard(30_000_000)?;
        calls::exactly(lab, &agent, &peer, &Calls::of_status("GET 200", 1, client.sent, client.received))?;
        Ok(())
    });
}
