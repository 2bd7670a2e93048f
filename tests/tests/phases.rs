//! The three phases against tcpdump: within the larger of 100 us and 1 %.

use std::time::Duration;

use anyhow::{Result, ensure};
use hippius_tests::awake::Awake;
use hippius_tests::clients::raw::{Raw, request};
use hippius_tests::config::Config;
use hippius_tests::lab;
use hippius_tests::metrics::Metrics;
use hippius_tests::pcap::{Exchange, Tcpdump};
use hippius_tests::servers::asgi::{self, Loop};

const COUNT: usize = 15;
const FLOOR: f64 = 100e-6;
const PART: f64 = 0.01;

type Phase = fn(&Phases) -> f64;

const PHASES: [(&str, Phase); 3] =
    [("receive", |phases| phases.receive), ("process", |phases| phases.process), ("send", |phases| phases.send)];

/// Seconds of each phase.
#[derive(Clone, Copy, Debug, Default)]
struct Phases {
    receive: f64,
    process: f64,
    send: f64,
}

impl Phases {
    /// What tcpdump saw of one exchange.
    fn of(exchange: &Exchange) -> Self {
        let seconds = |from: u64, to: u64| (to - from) as f64 / 1e9;
        Self {
            receive: seconds(exchange.request_first_ns, exchange.request_last_ns),
            process: seconds(exchange.request_last_ns, exchange.response_first_ns),
            send: seconds(exchange.response_first_ns, exchange.response_last_ns),
        }
    }

    /// The agent's sums over all exchanges so far.
    fn sums(metrics: &Metrics) -> Self {
        let sum = |phase| metrics.sum_f64("http_request_phase_seconds_sum", &[("service", "app"), ("phase", phase)]);
        Self { receive: sum("receive"), process: sum("process"), send: sum("send") }
    }

    fn since(&self, earlier: &Self) -> Self {
        Self {
            receive: self.receive - earlier.receive,
            process: self.process - earlier.process,
            send: self.send - earlier.send,
        }
    }
}

/// How many exchanges the agent has put into the phases.
fn counted(metrics: &Metrics) -> u64 {
    metrics.sum("http_request_phase_seconds_count", &[("service", "app"), ("phase", "send")])
}

fn quantile(mut values: Vec<f64>, part: f64) -> f64 {
    values.sort_by(f64::total_cmp);
    values[(values.len() as f64 * part) as usize]
}

/// Runs the client so many times, one after the other, and compares each exchange in all phases. A quarter of them must
/// be as near as promised: between a packet and the call that reads it a busy scheduler may run something else, which
/// only ever adds to what a wrong clock or a wrong boundary would show in every exchange.
fn compared(name: &str, client: impl Fn(&mut Raw) -> Result<()>, slow: Phase, at_least: Duration) {
    lab::with_agent(name, |lab| {
        let _awake = Awake::start(&lab.workdir)?;
        let app = asgi::uvicorn(&lab.workdir, Loop::Uvloop)?;
        let agent = lab.agent(&Config::new().service("app", app.server.port))?;
        let capture = Tcpdump::start(&lab.workdir, app.server.port)?;
        let mut raw = Raw::connect(app.server.address())?;
        let (mut found, mut before) = (Vec::new(), Phases::default());
        for done in 1..=COUNT as u64 {
            client(&mut raw)?;
            let metrics = lab.settle(&agent, |metrics| counted(metrics) == done)?;
            ensure!(counted(&metrics) == done, "exchanges in the phases: expected {done}, found {}", counted(&metrics));
            let sums = Phases::sums(&metrics);
            found.push(sums.since(&before));
            before = sums;
        }
        let truth: Vec<Phases> = capture.finish(COUNT)?.iter().map(Phases::of).collect();
        for (name, phase) in PHASES {
            let differences = truth.iter().zip(&found).map(|(truth, found)| {
                let room = FLOOR.max(phase(truth) * PART);
                (phase(found) - phase(truth)).abs() / room
            });
            let difference = quantile(differences.collect(), 0.25);
            println!(
                "{name}: {difference:.2} of what may differ, at {:.6} s",
                quantile(truth.iter().map(phase).collect(), 0.5)
            );
            ensure!(difference <= 1.0, "{name}: tcpdump and the agent differ:\n{truth:#?}\n{found:#?}");
        }
        let slowest = quantile(truth.iter().map(slow).collect(), 0.5);
        ensure!(slowest >= at_least.as_secs_f64(), "the rig was not slow where it should be: {slowest} s");
        Ok(())
    });
}

#[test]
fn slow_app_is_the_process_phase() {
    let client = |raw: &mut Raw| {
        raw.send(request("GET", "/sleep/50", &[]))?;
        raw.read_response().map(drop)
    };
    compared("phase-process", client, |phases| phases.process, Duration::from_millis(50));
}

#[test]
fn slow_sender_is_the_receive_phase() {
    let client = |raw: &mut Raw| {
        raw.send(request("PUT", "/up", &["Content-Length: 5000"]))?;
        for _ in 0..5 {
            raw.pause(Duration::from_millis(10));
            raw.send(vec![b'x'; 1000])?;
        }
        raw.read_response().map(drop)
    };
    compared("phase-receive", client, |phases| phases.receive, Duration::from_millis(50));
}

#[test]
fn trickling_answer_is_the_send_phase() {
    let client = |raw: &mut Raw| {
        raw.send(request("GET", "/trickle/6/10", &[]))?;
        raw.read_response().map(drop)
    };
    compared("phase-send", client, |phases| phases.send, Duration::from_millis(50));
}

#[test]
fn idle_time_before_a_request_is_in_no_phase() {
    let client = |raw: &mut Raw| {
        raw.pause(Duration::from_millis(30));
        raw.send(request("GET", "/bytes/100", &[]))?;
        raw.read_response().map(drop)
    };
    compared("phase-idle", client, |phases| phases.process, Duration::ZERO);
}
