//! Services on Unix sockets, and what else is no plain TCP: MPTCP, IPv4 on an IPv6 socket.

use std::net::{Ipv4Addr, Ipv6Addr};

use anyhow::{Context, Result, ensure};
use hippius_tests::agent::Agent;
use hippius_tests::clients::curl::curl;
use hippius_tests::clients::raw::{Raw, request};
use hippius_tests::config::Config;
use hippius_tests::expect::{self, Expected};
use hippius_tests::lab::Lab;
use hippius_tests::servers::nginx::{Nginx, Options};
use hippius_tests::servers::redis::Redis;
use hippius_tests::servers::scripted::{Scripted, Step};
use hippius_tests::watched::all_agree;
use hippius_tests::wire::{chunked, ok};
use hippius_tests::{ports, sockets};

use super::on_backend;

const SERVICE: &str = "unix";

fn with_nginx(name: &str, test: impl FnOnce(&Lab, &Nginx, &Agent) -> Result<()>) {
    on_backend(name, |lab| {
        let nginx = Nginx::start_with(&lab.workdir, Options { unix: true, ..Options::default() })?;
        let agent = lab.agent(&Config::new().unix_service("nginx", &lab.workdir.join("nginx.sock")))?;
        test(lab, &nginx, &agent)
    });
}

/// A script on a Unix socket; what the server's calls moved must be what the agent counts.
fn with_script(name: &str, steps: Vec<Step>, client: impl FnOnce(Raw) -> Result<()>, expected: Expected) {
    on_backend(name, |lab| {
        let path = lab.workdir.join("script.sock");
        let server = Scripted::start_unix(&path, steps)?;
        let agent = lab.agent(&Config::new().unix_service(SERVICE, &path))?;
        client(Raw::connect_unix(&path)?)?;
        let counts = server.finish()?;
        expect::exactly(lab, &agent, SERVICE, &expected.bytes(counts.received, counts.sent))?;
        Ok(())
    });
}

#[test]
fn a_unix_socket_like_a_port() {
    with_nginx("unix", |lab, nginx, agent| {
        let path = lab.workdir.join("nginx.sock");
        let (mut sent, mut received) = (0, 0);
        let mut moved = |raw: &Raw| (sent, received) = (sent + raw.sent, received + raw.received);
        let mut raw = Raw::connect_unix(&path)?;
        for _ in 0..50 {
            raw.send(request("GET", "/k1", &[]))?;
            raw.read_response()?;
        }
        raw.send(request("GET", "/k1", &[]).repeat(16))?;
        for _ in 0..16 {
            raw.read_response()?;
        }
        for file in ["/files/1048576", "/chunked/65536"] {
            raw.send(request("GET", file, &[]))?;
            raw.read_response()?;
        }
        raw.send(request("PUT", "/dav/up", &["Content-Length: 300000"]) + &"p".repeat(300_000))?;
        raw.read_response()?;
        moved(&raw);
        for _ in 0..20 {
            let mut raw = Raw::connect_unix(&path)?;
            raw.send(request("GET", "/close/", &[]))?;
            raw.read_to_end()?;
            moved(&raw);
        }
        let socket = path.display().to_string();
        let answer = curl(&["--unix-socket", &socket, "http://x/k1"])?;
        let (sent, received) = (sent + answer.head_sent, received + answer.head_received + answer.body_received);
        let expected = Expected::requests(90).outcomes(&[("complete", 90)]);
        all_agree(lab, nginx, agent, (sent, received), expected)
    });
}

#[test]
fn a_unix_socket_is_found_without_a_configuration() {
    on_backend("unix-found", |lab| {
        let _nginx = Nginx::start_with(&lab.workdir, Options { unix: true, ..Options::default() })?;
        let agent = lab.agent(&Config::new())?;
        let path = lab.workdir.join("nginx.sock");
        let mut raw = Raw::connect_unix(&path)?;
        raw.send(request("GET", "/k1", &[]))?;
        raw.read_response()?;
        let expected = Expected::requests(1).bytes(raw.sent, raw.received);
        expect::exactly(lab, &agent, &format!("nginx:{}", path.display()), &expected)?;
        Ok(())
    });
}

#[test]
fn a_unix_socket_that_was_open_before_the_agent() {
    on_backend("unix-before", |lab| {
        let nginx = Nginx::start_with(&lab.workdir, Options { unix: true, ..Options::default() })?;
        let path = lab.workdir.join("nginx.sock");
        let (mut idle, mut uploading) = (Raw::connect_unix(&path)?, Raw::connect_unix(&path)?);
        idle.send(request("GET", "/k1", &[]))?;
        idle.read_response()?;
        uploading.send(request("PUT", "/dav/up", &["Content-Length: 200000"]) + &"p".repeat(50_000))?;
        let agent = lab.agent(&Config::new().unix_service(SERVICE, &path))?;
        let before = (idle.sent, idle.received);
        for part in [50_000, 100_000] {
            uploading.send("p".repeat(part))?;
        }
        uploading.read_response()?;
        let before = (before.0 + uploading.sent, before.1 + uploading.received);
        for raw in [&mut idle, &mut uploading] {
            raw.send(request("GET", "/k1", &[]))?;
            raw.read_response()?;
        }
        let (sent, received) = (idle.sent + uploading.sent, idle.received + uploading.received);
        nginx.log(4)?;
        let expected = Expected::requests(2).bytes(sent - before.0, received - before.1);
        expect::exactly(lab, &agent, SERVICE, &expected)?;
        Ok(())
    });
}

#[test]
fn a_unix_socket_byte_by_byte_and_chunked() {
    let body = chunked(&["hello ", "unix"]);
    let head = request("PUT", "/a", &["Transfer-Encoding: chunked", "Expect: 100-continue"]);
    let answer =
        format!("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n{}", chunked(&["ab", &"c".repeat(9000)]));
    let steps = vec![
        Step::ReadHead,
        Step::write("HTTP/1.1 100 Continue\r\n\r\n"),
        Step::Read(body.len()),
        Step::WriteCut(answer.into_bytes(), 701),
        Step::ReadToEnd,
    ];
    let client = move |mut raw: Raw| {
        raw.send_cut(head.as_bytes(), 1)?;
        raw.read_head()?;
        raw.send(body)?;
        raw.read_response().map(drop)
    };
    let expected = Expected::requests(1).bodies(10, 9002).outcomes(&[("complete", 1)]);
    with_script("unix-cut", steps, client, expected);
}

/// The response ends where the server closes, which no call of the server's tells.
#[test]
fn a_unix_socket_whose_response_ends_with_it() {
    let pieces = (0..20).map(|_| Step::write("z".repeat(5000)));
    let steps = [Step::ReadHead, Step::write("HTTP/1.0 200 OK\r\n\r\n")].into_iter().chain(pieces).collect();
    let client = |mut raw: Raw| {
        raw.send(request("GET", "/", &[]))?;
        ensure!(raw.read_response()?.1.len() == 100_000);
        Ok(())
    };
    let expected = Expected::requests(1).bodies(0, 100_000).outcomes(&[("complete", 1)]);
    with_script("unix-end", steps, client, expected);
}

#[test]
fn uploads_over_a_unix_socket_that_the_client_breaks_off() {
    let steps = vec![Step::ReadHead, Step::ReadToEnd];
    let client = |mut raw: Raw| raw.send(request("PUT", "/a", &["Content-Length: 9000"]) + &"p".repeat(4000));
    with_script("unix-upload", steps, client, Expected::requests(1).outcomes(&[("client_abort", 1)]));
}

/// The server's call fails, because nobody is there to take the rest.
#[test]
fn downloads_over_a_unix_socket_that_the_client_breaks_off() {
    on_backend("unix-download", |lab| {
        let path = lab.workdir.join("script.sock");
        let head = Step::write("HTTP/1.1 200 OK\r\nContent-Length: 9000000\r\n\r\n");
        let server = Scripted::start_unix(&path, vec![Step::ReadHead, head, Step::WriteRefused(9_000_000)])?;
        let agent = lab.agent(&Config::new().unix_service(SERVICE, &path))?;
        let mut raw = Raw::connect_unix(&path)?;
        raw.send(request("GET", "/a", &[]))?;
        raw.read_head()?;
        raw.read_exact(200_000)?;
        drop(raw);
        let counts = server.finish()?;
        let expected = Expected::requests(1).outcomes(&[("client_abort", 1)]).bytes(counts.received, counts.sent);
        expect::exactly(lab, &agent, SERVICE, &expected)?;
        Ok(())
    });
}

/// A server that ends in the middle of its answer.
#[test]
fn a_unix_socket_that_the_server_leaves() {
    let steps = vec![
        Step::ReadHead,
        Step::write("HTTP/1.1 200 OK\r\nContent-Length: 9000\r\n\r\n"),
        Step::write("z".repeat(1000)),
        // Longer than it takes until what has moved is looked at: tracepoints do not tell the end.
        Step::Pause(std::time::Duration::from_millis(700)),
    ];
    let client = |mut raw: Raw| {
        raw.send(request("GET", "/a", &[]))?;
        raw.read_head()?;
        raw.read_to_end().map(drop)
    };
    with_script("unix-left", steps, client, Expected::requests(1).outcomes(&[("server_abort", 1)]));
}

#[test]
fn other_unix_services_are_left_alone() {
    on_backend("unix-redis", |lab| {
        let path = lab.workdir.join("redis.sock");
        let socket = path.display().to_string();
        let _redis = Redis::start_on(ports::free(), &lab.workdir, &["--unixsocket", &socket])?;
        let agent = lab.agent(&Config::new())?;
        let mut raw = Raw::connect_unix(&path)?;
        for _ in 0..50 {
            raw.send("*3\r\n$3\r\nSET\r\n$1\r\nk\r\n$1\r\nv\r\n")?;
            ensure!(raw.read_exact(5)? == b"+OK\r\n");
        }
        let metrics = agent.scrape()?;
        ensure!(metrics.sum("http_requests_total", &[]) == 0, "Redis counted as HTTP");
        expect::nothing_lost(&metrics)
    });
}

/// On fentry no hook sees MPTCP: each connection is a known loss. Both ways, one that falls back to TCP is like any other.
#[test]
fn mptcp_is_counted_right_or_as_lost() {
    on_backend("mptcp", |lab| {
        if !sockets::has_mptcp() {
            println!("skipped: this kernel has no MPTCP");
            return Ok(());
        }
        let answers =
            vec![Step::ReadHead, Step::write(ok("first")), Step::ReadHead, Step::write(ok("second")), Step::ReadToEnd];
        let port = ports::free();
        let listener = sockets::mptcp_listen(port)?;
        let agent = lab.agent(&Config::new().service("mptcp", port))?;
        let mut counted = (0, 0, 0);
        let mut lost = 0;
        for is_mptcp in [true, false] {
            let server = Scripted::start_with(port, answers.clone(), {
                let listener = listener.try_clone()?;
                move || Ok(listener.accept()?.0)
            });
            let mut raw = Raw::over(if is_mptcp {
                sockets::mptcp_connect(port)?
            } else {
                std::net::TcpStream::connect((Ipv4Addr::LOCALHOST, port))?
            })?;
            for _ in 0..2 {
                raw.send(request("GET", "/a", &[]))?;
                raw.read_response()?;
            }
            drop(raw);
            let moved = server.finish()?;
            let is_given_messages = agent.scrape()?.sum("hippius_agent_backend_info", &[("backend", "fentry")]) == 1;
            if is_mptcp && is_given_messages {
                lost += 1;
            } else {
                counted = (counted.0 + 2, counted.1 + moved.received, counted.2 + moved.sent);
            }
            let expected = Expected::requests(counted.0).bytes(counted.1, counted.2);
            expect::counted(lab, &agent, "mptcp", &expected).with_context(|| format!("mptcp: {is_mptcp}"))?;
            let reason = [("reason", "mptcp")];
            let metrics =
                lab.settle(&agent, |metrics| metrics.sum("hippius_agent_events_lost_total", &reason) == lost)?;
            let (own, found) =
                (metrics.lines_with("hippius_agent_"), metrics.sum("hippius_agent_events_lost_total", &reason));
            ensure!(found == lost, "lost {found}, expected {lost}\n{own}");
            ensure!(metrics.sum("hippius_agent_audit_difference_bytes_total", &[]) == 0, "{own}");
        }
        Ok(())
    });
}

#[test]
fn an_ipv6_socket_that_takes_ipv4() {
    on_backend("mapped", |lab| {
        let steps = vec![Step::ReadHead, Step::write(ok("mapped")), Step::ReadToEnd];
        let server = Scripted::start_on(Ipv6Addr::UNSPECIFIED.into(), steps)?;
        let agent = lab.agent(&Config::new().service("mapped", server.port()))?;
        let mut raw = Raw::connect((Ipv4Addr::LOCALHOST, server.port()).into())?;
        raw.send(request("GET", "/a", &[]))?;
        raw.read_response()?;
        drop(raw);
        let counts = server.finish()?;
        let expected = Expected::requests(1).bodies(0, 6).bytes(counts.received, counts.sent);
        expect::exactly(lab, &agent, "mapped", &expected)?;
        Ok(())
    });
}
