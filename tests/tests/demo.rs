//! `cargo xtask demo`: everything that it says it shows, it shows.

use std::collections::BTreeSet;
use std::process::Command;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use hippius_tests::catalogue::Catalogue;
use hippius_tests::metrics::Metrics;
use hippius_tests::process::Process;
use hippius_tests::{dashboards, http, lab, paths, promql, wait};
use serde_json::Value;

/// All traffic has to come round, on a machine that may do other things.
const LIMIT: Duration = Duration::from_secs(120);

/// Dashboards whose panels all have data, without an excuse.
const FULL: [&str; 2] = ["hippius-s3-overview", "hippius-workers"];

#[test]
fn every_panel_of_the_page_and_of_the_workers_has_data() {
    lab::with_agent("demo", |lab| {
        let demo = Command::new(paths::own_binary("demo")?);
        let mut demo = Process::spawn("demo", demo, &lab.workdir)?;
        let log = lab.workdir.join("demo.log");
        let port = wait::until("the address of the demo", LIMIT, || {
            let text = std::fs::read_to_string(&log).ok()?;
            let (_, address) = text.split_once("metrics: http://127.0.0.1:")?;
            address.split('/').next()?.parse::<u16>().ok()
        })?;
        let mut empty = Vec::new();
        let filled = wait::until("a value in every chart of the page", LIMIT, || {
            let (_, body) = http::answer(port, "/api/v1/overview?range=10m").ok()?;
            let overview: Value = serde_json::from_str(&body).ok()?;
            let panels = overview["panels"].as_array()?;
            let without = |panel: &&Value| panel["series"].as_array().is_none_or(Vec::is_empty);
            empty = panels.iter().filter(without).map(|panel| panel["id"].to_string()).collect();
            (!panels.is_empty() && empty.is_empty()).then_some(())
        });
        filled.with_context(|| format!("without a value: {empty:?}"))?;

        let mut names = names()?;
        ensure!(names.len() > 20, "only {names:?} would be looked for");
        let there = wait::until("a series of every metric of the dashboards", LIMIT, || {
            let (_, body) = http::answer(port, "/metrics").ok()?;
            let metrics = Metrics::parse(&body).ok()?;
            names.retain(|name| metrics.select(name, &[]).next().is_none());
            names.is_empty().then_some(())
        });
        there.with_context(|| format!("without a series: {names:?}"))?;
        let (status, _) = demo.stop(libc::SIGTERM, wait::WIDE)?;
        ensure!(status.success(), "the demo ended with {status}");
        Ok(())
    });
}

/// What the panels ask the agent for.
fn names() -> Result<BTreeSet<String>> {
    let catalogue = Catalogue::read()?;
    let mut names = BTreeSet::new();
    for dashboard in dashboards::all()?.iter().filter(|dashboard| FULL.contains(&dashboard.name.as_str())) {
        let queries = dashboard.panels()?.into_iter().flat_map(|panel| panel.queries);
        names.extend(queries.flat_map(|query| promql::metrics(&query)).filter(|name| catalogue.is_served(name)));
    }
    // What Prometheus records has colons in its name.
    names.retain(|name| !name.contains(':'));
    Ok(names)
}
