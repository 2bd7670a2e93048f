//! The dashboards are what Grafana reads, ask for metrics that exist, and show data under real traffic.

use std::collections::BTreeMap;
use std::process::Command;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use hippius_tests::catalogue::{self, Catalogue};
use hippius_tests::dashboards::{self, Dashboard, Panel, fill_in};
use hippius_tests::stack::{ACCOUNT, Stack};
use hippius_tests::workdir::Workdir;
use hippius_tests::{lab, node, process, promql, wait};

/// Panels without data under the traffic of this test, and why. With the panels of `catalogue::LATER` at most ten, and
/// none of them in the overview.
const EMPTY: [(&str, &str, &str); 1] = [(
    "hippius-agent",
    "CPU of the Kernel Programs",
    "the kernel measures its programs only where somebody switches it on, which costs every program of the host",
)];
const MOST_EMPTY: usize = 10;

/// Families that have series only after something went wrong, which nothing does here. A query of them alone may be empty
/// where another one of its panel is not.
const QUIET: [&str; 2] = ["hippius_agent_streams_desynced_total", "hippius_agent_series_folded_total"];

/// The traffic has to come round, on a machine that may do other things.
const LIMIT: Duration = Duration::from_secs(90);

/// TypeScript's own check of literals against the types that Grafana publishes. `Plain` lets a string stand for a string
/// enum's member, as it does in JSON.
const TYPES: &str = "
import type { Dashboard } from '@grafana/schema';
import type * as TimeSeries from '@grafana/schema/dist/types/raw/composable/timeseries/panelcfg/x/TimeSeriesPanelCfg_types.gen.d.ts';
import type * as Stat from '@grafana/schema/dist/types/raw/composable/stat/panelcfg/x/StatPanelCfg_types.gen.d.ts';
import type * as Table from '@grafana/schema/dist/types/raw/composable/table/panelcfg/x/TablePanelCfg_types.gen.d.ts';
type Plain<T> = T extends string ? `${T}` : T extends number | boolean | null | undefined ? T
  : T extends (infer U)[] ? Plain<U>[] : T extends object ? { [K in keyof T]: Plain<T[K]> } : T;
";

#[test]
fn grafanas_own_types_accept_every_dashboard() -> Result<()> {
    let workdir = Workdir::new("dashboards")?;
    let mut text = TYPES.to_owned();
    let mut count = 0;
    let mut add = |kind: &str, json: &serde_json::Value| {
        count += 1;
        text.push_str(&format!("export const literal{count}: {kind} = {json};\n"));
    };
    for dashboard in dashboards::all()? {
        add("Plain<Dashboard>", &dashboard.json);
        for panel in dashboard.panels()? {
            let types = BTreeMap::from([("timeseries", "TimeSeries"), ("stat", "Stat"), ("table", "Table")]);
            let types = types.get(panel.kind.as_str()).with_context(|| format!("a panel of kind {}", panel.kind))?;
            add(&format!("Plain<Partial<{types}.Options>>"), &panel.json["options"]);
            if panel.kind == "timeseries" {
                add("Plain<TimeSeries.FieldConfig>", &panel.json["fieldConfig"]["defaults"]["custom"]);
            }
        }
    }
    workdir.write("check.ts", text)?;
    let modules = node::tools()?.join("node_modules");
    std::os::unix::fs::symlink(&modules, workdir.join("node_modules"))?;
    let mut compiler = Command::new("node");
    compiler.arg(modules.join("typescript/bin/tsc")).current_dir(workdir.path());
    compiler.args(["--noEmit", "--strict", "--skipLibCheck", "--module", "esnext", "--moduleResolution", "bundler"]);
    compiler.args(["--target", "es2022", "check.ts"]);
    process::run(&mut compiler).map(drop)
}

#[test]
fn every_panel_says_what_it_shows_and_in_which_unit() -> Result<()> {
    for dashboard in dashboards::all()? {
        let mut titles = Vec::new();
        for panel in dashboard.panels()? {
            let place = format!("{}: {}", dashboard.name, panel.title);
            ensure!(!titles.contains(&panel.title), "{place}: twice");
            ensure!(panel.json["description"].as_str().is_some_and(|text| text.len() > 15), "{place}: no description");
            let unit = panel.json["fieldConfig"]["defaults"]["unit"].as_str();
            ensure!(unit.is_some_and(|unit| !unit.is_empty()), "{place}: no unit");
            ensure!(!panel.queries.is_empty(), "{place}: no query");
            for query in &panel.queries {
                ensure!(!query.contains("vector("), "{place}: an invented value: {query}");
                let ranges = query.matches('[').count();
                let honest = ["[$__rate_interval]", "[$__range]", "[1h]", "[5m]"];
                let known: usize = honest.iter().map(|range| query.matches(range).count()).sum();
                ensure!(ranges == known, "{place}: a rate not over $__rate_interval: {query}");
            }
            titles.push(panel.title);
        }
    }
    Ok(())
}

#[test]
fn the_overview_has_the_six_panels_and_the_filters_of_the_guide() -> Result<()> {
    let all = dashboards::all()?;
    let overview = all.iter().find(|dashboard| dashboard.name == "hippius-s3-overview").context("the overview")?;
    ensure!(overview.json["title"] == "Hippius S3 Overview");
    let titles: Vec<String> = overview.panels()?.into_iter().map(|panel| panel.title).collect();
    for title in [
        "HTTP Request Rate by Account",
        "Redis Connection & Key Count",
        "Redis Queue Lengths",
        "Multipart Chunks Count",
        "Data Transfer Rate by Account",
        "HTTP Response Times",
    ] {
        ensure!(titles.iter().any(|found| found == title), "no panel {title}");
    }
    let names: Vec<String> = overview.variables()?.into_iter().map(|variable| variable.name).collect();
    ensure!(names == ["service", "main_account", "subaccount_id", "handler"], "{names:?}");
    Ok(())
}

#[test]
fn dashboards_ask_for_metrics_that_exist_or_are_marked_as_later() -> Result<()> {
    let catalogue = Catalogue::read()?;
    let mut later = Vec::new();
    for dashboard in dashboards::all()? {
        for variable in dashboard.variables()? {
            check_names(&catalogue, &variable.series, &dashboard.name)?;
        }
        for panel in dashboard.panels()? {
            let place = format!("{}: {}", dashboard.name, panel.title);
            for query in &panel.queries {
                check_names(&catalogue, query, &place)?;
            }
            let marked = panel.json["description"].as_str().is_some_and(|text| text.contains("later version"));
            let wanted = asks_only_for_later(&panel);
            ensure!(marked == wanted, "{place}: marked as later work: {marked}, is: {wanted}");
            if wanted {
                later.push(place);
            }
        }
    }
    ensure!(later.len() + EMPTY.len() <= MOST_EMPTY, "too many panels are empty: {later:?} and {EMPTY:?}");
    ensure!(!later.iter().any(|place| place.starts_with("hippius-s3-overview")), "{later:?}");
    let arrived = catalogue.arrived();
    ensure!(arrived.is_empty(), "the catalogue has got {arrived:?}: take them off the list of later metrics");
    Ok(())
}

fn check_names(catalogue: &Catalogue, query: &str, place: &str) -> Result<()> {
    let unknown: Vec<_> = promql::metrics(query).into_iter().filter(|name| !catalogue.is_known(name)).collect();
    ensure!(unknown.is_empty(), "{place}: nobody serves {unknown:?}");
    Ok(())
}

fn asks_only_for_later(panel: &Panel) -> bool {
    panel.queries.iter().flat_map(|query| promql::metrics(query)).all(|name| catalogue::is_later(&name))
}

#[test]
fn every_panel_and_every_rule_works_on_real_traffic() {
    lab::with_agent("dashboards", |lab| {
        let catalogue = Catalogue::read()?;
        let stack = Stack::start(lab, &catalogue)?;
        wait::until("both targets are up", LIMIT, || {
            (stack.prometheus.query("up == 1").ok()?.len() == 2).then_some(())
        })?;
        for dashboard in dashboards::all()? {
            check_variables(&stack, &catalogue, &dashboard)?;
            for panel in dashboard.panels()? {
                check_panel(&stack, &catalogue, &dashboard, &panel)
                    .with_context(|| format!("{}: {}", dashboard.name, panel.title))?;
            }
        }
        check_rules(&stack, &catalogue)
    });
}

/// Each variable offers something to pick.
fn check_variables(stack: &Stack, catalogue: &Catalogue, dashboard: &Dashboard) -> Result<()> {
    for variable in dashboard.variables()? {
        let served = promql::metrics(&variable.series).iter().all(|name| catalogue.is_served(name));
        let series = fill_in(&variable.series, &[]);
        let name = format!("{}: ${} has values", dashboard.name, variable.name);
        let some = || (!stack.prometheus.label_values(&series, &variable.label).ok()?.is_empty()).then_some(());
        if served {
            wait::until(&name, LIMIT, some)?;
        }
    }
    Ok(())
}

/// Each query gives a number, for all accounts and for one; or the panel is excused and gives none.
fn check_panel(stack: &Stack, catalogue: &Catalogue, dashboard: &Dashboard, panel: &Panel) -> Result<()> {
    let excused = EMPTY.iter().any(|(name, title, _)| *name == dashboard.name && *title == panel.title);
    let one_account = [("main_account", ACCOUNT), ("service", "s3")];
    let asks_only = |query: &String, list: &[&str]| promql::metrics(query).iter().all(|name| list.contains(&&**name));
    let (quiet, loud): (Vec<_>, Vec<_>) = panel.queries.iter().partition(|query| asks_only(query, &QUIET));
    ensure!(!loud.is_empty(), "the panel is empty as long as all is well");
    for query in quiet {
        stack.prometheus.query(&fill_in(query, &[]))?;
    }
    for query in loud {
        let served = promql::metrics(query).iter().all(|name| catalogue.is_served(name));
        let has_data = |values: &[(&str, &str)]| {
            stack.prometheus.query(&fill_in(query, values)).is_ok_and(|numbers| !numbers.is_empty())
        };
        if !served || excused {
            // Asked all the same: the query has to be one.
            let numbers = stack.prometheus.query(&fill_in(query, &[]))?;
            ensure!(numbers.is_empty(), "{query} has data: it needs no excuse any more");
            continue;
        }
        wait::until(query, LIMIT, || has_data(&[]).then_some(()))?;
        wait::until(&format!("{query} for one account"), LIMIT, || has_data(&one_account).then_some(()))?;
    }
    Ok(())
}

/// Prometheus evaluates every rule without an error, each recording rule of served metrics records, and nothing fires.
fn check_rules(stack: &Stack, catalogue: &Catalogue) -> Result<()> {
    let all_evaluated = || {
        let rules = stack.prometheus.api("rules", &[]).ok()?;
        let rules: Vec<_> = rules["groups"]
            .as_array()?
            .iter()
            .filter_map(|group| group["rules"].as_array())
            .flatten()
            .cloned()
            .collect();
        rules.iter().all(|rule| rule["health"] != "unknown").then_some(rules)
    };
    for rule in wait::until("every rule was evaluated", LIMIT, all_evaluated)? {
        let name = rule["name"].as_str().context("name")?;
        ensure!(rule["health"] == "ok", "{name}: {}", rule["lastError"]);
        ensure!(rule["state"] != "firing", "{name} fires on a healthy host: {}", rule["alerts"]);
        if rule["type"] == "recording" && catalogue.is_served(name) {
            ensure!(!stack.prometheus.query(name)?.is_empty(), "{name} records nothing");
        }
    }
    Ok(())
}
