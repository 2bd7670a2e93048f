//! Peers that break the rules: nothing is guessed, nothing stops, and no memory of others gets out.

use anyhow::{Result, ensure};
use hippius_tests::agent::Agent;
use hippius_tests::clients::raw::{Raw, request};
use hippius_tests::config::Config;
use hippius_tests::expect::{self, Expected};
use hippius_tests::lab::{self, Lab};
use hippius_tests::servers::asgi::{self, Loop};
use hippius_tests::servers::scripted::{Scripted, Step};
use hippius_tests::servers::syscall::Syscall;
use hippius_tests::wire::{self, ok};

/// A service that gets a strange connection still counts the next, ordinary one.
fn ordinary_after(lab: &Lab, agent: &Agent, name: &str, port: u16) -> Result<()> {
    let mut raw = Raw::connect(([127, 0, 0, 1], port).into())?;
    raw.send(request("GET", "/10", &[]))?;
    raw.read_response()?;
    expect::counted(lab, agent, name, &Expected::requests(1).statuses(&[("200", 1)]))?;
    Ok(())
}

#[test]
fn final_answer_instead_of_100_then_the_next_request_where_a_body_was_announced() {
    let steps = vec![
        Step::ReadHead,
        Step::write("HTTP/1.1 404 Not Found\r\nContent-Length: 2\r\n\r\nno"),
        // The client keeps its body to itself and asks for something else on the same connection.
        Step::ReadHead,
        Step::Write(ok("yes")),
        Step::ReadToEnd,
    ];
    let client = |raw: &mut Raw| {
        raw.send(request("PUT", "/a", &["Content-Length: 5000", "Expect: 100-continue"]))?;
        raw.read_response()?;
        raw.send(request("GET", "/b", &[]))?;
        raw.read_response().map(drop)
    };
    wire::exactly("early-404", steps, client, Expected::requests(2).bodies(0, 5).statuses(&[("200", 1), ("404", 1)]));
}

/// uvicorn takes the next request for the missing body: the client never gets an answer to it, and gives up.
#[test]
fn uvicorn_that_swallows_the_next_request_is_counted_as_it_was() {
    lab::with_agent("early-403-uvicorn", |lab| {
        let app = asgi::uvicorn(&lab.workdir, Loop::Uvloop)?;
        let agent = lab.agent(&Config::new().service("app", app.server.port))?;
        let mut raw = Raw::connect(app.server.address())?;
        raw.send(request("PUT", "/early/403", &["Content-Length: 100000", "Expect: 100-continue"]))?;
        raw.read_response()?;
        raw.send(request("GET", "/bytes/10", &[]))?;
        raw.half_close()?;
        raw.read_to_end()?;
        drop(raw);
        let metrics = lab.settle(&agent, |metrics| metrics.sum("http_requests_total", &[("service", "app")]) >= 1)?;
        let statuses = metrics.by("http_requests_total", &[("service", "app")], "status_code");
        ensure!(statuses.get("403") == Some(&1), "one 403 expected, found {statuses:?}");
        ensure!(!statuses.contains_key("200"), "a 200 that nobody sent: {statuses:?}");
        let mut next = Raw::connect(app.server.address())?;
        next.send(request("GET", "/bytes/10", &[]))?;
        next.read_response()?;
        let ok = |metrics: &hippius_tests::metrics::Metrics| {
            metrics.sum("http_requests_total", &[("service", "app"), ("status_code", "200")])
        };
        let metrics = lab.settle(&agent, |metrics| ok(metrics) == 1)?;
        ensure!(ok(&metrics) == 1, "requests with 200: expected 1, found {}", ok(&metrics));
        Ok(())
    });
}

#[test]
fn continue_in_mid_body_is_no_answer() {
    let steps = vec![
        Step::ReadHead,
        Step::Read(40_000),
        Step::write("HTTP/1.1 100 Continue\r\n\r\n"),
        Step::Read(60_000),
        Step::Write(ok("stored")),
        Step::ReadToEnd,
    ];
    let client = |raw: &mut Raw| {
        raw.send(request("PUT", "/a", &["Content-Length: 100000", "Expect: 100-continue"]))?;
        raw.send(vec![b'x'; 40_000])?;
        raw.read_head()?;
        raw.send(vec![b'x'; 60_000])?;
        raw.read_response().map(drop)
    };
    wire::exactly("late-continue", steps, client, Expected::requests(1).bodies(100_000, 6).statuses(&[("200", 1)]));
}

#[test]
fn garbage_is_not_a_request_and_does_not_stop_the_service() {
    let garbage: Vec<u8> = (0..50_000u32).map(|number| (number.wrapping_mul(2_654_435_761) >> 13) as u8).collect();
    strange("garbage", garbage);
}

#[test]
fn tls_hello_on_a_plain_port_is_ignored() {
    let mut hello = vec![0x16, 0x03, 0x01, 0x02, 0x00, 0x01, 0x00, 0x01, 0xfc, 0x03, 0x03];
    hello.extend([0xabu8; 506]);
    strange("tls-hello", hello);
}

#[test]
fn head_without_an_end_is_bounded() {
    let endless = format!("GET /a HTTP/1.1\r\n{}", "X-Endless: 1\r\n".repeat(100_000));
    strange("endless-head", endless.into_bytes());
}

fn strange(name: &str, bytes: Vec<u8>) {
    lab::with_agent(name, |lab| {
        let server = Syscall::start(&lab.workdir, "recv-send")?;
        let agent = lab.agent(&Config::new().service(name, server.server.port))?;
        let before = agent.memory_bytes()?.0;
        let mut raw = Raw::connect(server.server.address())?;
        raw.send_until_refused(&bytes);
        let _ = raw.half_close();
        let _ = raw.read_to_end();
        drop(raw);
        ordinary_after(lab, &agent, name, server.server.port)?;
        let after = agent.memory_bytes()?.0;
        ensure!(after < before + (16 << 20), "memory grew from {before} to {after} bytes");
        Ok(())
    });
}

/// While io_uring receives, the task sleeps in `read` on a pipe, and that call's buffer holds another request.
#[test]
fn memory_of_an_unrelated_call_is_never_published() {
    lab::with_agent("memory-proof", |lab| {
        let server = Syscall::start(&lab.workdir, "io-uring-behind-pipe")?;
        let config =
            Config::new().log("trace").service_with("proof", &[server.server.port], "http", "behind_gateway = true");
        let agent = lab.agent(&config)?;
        let mut raw = Raw::connect(server.server.address())?;
        for _ in 0..200 {
            // The server must wait in the pipe before the request comes.
            raw.pause(std::time::Duration::from_millis(1));
            raw.send(request("GET", "/100", &[]))?;
            raw.read_response()?;
        }
        let moved = raw.sent + raw.received;
        drop(raw);
        server.log(1)?;
        let metrics = expect::all_bytes(lab, &agent, "proof", moved)?;
        let accounts = metrics.by("http_requests_total", &[("service", "proof")], "main_account");
        ensure!(!accounts.contains_key("MARKER"), "attributed by unrelated memory: {accounts:?}");
        for page in ["/metrics", "/"] {
            ensure!(!agent.get(page)?.1.contains("MARKER"), "unrelated memory on {page}");
        }
        ensure!(!agent.log().contains("MARKER"), "unrelated memory in the log");
        Ok(())
    });
}

#[test]
fn connection_that_starts_with_nothing_known_costs_no_later_one() {
    lab::with_agent("unknown-first", |lab| {
        let steps = vec![Step::Read(5), Step::write("hello"), Step::ReadToEnd];
        let server = Scripted::start(steps)?;
        let agent = lab.agent(&Config::new().service("wire", server.port()))?;
        let mut raw = Raw::connect(server.address)?;
        raw.send("\0\0\0\0\0")?;
        raw.read_exact(5)?;
        drop(raw);
        server.finish()?;
        expect::all_bytes(lab, &agent, "wire", 10)?;
        Ok(())
    });
}
