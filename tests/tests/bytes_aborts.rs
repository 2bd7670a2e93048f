//! Connections that break off: the bytes that moved are counted, and nobody invents a status.

use std::time::Duration;

use anyhow::Result;
use hippius_tests::clients::raw::{Raw, request};
use hippius_tests::config::Config;
use hippius_tests::expect::{self, Expected};
use hippius_tests::lab;
use hippius_tests::servers::scripted::{Scripted, Step};
use hippius_tests::wire::{self, ok};

fn aborted(outcome: &'static str) -> Expected {
    Expected::requests(1).outcomes(&[(outcome, 1)])
}

/// Writes half of a body of 200 000 bytes.
fn half_an_upload(raw: &mut Raw) -> Result<()> {
    raw.send(request("PUT", "/a", &["Content-Length: 200000"]))?;
    raw.send(vec![b'x'; 100_000])
}

#[test]
fn client_resets_in_mid_upload() {
    // The server takes all that was sent before the reset can throw it away.
    let steps = vec![Step::ReadHead, Step::Read(100_000), Step::write("HTTP/1.1 103 Hints\r\n\r\n"), Step::ReadToEnd];
    let client = |mut raw: Raw| {
        half_an_upload(&mut raw)?;
        raw.read_head()?;
        raw.reset()
    };
    wire::run("upload-reset", steps, client, aborted("client_abort"));
}

#[test]
fn client_closes_in_mid_upload() {
    let client = |mut raw: Raw| half_an_upload(&mut raw);
    wire::run("upload-fin", vec![Step::ReadHead, Step::ReadToEnd], client, aborted("client_abort"));
}

#[test]
fn client_that_closes_in_mid_head_leaves_no_byte_unexplained() {
    lab::with_agent("head-fin", |lab| {
        let server = Scripted::start(vec![Step::ReadToEnd])?;
        let agent = lab.agent(&Config::new().service("wire", server.port()))?;
        let mut raw = Raw::connect(server.address)?;
        raw.send("GET /a HTTP/1.1\r\nHost: te")?;
        drop(raw);
        let counts = server.finish()?;
        expect::all_bytes(lab, &agent, "wire", counts.received)?;
        Ok(())
    });
}

#[test]
fn reset_in_the_middle_of_the_send_call_loses_nothing() {
    // The client is gone: its RST arrives while the server's call still holds the socket, and ends the connection before
    // that call has returned.
    let steps = vec![Step::ReadHead, Step::Pause(Duration::from_millis(100)), Step::write(ok("gone")), Step::ReadToEnd];
    let client = |mut raw: Raw| raw.send(request("GET", "/a", &[]));
    let expected = Expected::requests(1).statuses(&[("200", 1)]).outcomes(&[("complete", 1)]);
    wire::run("answer-reset", steps, client, expected);
}

/// Half of what was announced; the client breaks off after it.
fn half_a_download() -> Vec<Step> {
    let half = format!("HTTP/1.1 200 OK\r\nContent-Length: 200000\r\n\r\n{}", "y".repeat(100_000));
    vec![Step::ReadHead, Step::write(half), Step::ReadToEnd]
}

#[test]
fn client_resets_in_mid_download() {
    let client = |mut raw: Raw| {
        raw.send(request("GET", "/a", &[]))?;
        raw.read_head()?;
        raw.discard(100_000)?;
        raw.reset()
    };
    wire::run("download-reset", half_a_download(), client, aborted("client_abort").statuses(&[("200", 1)]));
}

#[test]
fn client_closes_in_mid_download() {
    let client = |mut raw: Raw| {
        raw.send(request("GET", "/a", &[]))?;
        raw.read_head()?;
        raw.discard(100_000)
    };
    wire::run("download-fin", half_a_download(), client, aborted("client_abort").statuses(&[("200", 1)]));
}

#[test]
fn server_closes_in_mid_download() {
    let steps = vec![Step::ReadHead, Step::write("HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\nonly this")];
    let client = |mut raw: Raw| {
        raw.send(request("GET", "/a", &[]))?;
        raw.read_to_end().map(drop)
    };
    wire::run("server-fin", steps, client, aborted("server_abort").statuses(&[("200", 1)]));
}

#[test]
fn server_resets_in_mid_download() {
    let steps = vec![
        Step::ReadHead,
        Step::write("HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\nonly this"),
        Step::Pause(Duration::from_millis(50)),
        Step::Reset,
    ];
    let client = |mut raw: Raw| {
        raw.send(request("GET", "/a", &[]))?;
        raw.read_to_end().map(drop)
    };
    wire::run("server-reset", steps, client, aborted("server_abort"));
}

#[test]
fn server_closes_without_an_answer() {
    let client = |mut raw: Raw| {
        raw.send(request("GET", "/a", &[]))?;
        raw.read_to_end().map(drop)
    };
    wire::run("no-answer", vec![Step::ReadHead], client, aborted("server_abort"));
}

#[test]
fn client_that_half_closes_still_gets_its_answer() {
    let steps = vec![Step::ReadHead, Step::Pause(Duration::from_millis(30)), Step::Write(ok("late")), Step::ReadToEnd];
    let client = |mut raw: Raw| {
        raw.send(request("GET", "/a", &[]))?;
        raw.half_close()?;
        raw.read_response().map(drop)
    };
    wire::run("half-close", steps, client, aborted("complete").bodies(0, 4));
}
