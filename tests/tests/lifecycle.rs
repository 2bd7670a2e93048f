//! Start, reload, death and end of the agent, while traffic goes on.

use std::process::Command;
use std::time::{Duration, Instant};

use anyhow::{Result, ensure};
use hippius_tests::clients::load::{self, Load};
use hippius_tests::clients::raw::{Raw, request};
use hippius_tests::config::Config;
use hippius_tests::expect::{self, Expected};
use hippius_tests::lab;
use hippius_tests::metrics::Metrics;
use hippius_tests::servers::nginx::Nginx;
use hippius_tests::servers::scripted::{Scripted, Step};
use hippius_tests::{process, wait};

fn requests(metrics: &Metrics, service: &str) -> u64 {
    metrics.sum("http_requests_total", &[("service", service)])
}

fn get_once(raw: &mut Raw) -> Result<()> {
    raw.send(request("GET", "/k1", &[]))?;
    raw.read_response().map(drop)
}

#[test]
fn connection_opened_before_the_agent_counts_from_its_next_request() {
    lab::with_agent("opened-before", |lab| {
        let nginx = Nginx::start(&lab.workdir)?;
        let mut raw = Raw::connect(nginx.server.address())?;
        get_once(&mut raw)?;
        let (sent, received) = (raw.sent, raw.received);
        let agent = lab.agent(&Config::new().service("nginx", nginx.server.port))?;
        for _ in 0..3 {
            get_once(&mut raw)?;
        }
        let expected = Expected::requests(3).bytes(raw.sent - sent, raw.received - received);
        expect::exactly(lab, &agent, "nginx", &expected)?;
        drop(raw);
        // Closing it must not make the audit complain about what was before the agent's time.
        let mut other = Raw::connect(nginx.server.address())?;
        get_once(&mut other)?;
        expect::exactly(lab, &agent, "nginx", &Expected::requests(4))?;
        Ok(())
    });
}

#[test]
fn exchange_is_visible_on_a_connection_that_then_goes_idle() {
    lab::with_agent("visible", |lab| {
        let nginx = Nginx::start(&lab.workdir)?;
        let agent = lab.agent(&Config::new().service("nginx", nginx.server.port))?;
        let mut raw = Raw::connect(nginx.server.address())?;
        let mut slowest = Duration::ZERO;
        for count in 1..=10 {
            get_once(&mut raw)?;
            let start = Instant::now();
            let visible = || agent.scrape().ok().filter(|metrics| requests(metrics, "nginx") == count);
            wait::until(&format!("exchange {count} on /metrics"), expect::LIMIT, visible)?;
            slowest = slowest.max(start.elapsed());
        }
        println!("visible after {slowest:?} at most");
        // The promise is one second; the rest is room for a loaded machine.
        ensure!(slowest < Duration::from_secs(3), "an exchange became visible only after {slowest:?}");
        Ok(())
    });
}

#[test]
fn long_download_adds_its_bytes_while_it_runs() {
    lab::with_agent("progress", |lab| {
        let nginx = Nginx::start(&lab.workdir)?;
        let agent = lab.agent(&Config::new().service("nginx", nginx.server.port))?;
        let mut raw = Raw::connect(nginx.server.address())?;
        raw.receive_buffer(65_536)?;
        raw.send(request("GET", "/files/10485760", &[]))?;
        raw.read_head()?;
        raw.discard(2 << 20)?;
        let found = |metrics: &Metrics| metrics.sum("http_response_bytes_total", &[("service", "nginx")]);
        let metrics = lab.settle(&agent, |metrics| found(metrics) >= 1 << 20)?;
        ensure!(found(&metrics) >= 1 << 20, "2 MiB came down, counted so far: {}", found(&metrics));
        ensure!(requests(&metrics, "nginx") == 0, "counted as finished in mid-transfer");
        raw.discard((10 << 20) - (2 << 20))?;
        expect::exactly(lab, &agent, "nginx", &Expected::requests(1).bytes(raw.sent, raw.received))?;
        Ok(())
    });
}

#[test]
fn killed_agent_harms_no_traffic_and_its_successor_counts_on() {
    lab::with_agent("killed", |lab| {
        let nginx = Nginx::start(&lab.workdir)?;
        let config = Config::new().service("nginx", nginx.server.port);
        let mut agent = lab.agent(&config)?;
        let request = request("GET", "/k1", &[]).into_bytes();
        let plan = Load { address: nginx.server.address(), request, connections: 8, requests: 200_000, rate: None };
        let long = plan.clone();
        let traffic = std::thread::spawn(move || load::run(&long));
        wait::until("traffic under the agent", wait::WIDE, || {
            agent.scrape().ok().filter(|metrics| requests(metrics, "nginx") > 5000)
        })?;
        agent.kill()?;
        let report = traffic.join().expect("the load generator")?;
        ensure!(report.requests == 200_000, "the traffic suffered");
        let agent = lab.agent(&config)?;
        let report = load::run(&Load { requests: 5000, ..plan })?;
        let expected = Expected::requests(5000).bytes(report.bytes_sent, report.bytes_received);
        expect::exactly(lab, &agent, "nginx", &expected)?;
        Ok(())
    });
}

#[test]
fn reload_takes_a_new_service_and_refuses_a_bad_file_without_losing_a_request() {
    lab::with_agent("reload", |lab| {
        let (first, second) = (Nginx::start(&lab.workdir)?, hippius_tests::servers::hyper(&lab.workdir)?);
        let config = Config::new().service("first", first.server.port);
        let agent = lab.agent(&config)?;
        let request = request("GET", "/k1", &[]).into_bytes();
        let plan =
            Load { address: first.server.address(), request, connections: 4, requests: 20_000, rate: Some(5000.0) };
        let traffic = std::thread::spawn(move || load::run(&plan));
        let reloads = |agent: &hippius_tests::agent::Agent| {
            agent.scrape().map(|m| m.sum("hippius_agent_config_reloads_total", &[]))
        };
        let before = reloads(&agent)?;
        agent.reload(config.clone().service("second", second.port).text())?;
        wait::until("the first reload", wait::WIDE, || (reloads(&agent).ok()? > before).then_some(()))?;
        agent.reload("[[service]]\nname = \"broken\"\nports = [\"no\"]\n")?;
        wait::until("the refused reload", wait::WIDE, || (reloads(&agent).ok()? > before + 1).then_some(()))?;
        let mut raw = Raw::connect(second.address())?;
        raw.send(hippius_tests::clients::raw::request("GET", "/5", &[]))?;
        raw.read_response()?;
        traffic.join().expect("the load generator")?;
        expect::exactly(lab, &agent, "second", &Expected::requests(1).bytes(raw.sent, raw.received))?;
        expect::exactly(lab, &agent, "first", &Expected::requests(20_000))?;
        Ok(())
    });
}

#[test]
fn sigterm_ends_the_agent_within_two_seconds_in_mid_transfer() {
    lab::with_agent("sigterm", |lab| {
        let steps =
            vec![Step::ReadHead, Step::write("HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n12345"), Step::ReadToEnd];
        let server = Scripted::start(steps)?;
        let mut agent = lab.agent(&Config::new().service("wire", server.port()))?;
        let mut raw = Raw::connect(server.address)?;
        raw.send(request("GET", "/", &[]))?;
        raw.read_head()?;
        let (status, took) = agent.stop()?;
        ensure!(status.success(), "ended with {status}:\n{}", agent.log());
        ensure!(took < Duration::from_secs(2), "took {took:?}");
        drop(raw);
        server.finish()?;
        Ok(())
    });
}

#[test]
fn probes_tell_the_log_of_sockets_only_when_asked() {
    lab::with_agent("probe-log", |lab| {
        let nginx = Nginx::start(&lab.workdir)?;
        for (probe_log, told) in [(false, false), (true, true)] {
            let line = format!("probe_log = {probe_log}");
            let config = Config::new().service("nginx", nginx.server.port).capture(&line).log("debug");
            let agent = lab.agent(&config)?;
            let mut raw = Raw::connect(nginx.server.address())?;
            raw.send(request("GET", "/k1", &[]))?;
            raw.read_response()?;
            drop(raw);
            lab.settle(&agent, |metrics| metrics.sum("hippius_agent_events_total", &[("kind", "close")]) >= 1)?;
            let needle = format!("socket of port {} goes from state", nginx.server.port);
            let found = wait::until("a line", wait::WIDE, || {
                (agent.log().contains(&needle) || !told).then_some(agent.log().contains(&needle))
            })?;
            ensure!(found == told, "probe_log = {probe_log}, told: {found}\n{}", agent.log());
        }
        Ok(())
    });
}

#[test]
fn bad_config_is_refused_at_start_with_its_place() {
    lab::with_agent("bad-config", |lab| {
        let error = lab.agent(&Config::new().capture("ring_bites = 1")).err();
        let text = error.map(|error| format!("{error:#}")).unwrap_or_default();
        ensure!(text.contains("ring_bites") && text.contains("agent.toml"), "no place or no key in: {text}");
        Ok(())
    });
}

#[test]
fn traffic_in_another_network_namespace_is_counted() {
    lab::with_agent("namespace", |lab| {
        let namespace = Namespace::new()?;
        let nginx = Nginx::start_in(&lab.workdir, &namespace.name)?;
        let agent = lab.agent(&Config::new().service("nginx", nginx.server.port))?;
        let address = format!("http://127.0.0.1:{}/k1", nginx.server.port);
        for _ in 0..5 {
            process::run(Command::new("ip").args([
                "netns",
                "exec",
                &namespace.name,
                "curl",
                "-sS",
                "-o",
                "/dev/null",
                &address,
            ]))?;
        }
        let lines = nginx.log(5)?;
        let sums = lines.iter().fold((0, 0), |sum, line| (sum.0 + line.request_length, sum.1 + line.bytes_sent));
        expect::exactly(lab, &agent, "nginx", &Expected::requests(5).bytes(sums.0, sums.1))?;
        Ok(())
    });
}

/// A network namespace with its loopback up; gone at the end.
struct Namespace {
    name: String,
}

impl Namespace {
    fn new() -> Result<Self> {
        let name = format!("hippius-test-{}", std::process::id());
        process::run(Command::new("ip").args(["netns", "add", &name]))?;
        let namespace = Self { name };
        process::run(Command::new("ip").args(["-n", &namespace.name, "link", "set", "lo", "up"]))?;
        Ok(namespace)
    }
}

impl Drop for Namespace {
    fn drop(&mut self) {
        let _ = Command::new("ip").args(["netns", "del", &self.name]).status();
    }
}
