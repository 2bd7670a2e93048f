//! One measurement as it is kept in `target/bench`, so that each can be repeated alone and the page is made of all.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use anyhow::{Context, Result};
use hippius_tests::paths;
use serde_json::{Value, json};

use crate::report::Row;

pub struct Part {
    pub name: String,
    /// Seconds since 1970 at its end.
    pub at: u64,
    /// Few and short rounds.
    pub is_quick: bool,
    pub took: Duration,
    /// The kernel that it ran on, with the word `emulated` where that is so.
    pub kernel: String,
    pub rows: Vec<Row>,
}

impl Part {
    /// What was measured just now.
    pub fn now(name: &str, is_quick: bool, took: Duration, rows: Vec<Row>) -> Self {
        let at = SystemTime::UNIX_EPOCH.elapsed().map_or(0, |since| since.as_secs());
        let kernel = fs::read_to_string("/proc/sys/kernel/osrelease").unwrap_or_default().trim().to_owned();
        Self { name: name.to_owned(), at, is_quick, took, kernel, rows }
    }

    pub fn json(&self) -> Value {
        let rows: Vec<Value> = self.rows.iter().map(Row::json).collect();
        let seconds = self.took.as_secs();
        json!({"name": self.name, "at": self.at, "quick": self.is_quick, "seconds": seconds, "kernel": self.kernel, "rows": rows})
    }

    fn from_json(value: &Value) -> Result<Self> {
        let text = |key: &str| value[key].as_str().map(str::to_owned).with_context(|| key.to_owned());
        let number = |key: &str| value[key].as_u64().with_context(|| key.to_owned());
        let rows = value["rows"].as_array().context("rows")?;
        Ok(Self {
            name: text("name")?,
            at: number("at")?,
            is_quick: value["quick"].as_bool().context("quick")?,
            took: Duration::from_secs(number("seconds")?),
            kernel: text("kernel")?,
            rows: rows.iter().map(Row::from_json).collect::<Result<_>>()?,
        })
    }

    /// Where they are kept.
    pub fn folder() -> PathBuf {
        paths::workspace().join("target/bench")
    }

    pub fn keep(&self, folder: &Path) -> Result<()> {
        fs::create_dir_all(folder)?;
        let path = folder.join(&self.name).with_extension("json");
        fs::write(&path, format!("{:#}\n", self.json())).with_context(|| format!("write {}", path.display()))
    }

    /// All that are kept, by name.
    pub fn kept(folder: &Path) -> Result<Vec<Self>> {
        let mut parts = Vec::new();
        for entry in fs::read_dir(folder).with_context(|| format!("read {}", folder.display()))? {
            let path = entry?.path();
            if path.extension().is_some_and(|extension| extension == "json") {
                let value = serde_json::from_slice(&fs::read(&path)?).with_context(|| path.display().to_string())?;
                parts.push(Self::from_json(&value).with_context(|| path.display().to_string())?);
            }
        }
        parts.sort_by(|one, other| one.name.cmp(&other.name));
        Ok(parts)
    }
}
