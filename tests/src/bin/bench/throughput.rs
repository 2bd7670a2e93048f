//! What the watched service loses: requests per second, latency, processor time.

use std::process::Command;
use std::time::Duration;

use anyhow::{Context, Result};
use hippius_tests::clients::load::{self, Load};
use hippius_tests::clients::raw::request;
use hippius_tests::config::Config;
use hippius_tests::servers::nginx::{Nginx, Options};
use hippius_tests::servers::{Server, asgi, hyper};
use hippius_tests::stats::quantile;
use hippius_tests::workdir::Workdir;
use hippius_tests::{proc, process};

use crate::Effort;
use crate::report::Row;
use crate::rounds::compare;

/// One worker, no access log: the server does nothing but serve.
pub fn nginx(workdir: &Workdir) -> Result<Nginx> {
    Nginx::start_with(workdir, Options { access_log: false, ..Options::default() })
}

/// Requests per second that `wrk` gets out of a server with one thread and 16 connections.
pub fn wrk(server: &Server, path: &str, run: Duration) -> Result<f64> {
    let mut command = Command::new("wrk");
    command.args(["-t1", "-c16", &format!("-d{}s", run.as_secs()), &format!("http://{}{path}", server.address())]);
    let text = process::run(&mut command)?;
    let line = text.lines().find_map(|line| line.trim().strip_prefix("Requests/sec:")).context("wrk's rate")?;
    Ok(line.trim().parse()?)
}

pub fn nginx_saturation(workdir: &Workdir, effort: Effort) -> Result<Vec<Row>> {
    let nginx = nginx(workdir)?;
    let config = Config::new().service("nginx", nginx.server.port);
    let mut agent_us = Vec::new();
    let pairs = compare(workdir, &config, effort.rounds, |agent| {
        let before = agent.map(|agent| agent.cpu_ns()).transpose()?;
        let rate = wrk(&nginx.server, "/k1", effort.run)?;
        if let (Some(agent), Some(before)) = (agent, before) {
            let requests = rate * effort.run.as_secs_f64();
            agent_us.push((agent.cpu_ns()? - before) as f64 / 1000.0 / requests);
        }
        Ok(rate)
    })?;
    let without = pairs.without(|rate| *rate).map_or(String::new(), |spread| format!("{:.0}/s without", spread.median));
    let cpu = hippius_tests::stats::Spread::of(&agent_us);
    Ok(vec![
        Row::at_least("nginx 1 KiB keep-alive at saturation: requests/s", 0.85, pairs.ratio(|rate| *rate), &without),
        Row::at_most("agent's own CPU per request at saturation", 1.0, "us", cpu, ""),
    ])
}

struct Offered {
    p50: f64,
    p99: f64,
    server_cpu: f64,
}

pub fn nginx_offered(workdir: &Workdir, effort: Effort) -> Result<Vec<Row>> {
    const RATE: f64 = 20_000.0;
    let nginx = nginx(workdir)?;
    let config = Config::new().service("nginx", nginx.server.port);
    let pid = nginx.server.process.pid();
    let plan = Load {
        address: nginx.server.address(),
        request: request("GET", "/k1", &[]).into_bytes(),
        connections: 32,
        requests: (RATE * effort.run.as_secs_f64()) as u64,
        rate: Some(RATE),
    };
    let pairs = compare(workdir, &config, effort.rounds, |_| {
        let before = proc::cpu_ns_of_tree(pid)?;
        let report = load::run(&plan)?;
        let server_cpu = (proc::cpu_ns_of_tree(pid)? - before) as f64;
        let at = |part| quantile(&report.latencies_ns, part).map_or(f64::NAN, |ns| ns as f64);
        Ok(Offered { p50: at(0.5), p99: at(0.99), server_cpu })
    })?;
    let us = |value: fn(&Offered) -> f64| {
        pairs.without(value).map_or(String::new(), |spread| format!("{:.0} us without", spread.median / 1000.0))
    };
    Ok(vec![
        Row::at_most(
            "nginx at 20 000 requests/s offered: p50",
            1.02,
            "",
            pairs.ratio(|run| run.p50),
            &us(|run| run.p50),
        ),
        Row::at_most("the same: p99", 1.05, "", pairs.ratio(|run| run.p99), &us(|run| run.p99)),
        Row::at_most("the same: CPU of nginx", 1.04, "", pairs.ratio(|run| run.server_cpu), ""),
    ])
}

pub fn uvicorn_saturation(workdir: &Workdir, effort: Effort) -> Result<Vec<Row>> {
    let server = asgi::fastapi(workdir)?;
    let config = Config::new().service("app", server.port);
    let pairs = compare(workdir, &config, effort.rounds, |_| wrk(&server, "/bucket/key", effort.run))?;
    let without = pairs.without(|rate| *rate).map_or(String::new(), |spread| format!("{:.0}/s without", spread.median));
    let what = "uvicorn with FastAPI at saturation: requests/s";
    Ok(vec![Row::at_least(what, 0.99, pairs.ratio(|rate| *rate), &without)])
}

/// Each request makes one of its own, with httpx, and both hops are followed from the side of the app.
pub fn uvicorn_calling(workdir: &Workdir, effort: Effort) -> Result<Vec<Row>> {
    let nginx = nginx(workdir)?;
    let app = asgi::calling(workdir, 1)?;
    let config = Config::with_calls().service("app", app.port);
    let path = format!("/httpx/GET?http://{}/k1", nginx.server.address());
    let pairs = compare(workdir, &config, effort.rounds, |_| wrk(&app, &path, effort.run))?;
    let without = pairs.without(|rate| *rate).map_or(String::new(), |spread| format!("{:.0}/s without", spread.median));
    let what = "uvicorn that makes one call (httpx) for each request, at saturation: requests/s";
    Ok(vec![Row::at_least(what, 0.99, pairs.ratio(|rate| *rate), &without)])
}

pub fn large_objects(workdir: &Workdir, effort: Effort) -> Result<Vec<Row>> {
    const SIZE: usize = 10 << 20;
    let (nginx, hyper) = (nginx(workdir)?, hyper(workdir)?);
    let config = Config::new().service("nginx", nginx.server.port).service("hyper", hyper.port);
    let put = request("PUT", "/", &[&format!("Content-Length: {SIZE}")]);
    let down = (nginx.server.address(), request("GET", "/files/10485760", &[]).into_bytes());
    let up = (hyper.address(), [put.as_bytes(), &vec![b'u'; SIZE]].concat());
    let mut rows = Vec::new();
    for (what, (address, request)) in [("10 MiB objects down: objects/s", down), ("10 MiB objects up: objects/s", up)] {
        let mut plan = Load { address, request, connections: 2, requests: 50, rate: None };
        // As many as fill the time of a round.
        let rate = load::run(&plan)?.per_second();
        plan.requests = ((rate * effort.run.as_secs_f64()) as u64).max(20);
        let pairs = compare(workdir, &config, effort.rounds, |_| Ok(load::run(&plan)?.per_second()))?;
        rows.push(Row::at_least(what, 0.995, pairs.ratio(|rate| *rate), &format!("{rate:.0}/s without")));
    }
    Ok(rows)
}
