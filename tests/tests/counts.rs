//! The number of exchanges equals the servers' own logs, over every server and over a million requests.

use anyhow::{Result, ensure};
use hippius_tests::clients::load::{self, Load, Report};
use hippius_tests::clients::raw::{Raw, request};
use hippius_tests::config::Config;
use hippius_tests::expect::{self, Expected};
use hippius_tests::lab::{self, Lab};
use hippius_tests::servers::asgi::{self, Asgi, Loop};
use hippius_tests::servers::nginx::{K1, Nginx, Options};
use hippius_tests::servers::{Server, http_server, hyper};

fn gets(server: &Server, path: &str, connections: usize, requests: u64) -> Result<Report> {
    let request = request("GET", path, &[]).into_bytes();
    load::run(&Load { address: server.address(), request, connections, requests, rate: None })
}

/// Drives `count` GETs and compares number, bytes and bodies.
fn counted(lab: &Lab, name: &str, server: &Server, path: &str, count: u64) -> Result<()> {
    let agent = lab.agent(&Config::new().service(name, server.port))?;
    let report = gets(server, path, 8, count)?;
    let expected = Expected::requests(count)
        .bytes(report.bytes_sent, report.bytes_received)
        .bodies(0, report.body_bytes_received)
        .statuses(&[("200", count)])
        .outcomes(&[("complete", count)]);
    expect::exactly(lab, &agent, name, &expected)?;
    Ok(())
}

fn asgi_counted(name: &str, start: impl FnOnce(&Lab) -> Result<Asgi>) {
    lab::with_agent(name, |lab| {
        let app = start(lab)?;
        counted(lab, name, &app.server, "/bytes/700", 3000)?;
        ensure!(app.log(3000)?.len() == 3000, "the app saw another number of requests");
        Ok(())
    });
}

#[test]
fn nginx_keep_alive_requests_are_all_counted() {
    lab::with_agent("count-nginx", |lab| {
        let nginx = Nginx::start(&lab.workdir)?;
        counted(lab, "nginx", &nginx.server, "/k1", 20_000)?;
        ensure!(nginx.quit()?.len() == 20_000, "nginx' log has another number of lines");
        Ok(())
    });
}

#[test]
fn nginx_connection_per_request_is_counted() {
    lab::with_agent("count-nginx-close", |lab| {
        let nginx = Nginx::start(&lab.workdir)?;
        let agent = lab.agent(&Config::new().service("nginx", nginx.server.port))?;
        let (mut sent, mut received) = (0, 0);
        for _ in 0..500 {
            let mut client = Raw::connect(nginx.server.address())?;
            client.send(request("GET", "/close/", &[]))?;
            client.read_to_end()?;
            (sent, received) = (sent + client.sent, received + client.received);
        }
        let lines = nginx.log(500)?;
        ensure!(lines.iter().map(|line| line.bytes_sent).sum::<u64>() == received, "the rig's own counts differ");
        let expected = Expected::requests(500).bytes(sent, received).outcomes(&[("complete", 500)]);
        expect::exactly(lab, &agent, "nginx", &expected)?;
        Ok(())
    });
}

#[test]
fn uvicorn_with_uvloop_is_counted() {
    asgi_counted("uvloop", |lab| asgi::uvicorn(&lab.workdir, Loop::Uvloop));
}

#[test]
fn uvicorn_with_asyncio_is_counted() {
    asgi_counted("asyncio", |lab| asgi::uvicorn(&lab.workdir, Loop::Asyncio));
}

#[test]
fn gunicorn_with_four_preloaded_workers_is_counted_as_one_service() {
    asgi_counted("gunicorn", |lab| asgi::gunicorn(&lab.workdir));
}

#[test]
fn hyper_is_counted() {
    lab::with_agent("count-hyper", |lab| counted(lab, "hyper", &hyper(&lab.workdir)?, "/2000", 10_000));
}

#[test]
fn http_server_with_threads_is_counted() {
    lab::with_agent("count-http-server", |lab| counted(lab, "http-server", &http_server(&lab.workdir)?, "/500", 2000));
}

/// How many requests the long test sends; `HIPPIUS_LONG=10000000` makes it a soak.
fn long() -> u64 {
    std::env::var("HIPPIUS_LONG").ok().and_then(|text| text.parse().ok()).unwrap_or(1_000_000)
}

#[test]
fn a_million_requests_to_nginx_and_uvicorn_are_counted_without_one_missing() {
    lab::with_agent("count-million", |lab| {
        let (to_app, to_nginx) = (long() / 20, long() - long() / 20);
        let nginx = Nginx::start_with(&lab.workdir, Options { buffered_log: true, ..Options::default() })?;
        let app = asgi::uvicorn(&lab.workdir, Loop::Uvloop)?;
        let config = Config::new().service("nginx", nginx.server.port).service("app", app.server.port);
        let agent = lab.agent(&config)?;
        let report = gets(&nginx.server, "/k1", 32, to_nginx)?;
        let expected = Expected::requests(to_nginx)
            .bytes(report.bytes_sent, report.bytes_received)
            .bodies(0, to_nginx * K1 as u64)
            .statuses(&[("200", to_nginx)]);
        expect::exactly(lab, &agent, "nginx", &expected)?;
        let report = gets(&app.server, "/bytes/100", 16, to_app)?;
        let expected = Expected::requests(to_app).bytes(report.bytes_sent, report.bytes_received);
        expect::exactly(lab, &agent, "app", &expected)?;
        ensure!(nginx.quit()?.len() as u64 == to_nginx, "nginx' log has another number of lines");
        ensure!(app.log(to_app as usize)?.len() as u64 == to_app, "the app saw another number of requests");
        Ok(())
    });
}
