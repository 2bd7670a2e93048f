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
    /// When it was measured anew since and failed, in seconds since 1970.
    pub failed_at: Option<u64>,
}

impl Part {
    /// What was measured just now.
    pub fn now(name: &str, is_quick: bool, took: Duration, rows: Vec<Row>) -> Self {
        let at = now();
        let kernel = fs::read_to_string("/proc/sys/kernel/osrelease").unwrap_or_default().trim().to_owned();
        Self { name: name.to_owned(), at, is_quick, took, kernel, rows, failed_at: None }
    }

    pub fn json(&self) -> Value {
        let rows: Vec<Value> = self.rows.iter().map(Row::json).collect();
        let seconds = self.took.as_secs();
        json!({
            "name": self.name, "at": self.at, "quick": self.is_quick, "seconds": seconds, "kernel": self.kernel, "rows": rows,
            "failed_at": self.failed_at,
        })
    }

    /// As [`Part::json`] gives it.
    pub fn from_json(value: &Value) -> Result<Self> {
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
            failed_at: value["failed_at"].as_u64(),
        })
    }

    /// Where they are kept.
    pub fn folder() -> PathBuf {
        paths::workspace().join("target/bench")
    }

    /// Keeps it. One that failed does not replace one that did not, which then only says that it was tried.
    pub fn keep(self, folder: &Path) -> Result<()> {
        fs::create_dir_all(folder)?;
        let path = folder.join(&self.name).with_extension("json");
        let old = if self.has_failed() { Self::read(&path).ok().filter(|old| !old.has_failed()) } else { None };
        match old {
            Some(old) => Self { failed_at: Some(self.at), ..old }.write(&path),
            None => self.write(&path),
        }
    }

    fn has_failed(&self) -> bool {
        self.rows.iter().any(Row::has_failed)
    }

    fn write(&self, path: &Path) -> Result<()> {
        fs::write(path, format!("{:#}\n", self.json())).with_context(|| format!("write {}", path.display()))
    }

    fn read(path: &Path) -> Result<Self> {
        Self::from_json(&serde_json::from_slice(&fs::read(path)?)?)
    }

    /// All that are kept, by name.
    pub fn kept(folder: &Path) -> Result<Vec<Self>> {
        let mut parts = Vec::new();
        for entry in fs::read_dir(folder).with_context(|| format!("read {}", folder.display()))? {
            let path = entry?.path();
            if path.extension().is_some_and(|extension| extension == "json") {
                parts.push(Self::read(&path).with_context(|| path.display().to_string())?);
            }
        }
        parts.sort_by(|one, other| one.name.cmp(&other.name));
        Ok(parts)
    }
}

fn now() -> u64 {
    SystemTime::UNIX_EPOCH.elapsed().map_or(0, |since| since.as_secs())
}

#[cfg(test)]
mod tests {
    use anyhow::anyhow;
    use hippius_tests::workdir::Workdir;

    use super::*;

    fn part(row: Row, at: u64) -> Part {
        Part { at, ..Part::now("a", false, Duration::ZERO, vec![row]) }
    }

    #[test]
    fn what_failed_does_not_replace_what_did_not() {
        let folder = Workdir::new("bench-parts").expect("a folder");
        let folder = folder.path();
        let kept = || Part::kept(folder).expect("parts").remove(0);
        let good = || Row::told("requests/s", "7".to_owned());
        let failed = || Row::failed("a", &anyhow!("no server"));
        part(failed(), 1).keep(folder).expect("kept");
        assert!(kept().has_failed() && kept().at == 1, "there was none before");
        part(good(), 2).keep(folder).expect("kept");
        part(failed(), 3).keep(folder).expect("kept");
        assert_eq!((kept().has_failed(), kept().at, kept().failed_at), (false, 2, Some(3)));
        part(good(), 4).keep(folder).expect("kept");
        assert_eq!((kept().at, kept().failed_at), (4, None));
    }
}
