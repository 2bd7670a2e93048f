//! nginx in front of gunicorn over a Unix socket: both hops against what nginx and the app themselves say.

use anyhow::{Context, Result, ensure};
use hippius_tests::agent::Agent;
use hippius_tests::clients::raw::{Raw, request};
use hippius_tests::config::Config;
use hippius_tests::expect::{self, Expected};
use hippius_tests::lab::{self, Lab};
use hippius_tests::servers::asgi::{self, Asgi, Worker};
use hippius_tests::servers::nginx::{Nginx, Options};

fn config(lab: &Lab, nginx: &Nginx) -> Config {
    Config::new().service("nginx", nginx.server.port).unix_service("gunicorn", &lab.workdir.join("app.sock"))
}

fn with_both(name: &str, worker: Worker, test: impl Fn(&Lab, &Nginx, &Asgi, &Agent) -> Result<()>) {
    lab::with_agent(name, |lab| {
        let app = asgi::gunicorn_unix(&lab.workdir, worker, &lab.workdir.join("app.sock"))?;
        let nginx = Nginx::start_with(&lab.workdir, Options { upstream: true, ..Options::default() })?;
        let agent = lab.agent(&config(lab, &nginx))?;
        test(lab, &nginx, &app, &agent)
    });
}

/// Drives `rounds` of four requests through the proxy; what the client sent and received.
fn drive(nginx: &Nginx, rounds: usize) -> Result<(u64, u64)> {
    let (mut sent, mut received) = (0, 0);
    for _ in 0..rounds {
        let mut raw = Raw::connect(nginx.server.address())?;
        for path in ["/app/bytes/10", "/app/bytes/200000", "/app/status/404"] {
            raw.send(request("GET", path, &[]))?;
            raw.read_response()?;
        }
        raw.send(request("PUT", "/app/up", &["Content-Length: 70000"]) + &"p".repeat(70_000))?;
        raw.read_response()?;
        (sent, received) = (sent + raw.sent, received + raw.received);
    }
    Ok((sent, received))
}

fn both_hops(lab: &Lab, nginx: &Nginx, app: &Asgi, agent: &Agent, rounds: usize) -> Result<()> {
    let (sent, received) = drive(nginx, rounds)?;
    let count = rounds as u64;
    let lines = app.log(4 * rounds)?;
    ensure!(lines.len() == 4 * rounds, "the app served {} requests", lines.len());
    // nginx counts what it has read from the app.
    let upstream: u64 = nginx.upstream(4 * rounds)?.iter().sum();
    let bodies = Expected::requests(4 * count)
        .bodies(lines.iter().map(|line| line.body_in).sum(), lines.iter().map(|line| line.body_out).sum())
        .statuses(&[("200", 3 * count), ("404", count)])
        .outcomes(&[("complete", 4 * count)]);
    let inner = Expected { response_bytes: Some(upstream), ..bodies.clone() };
    let metrics = expect::exactly(lab, agent, "gunicorn", &inner)?;
    for phase in ["receive", "process", "send"] {
        let found = metrics.sum("http_request_phase_seconds_count", &[("service", "gunicorn"), ("phase", phase)]);
        ensure!(found == 4 * count, "{phase}: {found}");
    }
    expect::exactly(lab, agent, "nginx", &bodies.bytes(sent, received)).context("the hop in front")?;
    Ok(())
}

#[test]
fn asgi_workers_behind_nginx() {
    with_both("unix-asgi", Worker::Uvicorn, |lab, nginx, app, agent| both_hops(lab, nginx, app, agent, 25));
}

/// They close the socket after each response, which no tracepoint sees.
#[test]
fn sync_workers_behind_nginx() {
    with_both("unix-sync", Worker::Sync, |lab, nginx, app, agent| both_hops(lab, nginx, app, agent, 25));
}

/// The client goes away from nginx, which then leaves the app.
#[test]
fn a_client_that_goes_away() {
    with_both("unix-gone", Worker::Uvicorn, |lab, nginx, _, agent| {
        let mut raw = Raw::connect(nginx.server.address())?;
        raw.send(request("GET", "/app/trickle/1000/20", &[]))?;
        raw.read_head()?;
        drop(raw);
        expect::exactly(lab, agent, "gunicorn", &Expected::requests(1).outcomes(&[("client_abort", 1)]))?;
        Ok(())
    });
}
