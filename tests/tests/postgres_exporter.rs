//! The agent beside Debian's prometheus-postgres-exporter on the same server: names, types, labels and values.

use std::collections::{BTreeMap, BTreeSet};

use anyhow::{Context, Result, ensure};
use hippius_tests::config::Config;
use hippius_tests::metrics::{Metrics, Sample};
use hippius_tests::process;
use hippius_tests::servers::postgres::Postgres;
use hippius_tests::servers::postgres_exporter::PostgresExporter;
use hippius_tests::{lab, paths, polled, wait};

/// The kept list of differences.
struct Differences {
    lines: Vec<(String, String)>,
    used: std::cell::RefCell<BTreeSet<usize>>,
}

impl Differences {
    fn read() -> Result<Self> {
        let path = paths::workspace().join("tests/postgres_exporter_differences.txt");
        let text = std::fs::read_to_string(path)?;
        let lines = text.lines().filter(|line| !line.starts_with('#') && !line.is_empty());
        let words = lines.map(|line| {
            let mut words = line.split(' ');
            Ok((words.next().context("kind")?.to_owned(), words.next().context("name")?.to_owned()))
        });
        Ok(Self { lines: words.collect::<Result<_>>()?, used: Default::default() })
    }

    fn has(&self, kind: &str, name: &str) -> bool {
        let found = self.lines.iter().position(|(other, pattern)| {
            other == kind && pattern.strip_suffix('*').map_or(pattern == name, |start| name.starts_with(start))
        });
        self.used.borrow_mut().extend(found);
        found.is_some()
    }

    fn unused(&self) -> Vec<&(String, String)> {
        let used = self.used.borrow();
        self.lines.iter().enumerate().filter(|(index, _)| !used.contains(index)).map(|(_, line)| line).collect()
    }
}

/// Types by family.
fn types(page: &str) -> BTreeMap<&str, &str> {
    page.lines().filter_map(|line| line.strip_prefix("# TYPE ")?.split_once(' ')).collect()
}

/// Labels without what only the exporter has.
fn labels(sample: &Sample) -> BTreeMap<&str, &str> {
    let labels = sample.labels.iter().filter(|(key, _)| *key != "server");
    labels.map(|(key, value)| (key.as_str(), value.as_str())).collect()
}

/// What differs between both pages and stands on no list.
fn differences(exporter: &str, agent: &str, list: &Differences) -> Result<Vec<String>> {
    let mut found = Vec::new();
    let (theirs, ours) = (types(exporter), types(agent));
    let foreign = |name: &str| {
        name.starts_with("go_") || name.starts_with("promhttp_") || name == "process_virtual_memory_max_bytes"
    };
    for (name, kind) in theirs.iter().filter(|(name, _)| !foreign(name)) {
        match ours.get(name) {
            None if list.has("missing", name) => {}
            None => found.push(format!("{name}: only the exporter has it")),
            Some(other) if other != kind => found.push(format!("{name}: {kind} there, {other} here")),
            Some(_) => {}
        }
    }
    for name in ours.keys().filter(|name| !theirs.contains_key(**name) && !list.has("agent", name)) {
        found.push(format!("{name}: only the agent has it"));
    }
    let agent = Metrics::parse(agent)?;
    for sample in Metrics::parse(exporter)?.all().iter().filter(|sample| ours.contains_key(&*sample.name)) {
        if sample.labels.iter().any(|(key, value)| list.has("row", &format!("{key}={value:?}"))) {
            continue;
        }
        let same = agent.select(&sample.name, &[]).find(|other| labels(other) == labels(sample));
        // A database that nobody is connected to stands still.
        let stands = sample.has(&[("datname", "load")]) && !sample.name.starts_with("pg_stat_activity");
        let moving = list.has("moving", &sample.name) && !stands;
        match same {
            _ if sample.value.is_nan() && list.has("nan", &sample.name) => {}
            None if moving && sample.name.starts_with("pg_scrape_collector") => {}
            None => found.push(format!("{sample}: no such series here")),
            Some(other) if moving || other.value == sample.value => {}
            Some(other) => found.push(format!("{sample} there, {} here", other.value)),
        }
    }
    Ok(found)
}

#[test]
fn names_types_labels_and_values_are_those_of_the_exporter() {
    lab::with_agent("postgres-exporter", |lab| {
        let options = [
            "shared_preload_libraries=pg_stat_statements",
            "autovacuum=off",
            "archive_mode=on",
            "archive_command=true",
        ];
        let postgres = Postgres::start_with(&lab.workdir, &options)?;
        postgres.sql("CREATE EXTENSION pg_stat_statements")?;
        postgres.sql("CREATE DATABASE load")?;
        let load = postgres.url().replace("/postgres?", "/load?");
        process::run(postgres.client("pgbench").args(["-i", "-q", &load]))?;
        process::run(postgres.client("pgbench").args(["-n", "-t", "50", &load]))?;
        postgres.sql("CREATE TABLE t (a int); SELECT pg_switch_wal(); CHECKPOINT")?;
        postgres.sql("SELECT pg_create_physical_replication_slot('kept', true)")?;
        let url = postgres.monitor()?;
        let exporter = PostgresExporter::start(&url, &lab.workdir)?;
        let agent = lab.agent(&Config::new().section(&polled::postgres("main", &url, "")))?;
        let list = Differences::read()?;
        let mut last = Vec::new();
        // What is not moving comes to rest; the exporter looks at each scrape, the agent a moment before.
        let settled = wait::until("both pages are equal", wait::WIDE, || {
            polled::fresh(&agent, "postgres/main", "pg_exporter_scrapes_total").ok()?;
            last = differences(&exporter.page().ok()?, &polled::page(&agent, "postgres/main").ok()?.0, &list).ok()?;
            last.is_empty().then_some(())
        });
        settled.with_context(|| last.join("\n"))?;
        ensure!(
            list.unused().iter().all(|(kind, name)| may_be_absent(kind, name)),
            "no difference: {:?}",
            list.unused()
        );
        Ok(())
    });
}

/// Differences that need a standby or an archive to be seen.
fn may_be_absent(kind: &str, name: &str) -> bool {
    kind == "moving"
        || matches!(
            name,
            "pg_stat_replication_*" | "pg_stat_progress_vacuum_*" | "pg_replication_slots_safe_wal_size_bytes"
        )
}
