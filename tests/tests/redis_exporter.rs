//! The agent beside Debian's redis_exporter on the same server: names, types, labels and values are the same, but for a
//! list of differences that says why (`redis_exporter_differences.txt`).

use std::collections::{BTreeMap, BTreeSet};
use std::process::Command;

use anyhow::{Context, Result, ensure};
use hippius_tests::agent::Agent;
use hippius_tests::config::Config;
use hippius_tests::lab;
use hippius_tests::metrics::Metrics;
use hippius_tests::process::Process;
use hippius_tests::servers::Server;
use hippius_tests::servers::redis::Redis;
use hippius_tests::workdir::Workdir;
use hippius_tests::{paths, ports, process, wait};

/// A series as it is printed, without the value.
type Key = (String, BTreeMap<String, String>);

struct Page {
    types: BTreeMap<String, String>,
    series: BTreeMap<Key, f64>,
}

impl Page {
    /// Left out: what Go and the two processes say about themselves.
    fn parse(text: &str) -> Result<Self> {
        let ours = |name: &str| !["go_", "process_", "promhttp_"].iter().any(|own| name.starts_with(own));
        let types = text.lines().filter_map(|line| line.strip_prefix("# TYPE ")?.split_once(' '));
        let types = types.filter(|(name, _)| ours(name)).map(|(name, kind)| (name.to_owned(), kind.to_owned()));
        let metrics = Metrics::parse(text)?;
        let samples = metrics.all().iter().filter(|sample| ours(&sample.name));
        let series = samples.map(|sample| ((sample.name.clone(), sample.labels.clone()), sample.value));
        Ok(Self { types: types.collect(), series: series.collect() })
    }
}

fn start_exporter(redis: &Redis, workdir: &Workdir) -> Result<Server> {
    let port = ports::free();
    let mut command = Command::new("prometheus-redis-exporter");
    command.args(["-redis.addr", &format!("redis://127.0.0.1:{}", redis.server.port)]);
    command.args(["-web.listen-address", &format!("127.0.0.1:{port}"), "-include-system-metrics"]);
    command.args(["-check-single-keys", "db0=list,db0=text", "-count-keys", "db0=obj:*:part:*"]);
    let mut process = Process::spawn("redis-exporter", command, workdir)?;
    process.wait_for_port(port)?;
    Ok(Server { process, port })
}

fn scrape_exporter(exporter: &Server) -> Result<Page> {
    let url = format!("http://127.0.0.1:{}/metrics", exporter.port);
    Page::parse(&process::run(Command::new("curl").args(["--silent", "--fail", &url]))?)
}

/// A page of a poll that began after this call.
fn next_page(agent: &Agent) -> Result<Page> {
    let page = || -> Result<Page> { Page::parse(&agent.get("/metrics/redis/main")?.1) };
    let polls = |page: &Page| page.series.get(&("redis_exporter_scrapes_total".to_owned(), BTreeMap::new())).copied();
    let before = polls(&page()?).context("a number of polls")?;
    wait::until("two more polls", wait::WIDE, || page().ok().filter(|page| polls(page) >= Some(before + 2.0)))
}

/// The list: what differs (`missing`, `added`, `type`, `labels`, `value`), the family, why.
fn differences() -> Result<BTreeSet<(String, String)>> {
    let text = std::fs::read_to_string(paths::workspace().join("tests/redis_exporter_differences.txt"))?;
    let lines = text.lines().filter(|line| !line.is_empty() && !line.starts_with('#'));
    let mut listed = BTreeSet::new();
    for line in lines {
        let mut words = line.splitn(3, ' ');
        let (Some(what), Some(family), Some(why)) = (words.next(), words.next(), words.next()) else {
            anyhow::bail!("{line:?} does not say what, which and why");
        };
        ensure!(why.len() > 10, "{line:?} does not say why");
        listed.insert((what.to_owned(), family.to_owned()));
    }
    Ok(listed)
}

fn family(series: &str) -> &str {
    series.strip_suffix("_sum").or_else(|| series.strip_suffix("_count")).unwrap_or(series)
}

#[test]
fn the_exporters_page_is_ours() {
    lab::with_agent("redis-exporter", |lab| {
        let redis = Redis::start(&lab.workdir)?;
        let mut client = redis.client()?;
        for words in [
            &["CONFIG", "SET", "slowlog-log-slower-than", "1000"][..],
            &["EVAL", "local x = 0; for i = 1, 3000000 do x = x + i end; return x", "0"],
            &["CONFIG", "SET", "slowlog-log-slower-than", "-1"],
            &["LPUSH", "list", "a", "b", "c"],
            &["SET", "text", "0123456789", "EX", "10000"],
            &["SET", "obj:1:part:1", "x"],
            &["GET", "text"],
        ] {
            client.ask(words)?;
        }
        ensure!(client.ask(&["LPUSH", "text", "x"]).is_err());
        let exporter = start_exporter(&redis, &lab.workdir)?;
        let agent = lab.agent(&Config::new().section(&format!(
            "[[redis]]\nname = \"main\"\nurl = {:?}\ninterval_ms = 100\nsweep_interval_s = 1\n\
             keys = [\"list\", \"text\"]\nkey_patterns = [\"obj:*:part:*\"]\n",
            redis.url()
        )))?;
        wait::until("a sweep", wait::WIDE, || {
            let page = Page::parse(&agent.get("/metrics/redis/main").ok()?.1).ok()?;
            page.types.contains_key("redis_keys_count").then_some(())
        })?;
        // Each has seen the other's commands from here on.
        scrape_exporter(&exporter)?;
        next_page(&agent)?;

        let mut found = BTreeSet::new();
        let mut values: BTreeSet<Key> = BTreeSet::new();
        for round in 0..40 {
            let before = scrape_exporter(&exporter)?;
            let ours = next_page(&agent)?;
            let after = scrape_exporter(&exporter)?;
            if round == 0 {
                found = shapes(&before, &ours);
                values = before.series.keys().filter(|key| ours.series.contains_key(*key)).cloned().collect();
            }
            // What moves is the same where ours lies between two of theirs; memory moves both ways, so a few looks.
            values.retain(|key| match (before.series.get(key), ours.series.get(key), after.series.get(key)) {
                (Some(low), Some(value), Some(high)) => !(low.min(*high)..=low.max(*high)).contains(value),
                _ => false,
            });
            if values.is_empty() {
                break;
            }
        }
        found.extend(values.into_iter().map(|(name, _)| ("value".to_owned(), family(&name).to_owned())));
        let listed = differences()?;
        let new: Vec<_> = found.difference(&listed).collect();
        ensure!(new.is_empty(), "these differ and are not listed: {new:#?}");
        Ok(())
    });
}

/// What differs in names, types and labels.
fn shapes(theirs: &Page, ours: &Page) -> BTreeSet<(String, String)> {
    let mut found = BTreeSet::new();
    let mut note = |what: &str, family: &str| found.insert((what.to_owned(), family.to_owned()));
    for (name, kind) in &theirs.types {
        match ours.types.get(name) {
            None => note("missing", name),
            Some(other) if other != kind => note("type", name),
            Some(_) => true,
        };
    }
    for name in ours.types.keys().filter(|name| !theirs.types.contains_key(*name)) {
        note("added", name);
    }
    for (name, labels) in theirs.series.keys() {
        let known = ours.types.contains_key(family(name)) || ours.types.contains_key(name);
        if known && !ours.series.contains_key(&(name.clone(), labels.clone())) {
            note("labels", family(name));
        }
    }
    found
}
