//! What a dashboard's source may say.

use serde::Deserialize;

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Dashboard {
    /// Part of the dashboard's address; never changed once people have links to it.
    pub uid: String,
    pub title: String,
    pub description: String,
    #[serde(default)]
    pub variables: Vec<Variable>,
    pub rows: Vec<Row>,
}

/// A list that the reader picks values from; `All` to begin with.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Variable {
    pub name: String,
    pub label: String,
    /// A query of Grafana's Prometheus data source, `label_values(…)`.
    pub query: String,
}

/// Panels below a common heading, laid out from left to right.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Row {
    pub title: String,
    pub panels: Vec<Panel>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Panel {
    pub title: String,
    pub description: String,
    #[serde(default)]
    pub kind: Kind,
    /// Grafana's name of the unit: `reqps`, `Bps`, `s`, `percentunit` …
    pub unit: String,
    /// Of the 24 columns of a dashboard.
    #[serde(default = "half")]
    pub width: u32,
    /// Series on top of one another: for parts of a whole.
    #[serde(default)]
    pub stack: bool,
    /// Values from which on the panel turns yellow and red.
    pub limits: Option<[f64; 2]>,
    pub queries: Vec<Query>,
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Kind {
    #[default]
    Timeseries,
    /// One number, as it is now.
    Stat,
    /// Rows of labels with a number, as it is now.
    Table,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Query {
    pub expr: String,
    pub legend: String,
}

fn half() -> u32 {
    12
}
