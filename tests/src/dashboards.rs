//! The shipped dashboards: their panels and queries, with the variables filled in.

use std::path::PathBuf;

use anyhow::{Context, Result};
use serde_json::Value;

use crate::paths;

/// What `$__rate_interval` and the like stand for in a test: long enough for all traffic to come round.
const INTERVALS: [(&str, &str); 4] =
    [("$__rate_interval", "1m"), ("$__range", "5m"), ("$__interval", "15s"), ("${datasource}", "prometheus")];

pub struct Dashboard {
    /// Name of the file without `.json`.
    pub name: String,
    pub json: Value,
}

pub struct Panel {
    pub title: String,
    pub kind: String,
    pub queries: Vec<String>,
    pub json: Value,
}

/// A variable with its query taken apart: `label_values(series, label)`.
pub struct Variable {
    pub name: String,
    pub series: String,
    pub label: String,
}

pub fn folder() -> PathBuf {
    paths::workspace().join("monitoring/grafana/dashboards")
}

/// All of them, by name.
pub fn all() -> Result<Vec<Dashboard>> {
    let mut dashboards = Vec::new();
    for entry in std::fs::read_dir(folder())? {
        let path = entry?.path();
        let text = std::fs::read_to_string(&path)?;
        let name = path.file_stem().context("a file without a name")?.to_string_lossy().into_owned();
        dashboards.push(Dashboard { json: serde_json::from_str(&text).with_context(|| name.clone())?, name });
    }
    dashboards.sort_by(|a, b| a.name.cmp(&b.name));
    Ok(dashboards)
}

impl Dashboard {
    /// Every panel but the headings.
    pub fn panels(&self) -> Result<Vec<Panel>> {
        let panels = self.json["panels"].as_array().context("panels")?;
        panels.iter().filter(|panel| panel["type"] != "row").map(Panel::read).collect()
    }

    pub fn variables(&self) -> Result<Vec<Variable>> {
        let list = self.json["templating"]["list"].as_array().context("templating.list")?;
        list.iter().filter(|variable| variable["type"] == "query").map(Variable::read).collect()
    }
}

impl Panel {
    fn read(panel: &Value) -> Result<Self> {
        let text = |key: &str| Ok::<_, anyhow::Error>(panel[key].as_str().context(key.to_owned())?.to_owned());
        let targets = panel["targets"].as_array().context("targets")?;
        let queries = targets.iter().map(|target| Ok(target["expr"].as_str().context("expr")?.to_owned()));
        Ok(Self {
            title: text("title")?,
            kind: text("type")?,
            queries: queries.collect::<Result<_>>()?,
            json: panel.clone(),
        })
    }
}

impl Variable {
    fn read(variable: &Value) -> Result<Self> {
        let query = variable["query"]["query"].as_str().context("query")?;
        let inner =
            query.strip_prefix("label_values(").and_then(|rest| rest.strip_suffix(')')).context("label_values")?;
        let (series, label) = inner.rsplit_once(',').context("a label")?;
        Ok(Self {
            name: variable["name"].as_str().context("name")?.to_owned(),
            series: series.trim().to_owned(),
            label: label.trim().to_owned(),
        })
    }
}

/// A query as Grafana sends it, with `All` or the given value for each variable.
pub fn fill_in(query: &str, values: &[(&str, &str)]) -> String {
    let mut text = query.to_owned();
    for (name, value) in INTERVALS {
        text = text.replace(name, value);
    }
    for (name, value) in values {
        text = text.replace(&format!("\"${name}\""), &format!("\"{value}\""));
    }
    // What is left over stands for All.
    let parts: Vec<&str> = text.split("\"$").collect();
    let mut filled = parts.first().map(|part| (*part).to_owned()).unwrap_or_default();
    for part in parts.iter().skip(1) {
        let rest = part.find('"').map_or("", |end| &part[end..]);
        filled.push_str("\".*");
        filled.push_str(rest);
    }
    filled
}

#[cfg(test)]
mod tests {
    use super::fill_in;

    #[test]
    fn variables_are_filled_in() {
        let query = r#"rate(x{a=~"$a",b=~"$b"}[$__rate_interval])"#;
        assert_eq!(fill_in(query, &[]), r#"rate(x{a=~".*",b=~".*"}[1m])"#);
        assert_eq!(fill_in(query, &[("a", "me")]), r#"rate(x{a=~"me",b=~".*"}[1m])"#);
    }
}
