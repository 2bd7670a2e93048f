//! A headless Chromium that looks at the overview page (apps/overview_drive.js).

use std::process::Command;

use anyhow::{Context, Result};
use serde_json::Value;

use crate::{node, paths, process};

/// Runs a scenario against the page at `url`; what was seen.
pub fn drive(url: &str, scenario: &str) -> Result<Value> {
    let mut command = Command::new("node");
    command.arg(paths::apps().join("overview_drive.js")).arg(node::modules()?).args([url, scenario]);
    let printed = process::run(&mut command)?;
    let line = printed.lines().last().context("the browser said nothing")?;
    serde_json::from_str(line).with_context(|| format!("the browser said {line}"))
}
