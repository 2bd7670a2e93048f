//! MPTCP at both ends of a connection, and at one of them, where it falls back to TCP.
//!
//! Where the kernel has no MPTCP, `cargo xtask vmtest` leaves these out, so that they are not in the list of what passed.

use std::io;
use std::net::{Ipv4Addr, TcpListener, TcpStream};

use anyhow::{Context, Result, ensure};
use hippius_tests::agent::Agent;
use hippius_tests::clients::raw::{Raw, request};
use hippius_tests::config::Config;
use hippius_tests::expect::{self, Expected};
use hippius_tests::lab::{self, Lab};
use hippius_tests::metrics::Metrics;
use hippius_tests::servers::scripted::{Scripted, Step};
use hippius_tests::wire::{chunked, ok};
use hippius_tests::{ports, sockets};

use super::on_backend;

/// Who speaks MPTCP.
#[derive(Clone, Copy)]
struct Case {
    name: &'static str,
    server: bool,
    client: bool,
}

const CASES: [Case; 3] = [
    Case { name: "both", server: true, client: true },
    Case { name: "server", server: true, client: false },
    Case { name: "client", server: false, client: true },
];

#[test]
fn at_both_ends_and_at_one() {
    on_mptcp("mptcp", |lab| {
        let listen = |case: Case| -> Result<_> {
            let port = ports::free();
            let plain = || TcpListener::bind((Ipv4Addr::LOCALHOST, port));
            Ok((case, port, if case.server { sockets::mptcp_listen(port) } else { plain() }?))
        };
        let servers = CASES.map(listen).into_iter().collect::<Result<Vec<_>>>()?;
        let config = servers.iter().fold(Config::new(), |config, (case, port, _)| config.service(case.name, *port));
        let agent = lab.agent(&config)?;
        for (case, port, listener) in servers {
            exchanges(lab, &agent, case, port, listener).context(case.name)?;
        }
        Ok(())
    });
}

fn on_mptcp(name: &str, test: impl FnOnce(&Lab) -> Result<()>) {
    on_backend(name, |lab| {
        if sockets::has_mptcp() {
            return test(lab);
        }
        lab::note_skip(name, "the kernel has no MPTCP, or it is switched off");
        Ok(())
    });
}

/// Bodies of each framing both ways, and sixteen requests in one call.
fn exchanges(lab: &Lab, agent: &Agent, case: Case, port: u16, listener: TcpListener) -> Result<()> {
    let upload = chunked(&["hello ", "multipath ", &"u".repeat(30_000)]);
    let answer = chunked(&["ab", &"c".repeat(70_000), &"d".repeat(16), "e"]);
    let head = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n".to_owned();
    let mut steps = vec![Step::ReadHead, Step::Read(300_000), Step::write(ok("first"))];
    steps.extend([Step::ReadHead, Step::Read(upload.len()), Step::WriteCut((head + &answer).into(), 3501)]);
    steps.extend(vec![Step::ReadHead; 16]);
    steps.extend([Step::write(ok("each").repeat(16)), Step::ReadToEnd]);
    let server = Scripted::start_with(port, steps, move || {
        let stream = listener.accept()?.0;
        let found = sockets::is_mptcp(&stream)?;
        let as_meant = found == (case.server && case.client);
        if as_meant { Ok(stream) } else { Err(io::Error::other(format!("MPTCP: {found}"))) }
    });
    let plain = || TcpStream::connect((Ipv4Addr::LOCALHOST, port));
    let mut raw = Raw::over(if case.client { sockets::mptcp_connect(port) } else { plain() }?)?;
    raw.send(request("PUT", "/a", &["Content-Length: 300000"]) + &"p".repeat(300_000))?;
    raw.read_response()?;
    raw.send(request("PUT", "/b", &["Transfer-Encoding: chunked"]) + &upload)?;
    raw.read_response()?;
    raw.send(request("GET", "/c", &[]).repeat(16))?;
    for _ in 0..16 {
        raw.read_response()?;
    }
    let (sent, received) = (raw.sent, raw.received);
    drop(raw);
    let moved = server.finish()?;
    ensure!(
        (moved.received, moved.sent) == (sent, received),
        "the ends' own counts differ: {moved:?}, {sent} {received}"
    );
    let bodies = (330_016, 5 + 70_019 + 16 * 4);
    let expected =
        Expected::requests(18).bodies(bodies.0, bodies.1).outcomes(&[("complete", 18)]).bytes(sent, received);
    let metrics = expect::exactly(lab, agent, case.name, &expected)?;
    let lost = Metrics::sum(&metrics, "hippius_agent_events_lost_total", &[]);
    let differs = metrics.sum("hippius_agent_audit_difference_bytes_total", &[]);
    ensure!(lost == 0 && differs == 0, "lost {lost}, differs by {differs}");
    Ok(())
}

/// A connection that ends in the middle of an exchange: what the server does, what the client does, and what comes of it.
struct Broken {
    name: &'static str,
    steps: Vec<Step>,
    client: fn(&mut Raw) -> Result<()>,
    outcome: &'static str,
}

fn head_of_download(raw: &mut Raw) -> Result<()> {
    raw.send(request("GET", "/a", &[]))?;
    raw.read_head().map(drop)
}

fn broken() -> [Broken; 3] {
    let head = Step::write("HTTP/1.1 200 OK\r\nContent-Length: 9000000\r\n\r\n");
    [
        Broken {
            name: "upload",
            steps: vec![Step::ReadHead, Step::ReadToEnd],
            client: |raw| raw.send(request("PUT", "/a", &["Content-Length: 9000"]) + &"p".repeat(4000)),
            outcome: "client_abort",
        },
        // The call that sends the rest is under way when the client goes. With bytes left unread the client resets the
        // connection; else the server would wait for a minute.
        Broken {
            name: "download",
            steps: vec![Step::ReadHead, head.clone(), Step::WriteRefused(9_000_000)],
            client: |raw| {
                head_of_download(raw)?;
                raw.read_exact(200_000)?;
                raw.leave_unread()
            },
            outcome: "client_abort",
        },
        Broken {
            name: "reset",
            steps: vec![Step::ReadHead, head, Step::write("r".repeat(1000)), Step::Reset],
            client: |raw| {
                head_of_download(raw)?;
                raw.read_to_end().map(drop)
            },
            outcome: "server_abort",
        },
    ]
}

#[test]
fn broken_off_at_either_end() {
    on_mptcp("mptcp-broken", |lab| {
        let cases = broken().map(|case| (case, ports::free()));
        let config = cases.iter().fold(Config::new(), |config, (case, port)| config.service(case.name, *port));
        let agent = lab.agent(&config)?;
        for (case, port) in cases {
            let listener = sockets::mptcp_listen(port)?;
            let server = Scripted::start_with(port, case.steps, move || Ok(listener.accept()?.0));
            let mut raw = Raw::over(sockets::mptcp_connect(port)?)?;
            (case.client)(&mut raw).context(case.name)?;
            drop(raw);
            let moved = server.finish().context(case.name)?;
            let expected = Expected::requests(1).outcomes(&[(case.outcome, 1)]).bytes(moved.received, moved.sent);
            expect::exactly(lab, &agent, case.name, &expected)?;
        }
        Ok(())
    });
}
