//! The dashboards are what Grafana reads, ask for metrics that exist, and show data under real traffic.

use std::collections::BTreeMap;
use std::fmt;
use std::process::Command;
use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};
use hippius_tests::catalogue::Catalogue;
use hippius_tests::dashboards::{self, Dashboard, fill_in};
use hippius_tests::prometheus::Prometheus;
use hippius_tests::stack::{ACCOUNT, Stack};
use hippius_tests::workdir::Workdir;
use hippius_tests::{lab, node, process, promql, wait};

/// Panels without data under the traffic of this test, and why. None of them is in the overview.
const EMPTY: [(&str, &str, &str); 1] = [(
    "hippius-agent",
    "CPU of the Kernel Programs",
    "the kernel measures its programs only where somebody switches it on, which costs every program of the host",
)];

/// Families that have series only after something went wrong, which nothing does here. A query of them alone may be empty
/// where another one of its panel is not.
const QUIET: [&str; 2] = ["hippius_agent_streams_desynced_total", "hippius_agent_series_folded_total"];

/// The traffic has to come round, on a machine that may do other things.
const LIMIT: Duration = Duration::from_secs(120);

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
fn dashboards_ask_for_metrics_that_exist() -> Result<()> {
    let catalogue = Catalogue::read()?;
    for dashboard in dashboards::all()? {
        for variable in dashboard.variables()? {
            check_names(&catalogue, &variable.series, &dashboard.name)?;
        }
        for panel in dashboard.panels()? {
            for query in &panel.queries {
                check_names(&catalogue, query, &format!("{}: {}", dashboard.name, panel.title))?;
            }
        }
    }
    Ok(())
}

fn check_names(catalogue: &Catalogue, query: &str, place: &str) -> Result<()> {
    let unknown: Vec<_> = promql::metrics(query).into_iter().filter(|name| !catalogue.is_known(name)).collect();
    ensure!(unknown.is_empty(), "{place}: nobody serves {unknown:?}");
    Ok(())
}

#[test]
fn every_panel_and_every_rule_works_on_real_traffic() {
    lab::with_agent("dashboards", |lab| {
        let catalogue = Catalogue::read()?;
        let stack = Stack::start(lab)?;
        wait::until("both targets are up", LIMIT, || {
            (stack.prometheus.query("up == 1").ok()?.len() == 2).then_some(())
        })?;
        let all = dashboards::all()?;
        let mut wanted = Vec::new();
        for dashboard in &all {
            wanted.extend(variables(&catalogue, dashboard)?);
            wanted.extend(panels(&stack, &catalogue, dashboard)?);
        }
        // Together, because the traffic that fills one of them fills others too.
        let missing = || {
            wanted.retain(|wanted| !wanted.is_there(&stack.prometheus));
            wanted.is_empty().then_some(())
        };
        if wait::until("data", LIMIT, missing).is_err() {
            bail!("no data:\n{}", wanted.iter().map(Wanted::to_string).collect::<Vec<_>>().join("\n"));
        }
        check_rules(&stack, &catalogue)
    });
}

/// What has to be there once all traffic has come round.
struct Wanted {
    place: String,
    query: String,
    /// A label whose values are asked for, not a number.
    label: Option<String>,
}

impl Wanted {
    fn is_there(&self, prometheus: &Prometheus) -> bool {
        match &self.label {
            Some(label) => prometheus.label_values(&self.query, label).is_ok_and(|values| !values.is_empty()),
            None => prometheus.query(&self.query).is_ok_and(|numbers| !numbers.is_empty()),
        }
    }
}

impl fmt::Display for Wanted {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "{}: {}", self.place, self.query)
    }
}

/// Each variable offers something to pick.
fn variables(catalogue: &Catalogue, dashboard: &Dashboard) -> Result<Vec<Wanted>> {
    let served = |series: &str| promql::metrics(series).iter().all(|name| catalogue.is_served(name));
    let wanted =
        dashboard.variables()?.into_iter().filter(|variable| served(&variable.series)).map(|variable| Wanted {
            place: format!("{}: ${}", dashboard.name, variable.name),
            query: fill_in(&variable.series, &[]),
            label: Some(variable.label),
        });
    Ok(wanted.collect())
}

/// Each query of a panel gives a number, for all accounts and for one; or the panel is excused and gives none now.
fn panels(stack: &Stack, catalogue: &Catalogue, dashboard: &Dashboard) -> Result<Vec<Wanted>> {
    let one_account = [("main_account", ACCOUNT), ("service", "s3")];
    let mut wanted = Vec::new();
    for panel in dashboard.panels()? {
        let place = format!("{}: {}", dashboard.name, panel.title);
        let excused = EMPTY.iter().any(|(name, title, _)| *name == dashboard.name && *title == panel.title);
        let quiet = |query: &String| promql::metrics(query).iter().all(|name| QUIET.contains(&name.as_str()));
        ensure!(!panel.queries.iter().all(quiet), "{place}: empty as long as all is well");
        for query in &panel.queries {
            // Asked at once, whatever it gives: it has to be a query.
            let numbers = stack.prometheus.query(&fill_in(query, &[])).with_context(|| place.clone())?;
            if excused || !promql::metrics(query).iter().all(|name| catalogue.is_served(name)) {
                ensure!(numbers.is_empty(), "{place}: {query} has data: it needs no excuse any more");
            } else if !quiet(query) {
                let ask = |values: &[(&str, &str)]| fill_in(query, values);
                let queries = [ask(&[]), ask(&one_account)];
                wanted.extend(queries.map(|query| Wanted { place: place.clone(), query, label: None }));
            }
        }
    }
    Ok(wanted)
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
            let recorded = || (!stack.prometheus.query(name).ok()?.is_empty()).then_some(());
            wait::until(&format!("{name} records"), LIMIT, recorded)?;
        }
    }
    Ok(())
}
