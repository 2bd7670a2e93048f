//! The server over real connections, with curl as the client.

mod export_support;

use std::io::{Read, Write};
use std::net::TcpStream;
use std::sync::Arc;
use std::time::{Duration, Instant};

use export_support::{Running, curl, fill, folder, recorder};
use hippius_agent::export::server::{Readiness, Server, ServerConfig, ServerError};

/// Free text of a response: status line, fields, body.
fn raw(server: &Running, request: &[u8]) -> String {
    let mut stream = TcpStream::connect(server.address).expect("a connection");
    stream.set_read_timeout(Some(Duration::from_secs(10))).expect("a timeout");
    stream.write_all(request).expect("a request");
    let mut response = Vec::new();
    let _ = stream.read_to_end(&mut response);
    String::from_utf8_lossy(&response).into_owned()
}

#[test]
fn every_page_answers_as_it_should() {
    let mut recorder = recorder();
    fill(&mut recorder, 3);
    let server = Running::start(ServerConfig::default(), &recorder);
    let url = |path: &str| format!("http://{}{path}", server.address);

    let metrics = curl(&["-i", &url("/metrics")]);
    assert!(metrics.starts_with("HTTP/1.1 200"), "{metrics}");
    assert!(metrics.contains("content-type: text/plain; version=0.0.4; charset=utf-8"), "{metrics}");
    assert!(metrics.contains("content-length: "), "a short page is sent whole");
    assert!(metrics.contains("\nhttp_requests_total{main_account=\"5F1\""), "{metrics}");
    let asked = curl(&["-i", "-H", "Accept: application/openmetrics-text; version=1.0.0", &url("/metrics")]);
    assert!(asked.contains("content-type: application/openmetrics-text; version=1.0.0; charset=utf-8"), "{asked}");
    assert!(asked.ends_with("# EOF\n"));

    assert!(curl(&[&url("/pages")]).contains("\n/metrics "));
    let page = curl(&["-i", &url("/")]);
    assert!(page.contains("content-security-policy: default-src 'none'; script-src 'self';"), "{page}");
    assert!(curl(&[&url("/api/v1/overview")]).starts_with("{\"version\":1,"));
    assert!(curl(&["-i", &url("/api/v1/table?by=x")]).starts_with("HTTP/1.1 400"));
    assert_eq!(curl(&[&url("/healthz")]), "ok\n");
    assert!(curl(&["-i", &url("/readyz")]).starts_with("HTTP/1.1 503"));
    server.readiness.set(true);
    assert_eq!(curl(&[&url("/readyz")]), "ready\n");

    assert!(curl(&["-i", &url("/no")]).starts_with("HTTP/1.1 404"));
    let post = curl(&["-i", "-X", "POST", "-d", "x", &url("/metrics")]);
    assert!(post.starts_with("HTTP/1.1 405") && post.contains("allow: GET, HEAD"), "{post}");
    let head = curl(&["-I", &url("/metrics")]);
    assert!(head.starts_with("HTTP/1.1 200") && head.contains("text/plain; version=0.0.4"), "{head}");
    let head = raw(&server, b"HEAD /healthz HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
    assert!(head.ends_with("\r\n\r\n") && head.contains("content-length: 3"), "{head}");
}

#[test]
fn heads_are_bounded() {
    let server = Running::start(ServerConfig::default(), &recorder());
    let long = format!("GET / HTTP/1.1\r\nHost: x\r\nA: {}\r\n\r\n", "a".repeat(40_000));
    assert!(raw(&server, long.as_bytes()).starts_with("HTTP/1.1 431"));
    let many = format!("GET / HTTP/1.1\r\nHost: x\r\n{}\r\n", "a: b\r\n".repeat(500));
    assert!(raw(&server, many.as_bytes()).starts_with("HTTP/1.1 431"));
    assert!(raw(&server, b"\x16\x03\x01 not http\r\n\r\n").starts_with("HTTP/1.1 400"));
}

#[test]
fn a_long_page_is_streamed_and_compressed_only_for_those_who_gain() {
    let mut recorder = recorder();
    fill(&mut recorder, 2000);
    let folder = folder("gzip");
    for (gzip_loopback, expected) in [(false, None), (true, Some("content-encoding: gzip"))] {
        let server = Running::start(ServerConfig { gzip_loopback, ..ServerConfig::default() }, &recorder);
        let url = format!("http://{}/metrics", server.address);
        let body = folder.join("body");
        let fields = curl(&["-D", "-", "-o", &body.display().to_string(), "--compressed", &url]);
        assert_eq!(fields.contains("content-encoding"), expected.is_some(), "{fields}");
        let page = std::fs::read_to_string(&body).expect("a page");
        assert!(page.len() > 1_000_000 && page.ends_with('\n'));
        assert_eq!(page.lines().filter(|line| line.starts_with("http_requests_total{")).count(), 2000);
        assert!(!curl(&["-D", "-", "-o", "/dev/null", &url]).contains("content-encoding"), "nobody asked");
    }
    std::fs::remove_dir_all(folder).expect("the folder");
}

#[test]
fn clients_that_do_not_read_or_do_not_write_are_cut_off() {
    let mut recorder = recorder();
    fill(&mut recorder, 4000);
    let short = Duration::from_millis(200);
    let config = ServerConfig { max_scrapes: 1, write_timeout: short, head_timeout: short, ..ServerConfig::default() };
    let server = Running::start(config, &recorder);
    let url = format!("http://{}/metrics", server.address);

    let mut deaf = TcpStream::connect(server.address).expect("a connection");
    deaf.write_all(b"GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n").expect("a request");
    let deadline = Instant::now() + Duration::from_secs(10);
    while !curl(&["-i", "-m", "5", &url]).starts_with("HTTP/1.1 503") {
        assert!(Instant::now() < deadline, "the only scrape is the deaf client's");
    }
    while !curl(&["-i", "-m", "5", &url]).starts_with("HTTP/1.1 200") {
        assert!(Instant::now() < deadline, "the deaf client is cut off");
    }
    drop(deaf);

    let slow = raw(&server, b"GET /metrics HT");
    assert!(slow.is_empty() || slow.starts_with("HTTP/1.1 408"), "{slow}");
}

#[test]
fn the_end_comes_within_two_seconds_whatever_the_clients_do() {
    let mut recorder = recorder();
    fill(&mut recorder, 4000);
    let server = Running::start(ServerConfig::default(), &recorder);
    let _idle = TcpStream::connect(server.address).expect("a connection");
    let mut deaf = TcpStream::connect(server.address).expect("a connection");
    deaf.write_all(b"GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n").expect("a request");
    let mut first = [0; 1];
    deaf.read_exact(&mut first).expect("the response began");
    let start = Instant::now();
    let address = server.address;
    server.stop();
    assert!(start.elapsed() < Duration::from_secs(2), "{:?}", start.elapsed());
    assert!(TcpStream::connect(address).is_err(), "the port is free");
}

#[test]
fn a_taken_port_is_an_error_that_says_what_to_do() {
    let recorder = recorder();
    let server = Running::start(ServerConfig::default(), &recorder);
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    let config = ServerConfig { listen: server.address, ..ServerConfig::default() };
    let second = runtime.block_on(Server::bind(
        config,
        export_support::exposition(&recorder),
        Arc::default(),
        Readiness::default(),
    ));
    let error = second.expect_err("the port is taken");
    assert!(matches!(error, ServerError::InUse(_)));
    let text = error.to_string();
    let port = server.address.port();
    assert!(
        text.contains("another program listens there") && text.contains(&format!("ss -ltnp 'sport = :{port}'")),
        "{text}"
    );
}
