//! Services on Unix sockets, and IPv4 on an IPv6 socket. Few tests of many connections: the agent's start is what takes
//! long in an emulator.

use std::net::{Ipv4Addr, Ipv6Addr};
use std::path::Path;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use hippius_tests::clients::curl::curl;
use hippius_tests::clients::raw::{Raw, request};
use hippius_tests::config::Config;
use hippius_tests::expect::{self, Expected};
use hippius_tests::ports;
use hippius_tests::servers::nginx::{Nginx, Options};
use hippius_tests::servers::redis::Redis;
use hippius_tests::servers::scripted::{Scripted, Step};
use hippius_tests::wire::{chunked, ok};

use super::on_backend;

/// Found without a configuration. Connections that were open before the agent count from their next request, also one in the
/// middle of an upload; a service that speaks something else is left alone.
#[test]
fn unix_sockets_like_ports() {
    on_backend("unix", |lab| {
        let (path, other) = (lab.workdir.join("nginx.sock"), lab.workdir.join("redis.sock"));
        let nginx = Nginx::start_with(&lab.workdir, Options { unix: true, ..Options::default() })?;
        let _redis = Redis::start_on(ports::free(), &lab.workdir, &["--unixsocket", &other.display().to_string()])?;
        let (mut idle, mut uploading) = (Raw::connect_unix(&path)?, Raw::connect_unix(&path)?);
        idle.send(request("GET", "/k1", &[]))?;
        idle.read_response()?;
        uploading.send(request("PUT", "/dav/up", &["Content-Length: 200000"]) + &"p".repeat(50_000))?;
        let agent = lab.agent(&Config::new())?;
        for part in [50_000, 100_000] {
            uploading.send("p".repeat(part))?;
        }
        uploading.read_response()?;
        let before = (idle.sent + uploading.sent, idle.received + uploading.received);
        let mut redis = Raw::connect_unix(&other)?;
        for _ in 0..50 {
            redis.send("*3\r\n$3\r\nSET\r\n$1\r\nk\r\n$1\r\nv\r\n")?;
            ensure!(redis.read_exact(5)? == b"+OK\r\n");
        }
        let (mut sent, mut received) = (0, 0);
        for mut raw in [idle, uploading] {
            raw.send(request("GET", "/k1", &[]))?;
            raw.read_response()?;
            (sent, received) = (sent + raw.sent, received + raw.received);
        }
        let more = drive(&path)?;
        let all = (sent + more.0, received + more.1);
        let lines = nginx.log(94)?;
        let logged = lines.iter().fold((0, 0), |sum, line| (sum.0 + line.request_length, sum.1 + line.bytes_sent));
        ensure!(logged == all, "the rig's own counts differ: nginx {logged:?}, clients {all:?}");
        let expected = Expected::requests(92).bytes(all.0 - before.0, all.1 - before.1).outcomes(&[("complete", 92)]);
        let metrics = expect::exactly(lab, &agent, &format!("nginx:{}", path.display()), &expected)?;
        let services = metrics.by("http_requests_total", &[], "service");
        ensure!(!services.keys().any(|name| name.ends_with("redis.sock")), "Redis is no HTTP service: {services:?}");
        Ok(())
    });
}

/// 90 requests of many kinds; the bytes sent and received.
fn drive(path: &Path) -> Result<(u64, u64)> {
    let (mut sent, mut received) = (0, 0);
    let mut moved = |raw: &Raw| (sent, received) = (sent + raw.sent, received + raw.received);
    let mut raw = Raw::connect_unix(path)?;
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
    raw.send(request("PUT", "/dav/more", &["Content-Length: 300000"]) + &"p".repeat(300_000))?;
    raw.read_response()?;
    moved(&raw);
    for _ in 0..20 {
        let mut raw = Raw::connect_unix(path)?;
        raw.send(request("GET", "/close/", &[]))?;
        raw.read_to_end()?;
        moved(&raw);
    }
    let answer = curl(&["--unix-socket", &path.display().to_string(), "http://x/k1"])?;
    Ok((sent + answer.head_sent, received + answer.head_received + answer.body_received))
}

/// A script for one connection, its client, and what must be counted besides all bytes.
struct Case {
    name: &'static str,
    steps: Vec<Step>,
    client: fn(Raw) -> Result<()>,
    expected: Expected,
}

const UPLOAD: [&str; 2] = ["hello ", "unix"];

fn cases() -> Vec<Case> {
    let get = |steps: Vec<Step>| [vec![Step::ReadHead], steps].concat();
    let one = |outcome| Expected::requests(1).outcomes(&[(outcome, 1)]);
    let chunks = chunked(&["ab", &"c".repeat(9000)]);
    let chunks = format!("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n{chunks}");
    let sized = |size: u32| Step::write(format!("HTTP/1.1 200 OK\r\nContent-Length: {size}\r\n\r\n"));
    vec![
        Case {
            name: "byte-by-byte",
            steps: get(vec![
                Step::write("HTTP/1.1 100 Continue\r\n\r\n"),
                Step::Read(chunked(&UPLOAD).len()),
                Step::WriteCut(chunks.into_bytes(), 701),
                Step::ReadToEnd,
            ]),
            client: |mut raw| {
                let head = request("PUT", "/a", &["Transfer-Encoding: chunked", "Expect: 100-continue"]);
                raw.send_cut(head.as_bytes(), 1)?;
                raw.read_head()?;
                raw.send(chunked(&UPLOAD))?;
                raw.read_response().map(drop)
            },
            expected: one("complete").bodies(10, 9002),
        },
        // The response ends where the server closes, which no call of the server's tells.
        Case {
            name: "until-close",
            steps: get([vec![Step::write("HTTP/1.0 200 OK\r\n\r\n")], vec![Step::write("z".repeat(5000)); 20]].concat()),
            client: |mut raw| {
                raw.send(request("GET", "/", &[]))?;
                ensure!(raw.read_response()?.1.len() == 100_000);
                Ok(())
            },
            expected: one("complete").bodies(0, 100_000),
        },
        Case {
            name: "broken-upload",
            steps: get(vec![Step::ReadToEnd]),
            client: |mut raw| raw.send(request("PUT", "/a", &["Content-Length: 9000"]) + &"p".repeat(4000)),
            expected: one("client_abort"),
        },
        // The server's call fails, because nobody is there to take the rest.
        Case {
            name: "broken-download",
            steps: get(vec![sized(9_000_000), Step::WriteRefused(9_000_000)]),
            client: |mut raw| {
                raw.send(request("GET", "/a", &[]))?;
                raw.read_head()?;
                raw.read_exact(200_000).map(drop)
            },
            expected: one("client_abort"),
        },
        // The pause is longer than it takes until what has moved is looked at: tracepoints do not tell the end.
        Case {
            name: "left-by-server",
            steps: get(vec![sized(9000), Step::write("z".repeat(1000)), Step::Pause(Duration::from_secs(1))]),
            client: |mut raw| {
                raw.send(request("GET", "/a", &[]))?;
                raw.read_head()?;
                raw.read_to_end().map(drop)
            },
            expected: one("server_abort"),
        },
    ]
}

#[test]
fn unix_sockets_in_any_segmentation_and_to_any_end() {
    on_backend("unix-scripts", |lab| {
        let path = |case: &Case| lab.workdir.join(format!("{}.sock", case.name));
        let cases = cases();
        let service = |config: Config, case: &Case| config.unix_service(case.name, &path(case));
        let agent = lab.agent(&cases.iter().fold(Config::new(), service))?;
        for case in cases {
            let server = Scripted::start_unix(&path(&case), case.steps.clone())?;
            (case.client)(Raw::connect_unix(&path(&case))?).context(case.name)?;
            let counts = server.finish().context(case.name)?;
            expect::exactly(lab, &agent, case.name, &case.expected.bytes(counts.received, counts.sent))?;
        }
        Ok(())
    });
}

#[test]
fn ipv4_on_an_ipv6_socket() {
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
        expect::exactly(lab, &agent, "mapped", &expected).map(drop)
    });
}
