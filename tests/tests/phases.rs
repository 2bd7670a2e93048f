//! The three phases against tcpdump: on the mean, within the larger of 100 us and 1 %.

use std::time::Duration;

use anyhow::{Result, ensure};
use hippius_tests::clients::raw::{Raw, request};
use hippius_tests::config::Config;
use hippius_tests::lab;
use hippius_tests::metrics::Metrics;
use hippius_tests::pcap::{Exchange, Tcpdump};
use hippius_tests::servers::asgi::{self, Loop};

const COUNT: usize = 40;
const FLOOR: f64 = 100e-6;
const PART: f64 = 0.01;

/// Mean seconds of one phase by the agent.
fn mean(metrics: &Metrics, phase: &str) -> f64 {
    let filter = [("service", "app"), ("phase", phase)];
    let count = metrics.sum_f64("http_request_phase_seconds_count", &filter);
    metrics.sum_f64("http_request_phase_seconds_sum", &filter) / count
}

fn mean_of(exchanges: &[Exchange], phase: impl Fn(&Exchange) -> u64) -> f64 {
    exchanges.iter().map(|exchange| phase(exchange) as f64 / 1e9).sum::<f64>() / exchanges.len() as f64
}

/// Runs the client so many times, one after the other, and compares all phases.
fn compared(name: &str, client: impl Fn(&mut Raw) -> Result<()>, slow: &str, at_least: Duration) {
    compared_within(name, client, slow, at_least, FLOOR);
}

fn compared_within(name: &str, client: impl Fn(&mut Raw) -> Result<()>, slow: &str, at_least: Duration, floor: f64) {
    lab::with_agent(name, |lab| {
        let app = asgi::uvicorn(&lab.workdir, Loop::Uvloop)?;
        let agent = lab.agent(&Config::new().service("app", app.server.port))?;
        let capture = Tcpdump::start(&lab.workdir, app.server.port)?;
        let mut raw = Raw::connect(app.server.address())?;
        for _ in 0..COUNT {
            client(&mut raw)?;
        }
        let truth = capture.finish(COUNT)?;
        let filter = [("service", "app"), ("phase", slow)];
        let count = |metrics: &Metrics| metrics.sum("http_request_phase_seconds_count", &filter);
        let metrics = lab.settle(&agent, |metrics| count(metrics) == COUNT as u64)?;
        ensure!(count(&metrics) == COUNT as u64, "phase {slow}: expected {COUNT}, found {}", count(&metrics));
        let phases = [
            ("receive", mean_of(&truth, |exchange| exchange.request_last_ns - exchange.request_first_ns)),
            ("process", mean_of(&truth, |exchange| exchange.response_first_ns - exchange.request_last_ns)),
            ("send", mean_of(&truth, |exchange| exchange.response_last_ns - exchange.response_first_ns)),
        ];
        for (phase, expected) in phases {
            let found = mean(&metrics, phase);
            let room = floor.max(expected * PART);
            println!("{phase}: tcpdump {:.1} us, agent {:.1} us", expected * 1e6, found * 1e6);
            ensure!((found - expected).abs() <= room, "{phase}: expected {expected:.6} s, found {found:.6} s");
        }
        let slow_phase = phases.iter().find(|(phase, _)| *phase == slow).map_or(0.0, |(_, seconds)| *seconds);
        ensure!(slow_phase >= at_least.as_secs_f64(), "the rig was not slow where it should be: {slow_phase}");
        Ok(())
    });
}

#[test]
fn slow_app_is_the_process_phase() {
    let client = |raw: &mut Raw| {
        raw.send(request("GET", "/sleep/50", &[]))?;
        raw.read_response().map(drop)
    };
    compared("phase-process", client, "process", Duration::from_millis(50));
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
    compared("phase-receive", client, "receive", Duration::from_millis(50));
}

#[test]
fn trickling_answer_is_the_send_phase() {
    let client = |raw: &mut Raw| {
        raw.send(request("GET", "/trickle/6/10", &[]))?;
        raw.read_response().map(drop)
    };
    compared("phase-send", client, "send", Duration::from_millis(50));
}

#[test]
fn idle_time_before_a_request_is_in_no_phase() {
    let client = |raw: &mut Raw| {
        raw.pause(Duration::from_millis(30));
        raw.send(request("GET", "/bytes/100", &[]))?;
        raw.read_response().map(drop)
    };
    // A process that has slept takes longer to be woken than the floor of the other tests; the 30 ms must show nowhere.
    compared_within("phase-idle", client, "process", Duration::ZERO, 1e-3);
}
