//! Pages as Prometheus' own checker sees them.

mod export_support;

use std::io::Write;
use std::process::{Command, Stdio};

use export_support::{exposition_with, fill, polled_target, recorder};
use hippius_agent::exchange::wire::System;
use hippius_agent::exchange::{Finished, MessageBytes, Outcome};
use hippius_agent::export::text::Format;
use hippius_agent::record::agent::AgentMetrics;
use hippius_agent::record::catalogue;
use hippius_agent::record::outbound::{Call, Target};
use hippius_agent::record::sample::Direction;

fn page(format: Format) -> String {
    let mut recorder = recorder();
    fill(&mut recorder, 3);
    let exposition = exposition_with(&recorder, vec![polled_target()]);
    let agent = exposition.agent();
    for family in [
        &agent.events,
        &agent.events_lost,
        &agent.bytes_unattributed,
        &agent.streams_desynced,
        &agent.parse_errors,
        &agent.probe_runs,
    ] {
        family.with_label_values(&["x"]).inc();
    }
    agent.connections.with_label_values(&["open"]).set(2);
    agent.backend_info.with_label_values(&["fentry"]).set(1);
    agent.probe_seconds.with_label_values(&["x"]).inc_by(0.5);
    agent.account_lookups.with_label_values(&["redis", "found"]).inc();
    agent.account_lookup_seconds.observe(0.003);
    agent.service_container_info.with_label_values(&["x"; 6]).set(1);
    agent.tls_refused.with_label_values(&["x"]).inc();
    fill_calls(agent);
    let mut out = Vec::new();
    while exposition.page(format).fill(&mut out, usize::MAX / 2) {}
    String::from_utf8(out).expect("UTF-8")
}

/// One of everything that watched processes ask of others.
fn fill_calls(agent: &AgentMetrics) {
    let bytes = MessageBytes { head: 1, body: 2, framing: 3 };
    let finished = Finished {
        status: Some(500),
        outcome: Outcome::ServerAbort,
        request: bytes,
        response: bytes,
        failed: true,
        receive_ns: 1,
        process_ns: Some(2),
        send_ns: Some(3),
        total_ns: 6,
    };
    for target in [Target::Peer("x"), Target::Operation("x")] {
        agent.outbound.finished(&Call { target, method: "GET", finished, ray: None });
        agent.outbound.moved(target, Direction::In, 5);
    }
    agent.outbound.connected("x", 1);
    agent.outbound.not_connected("x", 111);
    agent.outbound.opaque("x", Direction::Out, 5);
    agent.wire.durations(System::Redis, "GET").observe(0.001);
    agent.wire.unanswered(System::Redis, "GET");
    agent.wire.moved(System::Redis, [1, 2]);
    let queue = agent.wire.queue("x");
    queue.enqueued.inc();
    queue.dequeued.inc();
    queue.dwell.observe(1.0);
}

/// promtool comes with Debian's package `prometheus`.
#[test]
fn promtool_finds_nothing_beyond_the_allow_list() {
    let mut promtool = Command::new("promtool")
        .args(["check", "metrics"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("promtool is installed");
    promtool.stdin.take().expect("a pipe").write_all(page(Format::Text).as_bytes()).expect("a page");
    let output = promtool.wait_with_output().expect("promtool ends");
    let findings = [output.stdout, output.stderr].concat();
    let allowed: Vec<&str> = include_str!("promtool-allow.txt").lines().collect();
    let findings = String::from_utf8_lossy(&findings);
    let new: Vec<&str> = findings.lines().filter(|line| !line.is_empty() && !allowed.contains(line)).collect();
    assert!(new.is_empty(), "{new:#?}");
    assert_ne!(output.status.code(), Some(1), "the page does not parse");
}

#[test]
fn the_page_has_every_family_of_the_catalogue_once() {
    let page = page(Format::Text);
    for metric in catalogue::all() {
        let line = format!("# TYPE {} {}", metric.name, metric.kind.name());
        assert_eq!(page.lines().filter(|found| **found == line).count(), 1, "{line}");
        let help = format!("# HELP {} {}", metric.name, metric.help);
        assert!(page.lines().any(|found| found == help), "{help}");
        let sample = page.lines().find(|found| found.starts_with(metric.name)).expect(metric.name);
        for label in metric.labels {
            assert!(sample.contains(&format!("{label}=\"")), "{sample} has no {label}");
        }
    }
    let polled = catalogue::polled().filter(|(section, _)| *section == catalogue::Section::Redis).count();
    assert_eq!(page.matches("# TYPE ").count(), catalogue::all().len() + polled);
}

#[test]
fn no_line_stands_twice_and_buckets_grow() {
    let page = page(Format::Text);
    let mut names: Vec<&str> = page.lines().filter_map(|line| line.rsplit_once(' ')).map(|(name, _)| name).collect();
    let lines = names.len();
    names.sort_unstable();
    names.dedup();
    assert_eq!(names.len(), lines);
    let of_one: Vec<u64> = page
        .lines()
        .filter(|line| line.starts_with("http_request_duration_seconds_bucket{main_account=\"5F2\""))
        .filter(|line| line.contains("get_object"))
        .filter_map(|line| line.rsplit_once(' ')?.1.parse().ok())
        .collect();
    assert_eq!(of_one.len(), 16);
    assert!(of_one.is_sorted() && of_one.last() == Some(&1), "{of_one:?}");
    assert!(page.contains("get_object\"} 0.021234572\n"), "sums are exact to the nanosecond");
}

#[test]
fn openmetrics_names_its_families_without_the_suffix() {
    let page = page(Format::OpenMetrics);
    assert!(page.contains("# TYPE http_requests counter\n") && page.contains("\nhttp_requests_total{"));
    assert!(page.ends_with("\n# EOF\n"));
}
