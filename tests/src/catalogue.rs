//! Which metric names dashboards, rules and the guide may use: the catalogue as the agent prints it, the recording rules
//! and Prometheus' own.

use std::collections::{BTreeMap, BTreeSet};
use std::process::Command;

use anyhow::{Context, Result, ensure};
use serde_yaml_ng::Value;

use crate::{paths, process, prometheus, promql};

/// Families with a type; Prometheus makes `up` and its like itself.
pub struct Catalogue {
    families: BTreeMap<String, String>,
    /// Recording rules and the metrics that they ask for.
    recorded: BTreeMap<String, BTreeSet<String>>,
}

impl Catalogue {
    pub fn read() -> Result<Self> {
        let printed = process::run(Command::new(paths::agent_binary()?).arg("metrics"))?;
        let families: BTreeMap<_, _> = printed.lines().filter_map(family).collect();
        ensure!(families.len() > 30, "the agent prints its metrics in another form");
        let mut recorded = BTreeMap::new();
        for rule in rules("recording.yml")? {
            let name = rule["record"].as_str().context("record")?.to_owned();
            let asks = promql::metrics(rule["expr"].as_str().context("expr")?);
            recorded.insert(name, asks.into_iter().collect());
        }
        Ok(Self { families, recorded })
    }

    /// Whether the agent serves it now.
    pub fn has(&self, name: &str) -> bool {
        let family = |name: &str| self.families.get(name).map(String::as_str);
        let histogram = |end: &str| name.strip_suffix(end).and_then(family) == Some("histogram");
        family(name).is_some() || ["_bucket", "_sum", "_count"].into_iter().any(histogram)
    }

    /// Whether Prometheus can have it: from the agent, of its own, or by a rule over such.
    pub fn is_served(&self, name: &str) -> bool {
        match self.recorded.get(name) {
            Some(asks) => asks.iter().all(|ask| self.is_served(ask)),
            None => name == "up" || self.has(name),
        }
    }

    /// Whether somebody may write it down.
    pub fn is_known(&self, name: &str) -> bool {
        self.is_served(name) || self.recorded.contains_key(name)
    }
}

/// The rules of a shipped file, whatever group they are in.
pub fn rules(file: &str) -> Result<Vec<Value>> {
    let text = std::fs::read_to_string(prometheus::shipped().join("rules").join(file))?;
    let document: Value = serde_yaml_ng::from_str(&text).context(file.to_owned())?;
    let groups = document["groups"].as_sequence().context("groups")?;
    Ok(groups.iter().flat_map(|group| group["rules"].as_sequence().cloned().unwrap_or_default()).collect())
}

/// A row of the printed table: name and type.
fn family(line: &str) -> Option<(String, String)> {
    let mut cells = line.strip_prefix("| `")?.split('|');
    let name = cells.next()?.trim().trim_end_matches('`');
    Some((name.to_owned(), cells.next()?.trim().to_owned()))
}
