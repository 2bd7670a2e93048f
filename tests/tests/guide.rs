//! The operators' guide: its commands work, its queries and configurations are accepted, its metrics and links exist.

use std::process::Command;

use anyhow::{Context, Result, ensure};
use hippius_tests::catalogue::Catalogue;
use hippius_tests::guide::{self, Block, Kind};
use hippius_tests::process::Process;
use hippius_tests::{lab, paths, promql, python, wait};

#[test]
fn every_page_is_read() -> Result<()> {
    for entry in std::fs::read_dir(guide::folder())? {
        let path = entry?.path();
        let name = path.file_stem().context("a name")?.to_string_lossy().into_owned();
        ensure!(guide::PAGES.contains(&name.as_str()), "{name}.md is not on the list of pages");
    }
    Ok(())
}

#[test]
fn every_command_query_and_configuration_works() {
    lab::with_agent("guide", |lab| {
        let folder = lab.workdir.path();
        for (number, block) in guide::blocks()?.iter().enumerate() {
            if let Some(script) = script(block) {
                let name = format!("blocks/{number:03}-{}.md:{}", block.page, block.line);
                lab.workdir.write(&name, script)?;
            }
        }
        // The project's root stands in the way of no command: they are run in a copy of what they need.
        let mut sandbox = Command::new("unshare");
        sandbox.args(["--mount", "--net", "--"]).arg(paths::apps().join("guide_sandbox.sh"));
        sandbox.arg(folder).arg(paths::agent_binary()?.canonicalize()?).arg(python::program("python")?);
        let mut process = Process::spawn("guide", sandbox, &lab.workdir)?;
        let status = wait::until("the guide", wait::WIDE * 6, || process.try_wait().ok().flatten())?;
        ensure!(status.success(), "{}", process.log());
        Ok(())
    });
}

/// What is run for a block.
fn script(block: &Block) -> Option<String> {
    let text = &block.text;
    let file = |name: &str, check: &str| format!("cat >{name} <<'END_OF_BLOCK'\n{text}END_OF_BLOCK\n{check}\n");
    Some(match block.kind {
        Kind::Run => text.clone(),
        Kind::NotRun | Kind::Text => return None,
        Kind::Promql => file(
            "query.promql",
            "curl -sS -G --data-urlencode query@query.promql http://127.0.0.1:9090/api/v1/query | tee answer\n\
             grep -q '\"status\":\"success\"' answer",
        ),
        Kind::Agent => file("agent.toml", "hippius-agent check --config agent.toml || test $? -ne 2"),
        Kind::Prometheus => file("prometheus.yml", "promtool check config --syntax-only prometheus.yml"),
        // Beside the certificate and the key that an earlier block has made.
        Kind::WebConfig => file(
            "secrets/guide-web-config.yml",
            "echo 'web_config_file = \"secrets/guide-web-config.yml\"' >web.toml\n\
             hippius-agent check --config web.toml || test $? -ne 2",
        ),
    })
}

#[test]
fn every_metric_of_the_guide_exists() -> Result<()> {
    let catalogue = Catalogue::read()?;
    let of_prometheus = |name: &str| name == "ALERTS" || name.starts_with("prometheus_");
    for block in guide::blocks()?.iter().filter(|block| block.kind == Kind::Promql) {
        for name in promql::metrics(&block.text) {
            ensure!(catalogue.is_known(&name) || of_prometheus(&name), "{}.md:{}: {name}", block.page, block.line);
        }
    }
    for page in guide::PAGES {
        // Names of the old stack stand in the table that says what became of them.
        let text = std::fs::read_to_string(guide::folder().join(format!("{page}.md")))?;
        let new = |line: &str| {
            if page == "migration" { line.split('|').nth(2).unwrap_or("").to_owned() } else { line.to_owned() }
        };
        for line in text.lines() {
            let new = new(line);
            for word in new.split('`').skip(1).step_by(2) {
                let word = word.split(['{', ' ', ':']).next().unwrap_or(word);
                let metric =
                    ["http_", "s3_", "hippius_", "redis_", "pg_", "ipfs_"].iter().any(|start| word.starts_with(start));
                let whole = word.chars().all(|c| c.is_ascii_alphanumeric() || c == '_') && !word.ends_with('_');
                let label = ["redis_instance", "pg_instance", "pg_monitor", "redis_exporter", "postgres_exporter"]
                    .contains(&word);
                ensure!(!metric || !whole || label || catalogue.is_known(word), "{page}.md: {word}");
            }
        }
    }
    Ok(())
}

#[test]
fn every_link_of_the_guide_leads_somewhere() -> Result<()> {
    for page in guide::PAGES {
        let text = std::fs::read_to_string(guide::folder().join(format!("{page}.md")))?;
        for link in text.split("](").skip(1).filter_map(|rest| rest.split(')').next()) {
            if link.starts_with("http") {
                continue;
            }
            let (file, anchor) = link.split_once('#').unwrap_or((link, ""));
            let target =
                if file.is_empty() { guide::folder().join(format!("{page}.md")) } else { guide::folder().join(file) };
            let target_text = std::fs::read_to_string(&target).with_context(|| format!("{page}.md: {link}"))?;
            let headings = target_text.lines().filter(|line| line.starts_with('#')).map(anchor_of);
            ensure!(anchor.is_empty() || headings.into_iter().any(|found| found == anchor), "{page}.md: {link}");
        }
    }
    Ok(())
}

/// The anchor of a heading, as the usual viewers of Markdown make it.
fn anchor_of(heading: &str) -> String {
    let text = heading.trim_start_matches('#').trim().to_lowercase();
    let kept = text.chars().filter(|c| c.is_alphanumeric() || matches!(c, ' ' | '-' | '_'));
    kept.map(|c| if c == ' ' { '-' } else { c }).collect()
}
