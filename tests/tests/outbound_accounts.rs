//! For whom calls are made: by the path at Arion, by the credential at S3, by the gateway's headers at its API. And one
//! request on all its hops, by its ray id.

use std::collections::BTreeMap;

use anyhow::{Context as _, Result, ensure};
use hippius_tests::accounts::SEED_ADDRESS;
use hippius_tests::agent::Agent;
use hippius_tests::clients::boto;
use hippius_tests::clients::raw::{Raw, request};
use hippius_tests::config::Config;
use hippius_tests::expect;
use hippius_tests::lab::{self, Lab};
use hippius_tests::metrics::Metrics;
use hippius_tests::prometheus::Prometheus;
use hippius_tests::servers::asgi;
use hippius_tests::servers::nginx::Nginx;
use hippius_tests::servers::s3::{self, KeyPair};
use hippius_tests::wait;
use serde_json::Value;

const ALICE: &str = "5GrwvaEF5zXb26Fz9rcQpDWS57CtERHpNehXCPcNoHGKutQY";
const BOB: &str = "5FHneW46xGXgs5mUiveU4sbTyGBzmstUspZC92UhjJM694ty";
const REQUESTS: &str = "hippius_outbound_requests_total";
const BYTES: &str = "hippius_outbound_bytes_total";

/// Requests, bytes sent and bytes received, by account, operation and success.
type Calls = BTreeMap<(String, String, bool), u64>;

fn agent(lab: &Lab, profile: &str, port: u16, client: &str, more: &str) -> Result<Agent> {
    let peer = format!("[[peer]]\nname = \"store\"\nport = {port}\nprofile = \"{profile}\"\n");
    let client = format!("[[client]]\nname = \"tests\"\n{client}");
    lab.agent(&Config::with_calls().capture("discover = false").section(&peer).section(&client).section(more))
}

fn found(metrics: &Metrics) -> Calls {
    let mut calls = Calls::new();
    for sample in metrics.select(REQUESTS, &[("peer", "store")]) {
        let label = |name: &str| sample.labels[name].clone();
        *calls.entry((label("main_account"), label("operation"), label("success") == "true")).or_default() +=
            sample.whole.unwrap_or(0);
    }
    calls
}

fn exactly(lab: &Lab, agent: &Agent, expected: &Calls) -> Result<Metrics> {
    let metrics = lab.settle(agent, |metrics| found(metrics) == *expected)?;
    let calls = found(&metrics);
    ensure!(calls == *expected, "expected {expected:?}\nfound {calls:?}\n{}", metrics.lines_with("hippius_outbound"));
    expect::nothing_lost(&metrics)?;
    Ok(metrics)
}

const OWN: &str = "process = \"outbound_accoun*\"";

#[test]
fn calls_of_arion_count_for_the_account_in_their_path() {
    lab::with_agent("calls-arion", |lab| {
        let nginx = Nginx::start(&lab.workdir)?;
        let agent = agent(lab, "arion", nginx.server.port, OWN, "")?;
        let mut client = Raw::connect(nginx.server.address())?;
        let mut asked = Calls::new();
        for (account, files, deleted) in [(ALICE, 30, 3), (BOB, 20, 0), (SEED_ADDRESS, 1, 1)] {
            for number in 0..files {
                client.send(request("GET", &format!("/download/{account}/file-{number}"), &[]))?;
                client.read_response()?;
            }
            for number in 0..deleted {
                client.send(request("DELETE", &format!("/delete/{account}/file-{number}"), &[]))?;
                client.read_head()?;
            }
            asked.insert((account.to_owned(), "download".to_owned(), true), files);
            if deleted > 0 {
                asked.insert((account.to_owned(), "delete".to_owned(), true), deleted);
            }
        }
        // What is no address is nobody's, and its text is no label; nginx knows no such endpoint either.
        for (method, path, operation, good) in [
            ("GET", format!("/download/{}x/file", &ALICE[1..]), "download", true),
            ("GET", "/download/secret-of-somebody/file".to_owned(), "download", true),
            ("GET", "/health".to_owned(), "GET", false),
        ] {
            client.send(request(method, &path, &[]))?;
            client.read_response()?;
            *asked.entry(("unknown".to_owned(), operation.to_owned(), good)).or_default() += 1;
        }
        let (sent, received) = (client.sent, client.received);
        let metrics = exactly(lab, &agent, &asked)?;
        let all: u64 = asked.values().sum();
        let log = nginx.log(usize::try_from(all)?)?;
        for account in [ALICE, BOB, SEED_ADDRESS] {
            let own = || log.iter().filter(|line| line.uri.split('/').nth(2) == Some(account));
            let bytes = |way| metrics.sum(BYTES, &[("main_account", account), ("direction", way)]);
            let logged = own().fold((0, 0), |sums, line| (sums.0 + line.request_length, sums.1 + line.bytes_sent));
            ensure!((bytes("out"), bytes("in")) == logged, "bytes of {account}");
            ensure!(metrics.sum(REQUESTS, &[("main_account", account)]) == own().count() as u64, "{account}");
        }
        // Together they are all bytes of the connection, and all calls that the other families have.
        let bytes = |way| metrics.sum(BYTES, &[("direction", way)]);
        ensure!((bytes("out"), bytes("in")) == (sent, received), "{}", metrics.lines_with(BYTES));
        let plain = metrics.sum("http_client_requests_total", &[("peer", "store")]);
        let others = metrics.sum("ipfs_operations_total", &[]) + plain;
        ensure!(others == all, "{others} of {all} calls in the other families");
        ensure!(!metrics.lines_with("").contains("secret-of-somebody"), "a path is a label");
        Ok(())
    });
}

#[test]
fn calls_of_s3_count_for_the_account_of_their_credential() {
    lab::with_agent("calls-s3", |lab| {
        let (team, stranger) = (KeyPair::new("hip_team", "team-secret"), KeyPair::new("hip_nobody", "no-secret"));
        let server = s3::s3rver(&lab.workdir, std::slice::from_ref(&team))?;
        let text = "[[account]]\naccess_key = \"hip_team\"\nmain_account = \"team\"\nsubaccount_id = \"backup\"\n";
        let accounts = lab.workdir.write("accounts.toml", text)?;
        let accounts = format!("[attribution.static]\nfile = {:?}", accounts.display().to_string());
        let agent = agent(lab, "s3", server.port, "command = \"*s3_drive.py*\"", &accounts)?;
        let mut asked = Calls::new();
        for (key, main) in [(&team, "team"), (&stranger, "unauthenticated")] {
            for call in boto::drive(server.address(), key, "basic")? {
                let success = (200..400).contains(&call.status);
                *asked.entry((main.to_owned(), call.operation, success)).or_default() += 1;
            }
        }
        let metrics = exactly(lab, &agent, &asked)?;
        let team = [("main_account", "team"), ("subaccount_id", "backup")];
        let sent = metrics.sum(BYTES, &[team[0], team[1], ("direction", "out"), ("operation", "PutObject")]);
        ensure!(sent > 3_001_000, "{sent} bytes of two uploads with 3 001 000 of payload");
        let page = metrics.lines_with("");
        ensure!(!page.contains("hip_team") && !page.contains("hip_nobody"), "an access key is on the page");
        Ok(())
    });
}

#[test]
fn calls_of_the_gateway_count_for_the_account_in_its_headers() {
    lab::with_agent("calls-gateway", |lab| {
        let nginx = Nginx::start(&lab.workdir)?;
        let agent = agent(lab, "hippius-2026", nginx.server.port, OWN, "")?;
        let mut client = Raw::connect(nginx.server.address())?;
        let mut asked = Calls::new();
        for (account, count) in [(ALICE, 5), (BOB, 7)] {
            let main = format!("X-Hippius-Main-Account: {account}");
            for number in 0..count {
                // A bucket and a key that nginx knows.
                let path = format!("/download/{number}");
                client.send(request("GET", &path, &[&main, "X-Hippius-Request-User: 5User"]))?;
                client.read_response()?;
            }
            asked.insert((account.to_owned(), "GetObject".to_owned(), true), count);
        }
        let metrics = exactly(lab, &agent, &asked)?;
        ensure!(metrics.sum(REQUESTS, &[("subaccount_id", "5User")]) == 12, "{}", metrics.lines_with(REQUESTS));
        ensure!(metrics.sum("ipfs_operations_total", &[]) == 0, "S3 is no IPFS");
        Ok(())
    });
}

/// Ray ids of the exemplars of a family, by the label that tells one hop from another.
fn rays(prometheus: &Prometheus, name: &str, label: &str) -> Result<BTreeMap<String, Vec<String>>> {
    let parameters = [("query", name), ("start", "0"), ("end", "4000000000")];
    let data = prometheus.api("query_exemplars", &parameters)?;
    let mut rays: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for series in data.as_array().context("series")? {
        let hop = series["seriesLabels"][label].as_str().unwrap_or_default().to_owned();
        let exemplars = series["exemplars"].as_array().cloned().unwrap_or_default();
        let ray = |exemplar: &Value| exemplar["labels"]["ray_id"].as_str().map(str::to_owned);
        rays.entry(hop).or_default().extend(exemplars.iter().filter_map(ray));
    }
    Ok(rays)
}

/// Client → API → what it calls: Prometheus has the same ray id at every hop.
#[test]
fn hops_of_a_request_are_joined_by_its_ray_id_in_prometheus() {
    lab::with_agent("rays", |lab| {
        let nginx = Nginx::start(&lab.workdir)?;
        let app = asgi::calling(&lab.workdir, 1)?;
        let config = Config::with_calls().service("api", app.port).service("store", nginx.server.port);
        let agent = lab.agent(&config)?;
        let arguments = ["--enable-feature=exemplar-storage"];
        let prometheus = Prometheus::start_with("prometheus.yml", &agent.address(), &lab.workdir, &arguments)?;
        // uvicorn closes connections that are silent for a while.
        let ask = |ray: &str| {
            let mut client = Raw::connect(app.address())?;
            let url = format!("http://{}/k1", nginx.server.address());
            let field = format!("X-Hippius-Ray-ID: {ray}");
            client.send(request("GET", &format!("/httpx/GET?{url}"), &[&field]))?;
            client.read_response().map(drop)
        };
        let ray = "00f1e2d3c4b5a697";
        ask(ray)?;
        let hops = [
            ("http_request_duration_seconds_bucket", "service", "api".to_owned()),
            ("http_request_duration_seconds_bucket", "service", "store".to_owned()),
            ("http_client_request_duration_seconds_bucket", "peer", nginx.server.address().to_string()),
        ];
        for (name, label, hop) in &hops {
            wait::until(&format!("the exemplar at {hop}"), wait::WIDE, || {
                let rays = rays(&prometheus, name, label).ok()?;
                rays.get(hop)?.iter().all(|found| found == ray).then_some(()).filter(|()| !rays[hop].is_empty())
            })?;
        }
        // What cannot be a ray id is none: the text of a key, and 64 digits, which could be one.
        let refused = ["hip_0123456789abcdef", &"a".repeat(64)];
        refused.iter().try_for_each(|text| ask(text))?;
        let last = "11f1e2d3c4b5a69711f1e2d3c4b5a697";
        ask(last)?;
        for (name, label, hop) in &hops {
            let rays = wait::until(&format!("the last exemplar at {hop}"), wait::WIDE, || {
                let rays = rays(&prometheus, name, label).ok()?.remove(hop)?;
                rays.iter().any(|found| found == last).then_some(rays)
            })?;
            ensure!(rays.iter().all(|found| found == ray || found == last), "{rays:?}");
        }
        // The plain page has none, by its format.
        ensure!(!agent.scrape()?.lines_with("").contains(ray), "an exemplar on the plain page");
        Ok(())
    });
}
