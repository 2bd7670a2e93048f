//! Calls of IPFS nodes, gateways and Arion: named, and counted as what they were, errors behind the body included.

use std::collections::BTreeMap;
use std::process::Stdio;

use anyhow::{Context, Result, ensure};
use hippius_tests::calls;
use hippius_tests::clients::raw::{Raw, request};
use hippius_tests::config::Config;
use hippius_tests::expect;
use hippius_tests::lab;
use hippius_tests::metrics::Metrics;
use hippius_tests::servers::ipfs::Ipfs;
use hippius_tests::servers::nginx::Nginx;
use hippius_tests::servers::scripted::{Scripted, Step};

const CID: &str = "bafybeigdyrzt5sfp7udm7hu76uh7y26nf3efuylqabf3oclgtqy55fbzdi";

/// A call, and what comes of it.
struct Call<'a> {
    method: &'a str,
    target: &'a str,
    answer: String,
    operation: &'a str,
    success: &'a str,
}

fn chunked(trailer: &str) -> String {
    format!(
        "HTTP/1.1 200 OK\r\nTrailer: X-Stream-Error\r\nTransfer-Encoding: chunked\r\n\r\n\
         11\r\n{{\"Name\":\"a\",\"B\":0\r\n0\r\n{trailer}\r\n"
    )
}

fn whole(status: &str, body: &str) -> String {
    format!("HTTP/1.1 {status}\r\nContent-Length: {}\r\n\r\n{body}", body.len())
}

/// The answers are those that a node gives, written call by call: `cut` says in pieces of how many bytes.
fn play(calls: &[Call<'_>], cut: usize) -> Result<Scripted> {
    let answer = |call: &Call<'_>| [Step::ReadHead, Step::WriteCut(call.answer.clone().into_bytes(), cut)];
    Scripted::start(calls.iter().flat_map(answer).collect())
}

/// Bytes sent and received.
fn drive(server: Scripted, calls: &[Call<'_>]) -> Result<(u64, u64)> {
    let mut client = Raw::connect(server.address)?;
    for call in calls {
        client.send(request(call.method, call.target, &[]))?;
        client.read_response()?;
    }
    let moved = (client.sent, client.received);
    drop(client);
    server.finish()?;
    Ok(moved)
}

fn found(metrics: &Metrics) -> BTreeMap<(String, String), u64> {
    let samples = metrics.select("ipfs_operations_total", &[]);
    let key = |labels: &BTreeMap<String, String>| (labels["operation"].clone(), labels["success"].clone());
    samples.map(|sample| (key(&sample.labels), sample.whole.unwrap_or(0))).collect()
}

/// Plays the calls once for each way to cut the answers, and compares.
fn counted(name: &str, calls: &[Call<'_>], peer: &str, reasons: &[(&str, u64)]) {
    lab::with_agent(name, |lab| {
        const CUTS: [usize; 4] = [1 << 20, 1, 7, 100];
        let client = "[capture]\ndiscover = false\n[[client]]\nname = \"tests\"\nprocess = \"ipfs-*\"\n";
        let agent = lab.agent(&Config::with_calls().section(client).section(peer))?;
        let (mut sent, mut received) = (0, 0);
        for cut in CUTS {
            let moved = drive(play(calls, cut)?, calls)?;
            (sent, received) = (sent + moved.0, received + moved.1);
        }
        let mut wanted: BTreeMap<(String, String), u64> = BTreeMap::new();
        for call in calls {
            *wanted.entry((call.operation.to_owned(), call.success.to_owned())).or_default() += CUTS.len() as u64;
        }
        let metrics = lab.settle(&agent, |metrics| found(metrics) == wanted)?;
        let lines = metrics.lines_with("ipfs_") + "\n" + &metrics.lines_with("hippius_agent_");
        ensure!(found(&metrics) == wanted, "expected {wanted:?}, found {:?}\n{lines}", found(&metrics));
        for (way, bytes) in [("out", sent), ("in", received)] {
            let counted = metrics.sum("ipfs_bytes_total", &[("direction", way)]);
            ensure!(counted == bytes, "{way}: expected {bytes} bytes, found {counted}\n{lines}");
        }
        let reasons: BTreeMap<String, u64> =
            reasons.iter().map(|(reason, count)| ((*reason).to_owned(), count * CUTS.len() as u64)).collect();
        ensure!(metrics.by("ipfs_errors_total", &[], "reason") == reasons, "expected {reasons:?}\n{lines}");
        let others = metrics.by("http_client_requests_total", &[], "peer");
        let agents = agent.address();
        ensure!(others.keys().all(|peer| *peer == agents), "counted twice: {others:?}");
        expect::nothing_lost(&metrics)
    });
}

#[test]
fn a_node_that_nobody_has_described_is_known_by_its_api() {
    let gateway = format!("/ipfs/{CID}/a.txt");
    let call = |target, answer, operation, success| Call { method: "POST", target, answer, operation, success };
    let calls = [
        call("/api/v0/add?cid-version=1", chunked(""), "add", "true"),
        call("/api/v0/pin/add?arg=x", whole("200 OK", "{\"Pins\":[\"x\"]}"), "pin", "true"),
        call("/api/v0/pin/rm?arg=x", whole("500 Internal Server Error", "{\"Type\":\"error\"}"), "unpin", "false"),
        call("/api/v0/cat?arg=x", chunked("X-Stream-Error: context canceled\r\n"), "cat", "false"),
        call("/api/v0/cat?arg=y", chunked(""), "cat", "true"),
        call("/api/v0/cat?arg=z", chunked("X-Other: x\r\nx-stream-error: no\r\n"), "cat", "false"),
        Call { method: "GET", target: &gateway, answer: whole("200 OK", "hello"), operation: "get", success: "true" },
        Call { method: "GET", target: &gateway, answer: whole("504 T", ""), operation: "get", success: "false" },
    ];
    counted("ipfs-node", &calls, "", &[("stream_error", 2), ("http_500", 1), ("http_504", 1)]);
}

/// A node that was not written here, and the calls that the workers of 2025 make of it.
#[test]
fn calls_of_a_worker_at_a_real_node_are_named() {
    lab::with_agent("ipfs-worker", |lab| {
        const ROUNDS: u64 = 20;
        let node = Ipfs::start(&lab.workdir)?;
        let nginx = Nginx::start(&lab.workdir)?;
        let mut worker = node.worker(&format!("http://{}/k1", nginx.server.address()), ROUNDS)?;
        let mut worker = worker.stdin(Stdio::piped()).spawn()?;
        let agent = lab.agent(&Config::with_calls().capture("discover = false").section(Ipfs::client()))?;
        drop(worker.stdin.take());
        ensure!(worker.wait()?.success(), "the worker failed");
        let of = |operation: &str, success: &str| (operation.to_owned(), success.to_owned());
        let worked = ["add", "pin", "cat", "get", "unpin"].map(|name| (of(name, "true"), ROUNDS));
        let wanted: BTreeMap<_, _> = worked.into_iter().chain([(of("unpin", "false"), ROUNDS)]).collect();
        let metrics = lab.settle(&agent, |metrics| found(metrics) == wanted)?;
        ensure!(found(&metrics) == wanted, "expected {wanted:?}\n{}", metrics.lines_with("ipfs_"));
        calls::as_logged(lab, &agent, &nginx, ROUNDS as usize).map(drop)
    });
}

#[test]
fn a_peer_of_the_configuration_is_read_as_it_says() {
    let call =
        |method, target, operation| Call { method, target, answer: whole("200 OK", "{}"), operation, success: "true" };
    let calls = [
        call("POST", "/can_upload", "can_upload"),
        call("POST", "/upload", "upload"),
        call("GET", "/download/5GrwvaEF5zXb26Fz9rcQpDWS57CtERHpNehXCPcNoHGKutQY/abc", "download"),
        call("DELETE", "/delete/5GrwvaEF5zXb26Fz9rcQpDWS57CtERHpNehXCPcNoHGKutQY/abc", "delete"),
        call("GET", "/pins/7/status", "pin_status"),
    ];
    let peer = "[[peer]]\nname = \"arion\"\naddress = \"te?t\"\nprofile = \"arion\"\n\
                [[peer.operation]]\nname = \"pin_status\"\npath = \"/pins/{id}/status\"";
    counted("ipfs-arion", &calls, peer, &[]);
}

#[test]
fn a_peer_that_is_said_to_be_plain_http_is_no_node() {
    lab::with_agent("ipfs-not", |lab| {
        let answer = whole("200 OK", "{}");
        let call = Call { method: "POST", target: "/api/v0/add", answer, operation: "", success: "" };
        let calls = [call];
        let server = play(&calls, 1 << 20)?;
        let peer = format!("[[peer]]\nname = \"shop\"\naddress = \"127.0.0.0/8\"\nport = {}", server.port());
        let client = "[[client]]\nname = \"tests\"\nprocess = \"ipfs-*\"\n";
        let agent = lab.agent(&Config::with_calls().section(client).section(&peer))?;
        drive(server, &calls).context("the call")?;
        let filter = [("peer", "shop"), ("method", "POST"), ("status_code", "200")];
        let metrics = lab.settle(&agent, |metrics| metrics.sum("http_client_requests_total", &filter) == 1)?;
        ensure!(metrics.sum("http_client_requests_total", &filter) == 1, "{}", metrics.lines_with("http_client_"));
        ensure!(metrics.sum("http_client_connect_seconds_count", &[("peer", "shop")]) == 1, "the handshake");
        ensure!(metrics.select("ipfs_operations_total", &[]).next().is_none(), "{}", metrics.lines_with("ipfs_"));
        expect::nothing_lost(&metrics)
    });
}
