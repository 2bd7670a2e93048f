//! The shipped configuration and rules, by Prometheus' own tool: well formed, and each rule does what it should.

use std::process::Command;

use anyhow::{Context, Result, ensure};
use hippius_tests::catalogue::{Catalogue, rules};
use hippius_tests::{paths, process, prometheus, promql};

fn promtool(words: &[&str]) -> Result<String> {
    process::run(Command::new("promtool").args(words).current_dir(prometheus::shipped()))
}

#[test]
fn promtool_accepts_configurations_and_rules() -> Result<()> {
    promtool(&["check", "config", "prometheus.yml", "prometheus-split.yml"])?;
    promtool(&["check", "rules", "rules/recording.yml", "rules/alerts.yml"]).map(drop)
}

#[test]
fn every_rule_does_what_its_tests_say() -> Result<()> {
    promtool(&["test", "rules", "tests/recording.yml", "tests/service.yml", "tests/outbound.yml", "tests/agent.yml"])
        .map(drop)
}

/// Each alert is tested to be silent and to fire, each recording rule to give a number.
#[test]
fn no_rule_is_without_a_test() -> Result<()> {
    let mut tests = String::new();
    for name in ["recording.yml", "service.yml", "outbound.yml", "agent.yml"] {
        tests += &std::fs::read_to_string(prometheus::shipped().join("tests").join(name))?;
    }
    let cases: Vec<&str> = tests.split("      - alertname: ").skip(1).collect();
    for rule in rules("alerts.yml")? {
        let name = rule["alert"].as_str().context("alert")?;
        let of_rule = cases.iter().filter(|case| case.lines().next() == Some(name));
        let (fires, silent): (Vec<&str>, Vec<&str>) = of_rule.partition(|case| case.contains("exp_alerts"));
        ensure!(!fires.is_empty() && silent.len() >= 2, "{name}: not tested to be silent, to fire and to clear");
    }
    for rule in rules("recording.yml")? {
        let name = rule["record"].as_str().context("record")?;
        ensure!(
            tests.contains(&format!("{name}\n"))
                || tests.contains(&format!("{name}{{"))
                || tests.contains(&format!("{name},")),
            "{name}: not tested"
        );
    }
    Ok(())
}

#[test]
fn rules_ask_for_metrics_that_exist() -> Result<()> {
    let catalogue = Catalogue::read()?;
    for rule in rules("recording.yml")?.iter().chain(&rules("alerts.yml")?) {
        let expression = rule["expr"].as_str().context("expr")?;
        let unknown: Vec<_> =
            promql::metrics(expression).into_iter().filter(|name| !catalogue.is_known(name)).collect();
        ensure!(unknown.is_empty(), "{expression}: nobody serves {unknown:?}");
    }
    Ok(())
}

#[test]
fn every_alert_has_a_severity_a_summary_and_a_section_in_the_guide() -> Result<()> {
    let page = std::fs::read_to_string(paths::workspace().join("docs/guide/alerts.md"))?;
    for rule in rules("alerts.yml")? {
        let name = rule["alert"].as_str().context("alert")?;
        ensure!(page.contains(&format!("\n### {name}\n")), "docs/guide/alerts.md has no section {name}");
        let runbook = format!("docs/guide/alerts.md#{}", name.to_lowercase());
        ensure!(rule["annotations"]["runbook"] == runbook.as_str(), "{name}: the runbook is not {runbook}");
        ensure!(rule["annotations"]["summary"].is_string(), "{name}: no summary");
        ensure!(["critical", "warning"].map(Into::into).contains(&rule["labels"]["severity"]), "{name}: no severity");
    }
    Ok(())
}
