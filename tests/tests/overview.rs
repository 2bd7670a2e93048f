//! The overview page in a real browser, over real traffic: what it shows is what `/metrics` says.

use std::collections::{BTreeMap, BTreeSet};

use anyhow::{Context, Result, ensure};
use hippius_tests::accounts::{SECOND_SEED, SEED, access_key};
use hippius_tests::agent::Agent;
use hippius_tests::browser;
use hippius_tests::clients::boto;
use hippius_tests::clients::launched::Launched;
use hippius_tests::clients::raw::{Raw, request};
use hippius_tests::config::Config;
use hippius_tests::expect::{self, Expected};
use hippius_tests::lab::{self, Lab};
use hippius_tests::metrics::Metrics;
use hippius_tests::servers::nginx::Nginx;
use hippius_tests::servers::redis::Redis;
use hippius_tests::servers::s3::{self, KeyPair};
use hippius_tests::servers::syscall::Syscall;
use hippius_tests::workdir::Workdir;
use hippius_tests::workers::Workers;
use hippius_tests::{python, wait};
use serde_json::Value;

/// Waits until the last sample of the page has everything that `/metrics` has.
fn sampled(agent: &Agent, requests: u64) -> Result<()> {
    wait::until("a sample of all requests", wait::WIDE, || {
        let (_, body) = agent.get("/api/v1/table?by=service").ok()?;
        let table: Value = serde_json::from_str(&body).ok()?;
        (table["total"]["requests"]["total"] == requests).then_some(())
    })
}

/// Totals of one column by the rows' names.
fn totals(rows: &Value, column: &str) -> BTreeMap<String, u64> {
    let rows = rows.as_array().map(Vec::as_slice).unwrap_or_default();
    let total = |row: &Value| Some((row["name"].as_str()?.to_owned(), row["totals"][column].as_u64()?));
    rows.iter().filter_map(total).fold(BTreeMap::new(), |mut sums, (name, total)| {
        *sums.entry(name).or_insert(0) += total;
        sums
    })
}

fn same_numbers(page: &Value, metrics: &Metrics) -> Result<()> {
    for (rows, label) in
        [("accounts", "main_account"), ("subaccount", "subaccount_id"), ("handler", "handler"), ("service", "service")]
    {
        for (column, family) in [
            ("requests_total", "http_requests_total"),
            ("received_total", "http_request_bytes_total"),
            ("sent_total", "http_response_bytes_total"),
        ] {
            let (shown, said) = (totals(&page[rows], column), metrics.by(family, &[], label));
            ensure!(shown == said, "{rows}, {column}: the page {shown:?}, /metrics {said:?}");
        }
    }
    let (shown, said) =
        (totals(&page["operation"], "requests_total"), metrics.by("s3_operations_total", &[], "operation"));
    ensure!(shown == said, "operations: the page {shown:?}, /metrics {said:?}");
    let failed = metrics.by("s3_operations_total", &[("success", "false")], "operation");
    let shown: BTreeMap<_, _> =
        totals(&page["operation"], "failed_total").into_iter().filter(|(_, count)| *count > 0).collect();
    ensure!(shown == failed, "failed operations: the page {shown:?}, /metrics {failed:?}");
    Ok(())
}

fn texts(value: &Value) -> Vec<String> {
    let values = value.as_array().map(Vec::as_slice).unwrap_or_default();
    values.iter().filter_map(|text| text.as_str().map(str::to_owned)).collect()
}

/// One origin, no error, no violation, and the policy holds.
fn keeps_to_itself(page: &Value, agent: &Agent) -> Result<()> {
    let own = format!("http://{}/", agent.address());
    let foreign: Vec<_> = texts(&page["requests"]).into_iter().filter(|url| !url.starts_with(&own)).collect();
    // The one that the test itself tried, if the browser calls it a request at all.
    ensure!(foreign.iter().all(|url| url == "https://example.org/"), "asked for {foreign:?}");
    ensure!(texts(&page["console"]).is_empty(), "the browser says {:?}", page["console"]);
    ensure!(texts(&page["violations"]).is_empty(), "violations: {:?}", page["violations"]);
    let forbidden = &page["forbidden"];
    ensure!(forbidden["inline"] == false && forbidden["fetched"] == false, "the policy does not hold: {forbidden}");
    ensure!(page["cookies"] == 0, "cookies: {}", page["cookies"]);
    Ok(())
}

/// Everything can be reached and read without a pointer and without eyes.
fn usable_by_keyboard(page: &Value) -> Result<()> {
    let stops = texts(&page["stops"]);
    ensure!(stops.last().is_some_and(|stop| stop.starts_with("plot-")), "the keyboard goes {stops:?}");
    for field in ["filter-main_account", "filter-handler", "pause", "theme"] {
        ensure!(stops.iter().any(|stop| stop == field), "{field} is not among {stops:?}");
    }
    let spoken = page["spoken"].as_str().unwrap_or_default();
    ensure!(spoken.contains("/s") && spoken.contains(':'), "spoken: {spoken:?}");
    ensure!(page["values"].as_u64() > Some(0), "the table of a chart is empty");
    let sorted: Vec<_> = page["sorted"].as_array().context("sorted")?.iter().filter_map(Value::as_u64).collect();
    ensure!(sorted.is_sorted_by(|one, next| one >= next) && sorted.len() > 1, "sorted: {sorted:?}");
    ensure!(page["ariaSort"] == "descending", "aria-sort: {}", page["ariaSort"]);
    ensure!(texts(&page["unnamed"]).is_empty(), "without a name: {:?}", page["unnamed"]);
    let chosen = page["chosen"].as_str().context("chosen")?;
    ensure!(page["filtered"][0]["name"] == chosen, "filtered: {}", page["filtered"]);
    let address = page["address"].as_str().unwrap_or_default();
    ensure!(address.contains(&format!("main_account={chosen}")), "address: {address}");
    ensure!(page["chips"] == 0, "the filter was taken away, {} are left", page["chips"]);
    Ok(())
}

#[test]
fn the_page_shows_what_the_metrics_say() {
    lab::with_agent("overview", |lab| {
        let seeds = [SEED, SECOND_SEED].map(access_key);
        let keys = [KeyPair::new(&seeds[0], "x"), KeyPair::new(&seeds[1], "y"), KeyPair::new("hip_page_key", "z")];
        let server = s3::verified(&lab.workdir, &keys)?;
        let accounts = "[[account]]\naccess_key = \"hip_page_key\"\nmain_account = \"team\"\n";
        let file = lab.workdir.write("accounts.toml", accounts)?.display().to_string();
        let config = Config::new()
            .service_with("s3", &[server.port], "hippius-2025", "")
            .section(&format!("[attribution.static]\nfile = {file:?}"));
        let agent = lab.agent(&config)?;
        let mut calls = 0;
        for (key, scenario) in keys.iter().zip(["everything", "basic", "parts"]) {
            calls += boto::drive(server.address(), key, scenario)?.len() as u64;
        }
        let forged = KeyPair::new(&keys[0].access, "guessed");
        calls += boto::drive(server.address(), &forged, "put")?.len() as u64;
        let metrics = expect::counted(lab, &agent, "s3", &Expected::requests(calls))?;
        sampled(&agent, calls)?;

        let page = browser::drive(&format!("http://{}/", agent.address()), "look")?;
        same_numbers(&page, &metrics)?;
        keeps_to_itself(&page, &agent)?;
        usable_by_keyboard(&page)?;
        for panel in ["requests", "latency", "phases", "received", "sent", "failures", "operations", "s3_errors"] {
            ensure!(page["charts"][panel]["shapes"].as_u64() > Some(0), "{panel} is empty: {}", page["charts"][panel]);
        }
        let why = page["charts"]["queues"]["why"].as_str().unwrap_or_default();
        ensure!(why.contains("Redis"), "an empty chart says why: {why:?}");
        let codes = page["charts"]["s3_errors"]["legend"].to_string();
        for code in metrics.by("s3_errors_total", &[], "code").keys() {
            ensure!(codes.contains(code), "{code} is not among {codes}");
        }
        let facts = page["facts"].as_str().unwrap_or_default();
        ensure!(facts.contains("Records lost\n0"), "facts: {facts}");
        no_secrets(page["text"].as_str().unwrap_or_default(), &seeds)
    });
}

fn no_secrets(text: &str, seeds: &[String]) -> Result<()> {
    ensure!(text.contains("put_object"), "an empty page would leak nothing");
    for (number, secret) in seeds.iter().map(String::as_str).chain([SEED, SECOND_SEED, "hip_page_key"]).enumerate() {
        // The secret itself must not get into the test's log either.
        ensure!(!text.contains(secret), "secret number {number} is on the page");
    }
    Ok(())
}

#[test]
fn both_themes_and_a_phone() {
    lab::with_agent("overview-sizes", |lab| {
        let agent = served(lab, 3)?;
        let seen = browser::drive(&format!("http://{}/", agent.address()), "sizes")?;
        ensure!(seen["light"]["background"] != seen["dark"]["background"], "one theme: {seen}");
        for size in ["light", "dark", "phone", "narrow"] {
            ensure!(seen[size]["wider"] == 0, "{size} scrolls sideways: {}", seen[size]);
        }
        for theme in ["light", "dark"] {
            for place in ["chart", "legend"] {
                let looks = texts(&seen[theme]["lines"][place]);
                let distinct: BTreeSet<_> = looks.iter().collect();
                ensure!(looks.len() == 16 && distinct.len() == 16, "{theme}, {place}: {looks:?}");
            }
        }
        ensure!(texts(&seen["console"]).is_empty(), "the browser says {:?}", seen["console"]);
        Ok(())
    });
}

/// Charts of what watched processes ask of others.
const OUTGOING: [&str; 11] = [
    "queue_flow",
    "queue_dwell",
    "ipfs_operations",
    "ipfs_success",
    "ipfs_latency",
    "calls",
    "call_latency",
    "call_failures",
    "commands",
    "command_latency",
    "tls_opaque",
];

/// Items that go through the workers.
const ITEMS: u64 = 9;

#[test]
fn outgoing_calls_and_connections_are_on_the_page() {
    lab::with_agent("overview-calls", |lab| {
        let (redis, nginx) = (Redis::start(&lab.workdir)?, Nginx::start(&lab.workdir)?);
        let other = Workdir::new("overview-tls")?;
        let workers = Workers::start(&other, &redis, &format!("http://{}/k1", nginx.server.address()))?;
        let queues = format!("[[redis]]\nname = \"main\"\nurl = {:?}\nprofile = \"hippius-2025\"", redis.url());
        let config = Config::with_calls()
            .capture("discover = false")
            .service_with("web", &[nginx.server.port], "s3", "behind_gateway = true")
            .section(&Launched::section())
            .section(&queues);
        let arguments = workers.arguments(Some(ITEMS));
        let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
        let program = Launched::new(&python::program("python")?, &arguments)?;
        let agent = lab.agent(&config)?;
        let mut open = Raw::connect(nginx.server.address())?;
        open.send(request("GET", "/k1", &["X-Hippius-Main-Account: team"]))?;
        open.read_response()?;
        let done: BTreeMap<String, u64> = serde_json::from_str(&program.run()?)?;

        // What the workers say that they have done is what the metrics say.
        let wanted = |way: &str| {
            let of = done.iter().filter_map(|(what, count)| Some((what.strip_prefix(way)?.to_owned(), *count)));
            of.collect::<BTreeMap<_, _>>()
        };
        let counted = |metrics: &Metrics, name: &str| {
            let mut queues = metrics.by(name, &[], "queue_name");
            queues.retain(|_, items| *items > 0);
            queues
        };
        let of_http = [("peer", &*nginx.server.address().to_string())].map(|(name, peer)| (name, peer.to_owned()));
        let of_http = of_http.each_ref().map(|(name, peer)| (*name, &**peer));
        // The workers are gone, and their connections with them: bytes that count as they pass are all there.
        let metrics = lab.settle(&agent, |metrics| {
            counted(metrics, "queue_dequeued_total") == wanted("out ")
                && metrics.sum("http_client_requests_total", &of_http) == ITEMS
                && metrics.sum("hippius_agent_connections", &[]) == 1
        })?;
        ensure!(metrics.sum("hippius_agent_connections", &[]) == 1, "more than the one that is held open");
        for (family, way) in [("queue_enqueued_total", "in "), ("queue_dequeued_total", "out ")] {
            let found = counted(&metrics, family);
            ensure!(found == wanted(way), "{family}: {found:?}, the workers {:?}", wanted(way));
        }
        let operations = metrics.by("ipfs_operations_total", &[("success", "true")], "operation");
        ensure!(operations["add"] == ITEMS && operations["unpin"] == ITEMS, "{operations:?}");

        // The page says the same of each peer.
        let mut expected = metrics.by("http_client_requests_total", &[], "peer");
        expected.extend(metrics.by("ipfs_operations_total", &[], "operation"));
        expected.extend(metrics.by("db_client_operation_duration_seconds_count", &[], "system"));
        wait::until("a sample of all calls", wait::WIDE, || {
            let (_, body) = agent.get("/api/v1/table?by=peer&limit=1000").ok()?;
            let table: Value = serde_json::from_str(&body).ok()?;
            (table["total"]["requests"]["total"] == expected.values().sum::<u64>()).then_some(())
        })?;
        let page = browser::drive(&format!("http://{}/", agent.address()), "calls")?;
        let mut shown = totals(&page["peer"], "requests_total");
        shown.retain(|_, requests| *requests > 0);
        ensure!(shown == expected, "peers: the page {shown:?}, /metrics {expected:?}");
        let opaque = metrics.by("tls_opaque_bytes_total", &[("direction", "in")], "peer");
        let received = totals(&page["peer"], "received_total");
        ensure!(
            !opaque.is_empty() && opaque.iter().all(|(peer, bytes)| received.get(peer) == Some(bytes)),
            "{opaque:?}"
        );
        for panel in OUTGOING {
            ensure!(page["charts"][panel]["shapes"].as_u64() > Some(0), "{panel} is empty: {}", page["charts"][panel]);
        }

        let cells = page["cells"].to_string();
        ensure!(cells.contains("web") && cells.contains("team") && cells.contains("idle, accepted"), "{cells}");
        let sent = totals(&page["connection"], "sent_total");
        ensure!(sent.values().any(|bytes| *bytes == open.received), "{} is not among {sent:?}", open.received);
        ensure!(page["ariaSort"] == "descending" && page["wider"] == 0, "{} {}", page["ariaSort"], page["wider"]);
        ensure!(texts(&page["violations"]).is_empty() && texts(&page["console"]).is_empty(), "{}", page["console"]);
        Ok(())
    });
}

const ACCOUNTS: u64 = 10_000;

#[test]
fn ten_thousand_accounts_open_at_once() {
    lab::with_agent("overview-many", |lab| {
        let agent = served(lab, ACCOUNTS)?;
        let seen = browser::drive(&format!("http://{}/", agent.address()), "many")?;
        ensure!(seen["rows"] == 50, "{} rows", seen["rows"]);
        let all: String = seen["all"].as_str().unwrap_or_default().chars().filter(char::is_ascii_digit).collect();
        ensure!(all == ACCOUNTS.to_string(), "all: {}", seen["all"]);
        for body in seen["bodies"].as_array().context("bodies")? {
            ensure!(body[1].as_u64().is_some_and(|bytes| bytes < 200_000), "{body}");
        }
        ensure!(seen["elements"].as_u64().is_some_and(|count| count < 6000), "{} elements", seen["elements"]);
        ensure!(seen["suggested"].as_u64().is_some_and(|count| count <= 20), "{} suggestions", seen["suggested"]);
        ensure!(
            totals(&seen["found"], "requests_total") == [("account-7777".to_owned(), 1)].into(),
            "{}",
            seen["found"]
        );
        let skeleton = &seen["skeleton"];
        ensure!(skeleton["title"] == "Hippius agent" && skeleton["painted"] == 1, "{skeleton}");
        ensure!(skeleton["status"] == "Loading", "{skeleton}");
        Ok(())
    });
}

/// An agent that has seen one request by each of so many accounts, and sampled it.
fn served(lab: &Lab, accounts: u64) -> Result<Agent> {
    let server = Syscall::start(&lab.workdir, "recv-send")?;
    let config = Config::new()
        .service_with("api", &[server.server.port], "s3", "behind_gateway = true")
        .section("[labels]\nmax_series = 1000000\nper_family = 400000");
    let agent = lab.agent(&config)?;
    let mut raw = Raw::connect(server.server.address())?;
    for first in (0..accounts).step_by(16) {
        let batch = first..accounts.min(first + 16);
        let heads =
            batch.clone().map(|number| request("GET", "/1", &[&format!("X-Hippius-Main-Account: account-{number}")]));
        raw.send(heads.collect::<String>())?;
        for _ in batch {
            raw.read_response()?;
        }
    }
    expect::exactly(lab, &agent, "api", &Expected::requests(accounts))?;
    sampled(&agent, accounts)?;
    Ok(agent)
}
