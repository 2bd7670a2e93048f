//! The operators' guide as the test reads it: pages and their fenced blocks.

use std::path::PathBuf;

use anyhow::{Context, Result, ensure};

use crate::paths;

/// In the order in which a newcomer reads them: later blocks build on earlier ones.
pub const PAGES: [&str; 11] = [
    "README",
    "quick-start",
    "metrics",
    "dashboards",
    "running",
    "alerts",
    "troubleshooting",
    "production",
    "scaling",
    "maintenance",
    "migration",
];

/// What the reason for not running a command begins with, in the first line of its block.
const NOT_RUN: &str = "not-run:";

/// A fenced block of a page.
pub struct Block {
    pub page: &'static str,
    pub line: usize,
    pub kind: Kind,
    pub text: String,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// Commands that are run.
    Run,
    /// Commands that are not, with a reason.
    NotRun,
    /// A question to Prometheus.
    Promql,
    /// Configuration of the agent.
    Agent,
    /// Configuration of Prometheus.
    Prometheus,
    /// The agent's web.config.file.
    WebConfig,
    /// Nothing to check.
    Text,
}

pub fn folder() -> PathBuf {
    paths::workspace().join("docs/guide")
}

/// The blocks of all pages, in the order of reading.
pub fn blocks() -> Result<Vec<Block>> {
    let mut blocks = Vec::new();
    for page in PAGES {
        let text = std::fs::read_to_string(folder().join(format!("{page}.md"))).context(page)?;
        let mut open: Option<(Block, String)> = None;
        for (number, line) in text.lines().enumerate() {
            let place = format!("{page}.md:{}", number + 1);
            let fence = line.trim_start().strip_prefix("```");
            match (&mut open, fence) {
                (None, Some(info)) => {
                    let indent = line[..line.len() - line.trim_start().len()].to_owned();
                    let block = Block { page, line: number + 1, kind: kind(info).context(place)?, text: String::new() };
                    open = Some((block, indent));
                }
                (Some(_), Some(end)) => {
                    ensure!(end.is_empty(), "{place}: a block in a block");
                    blocks.extend(open.take().map(|(block, _)| block));
                }
                (Some((block, indent)), None) => {
                    block.text.push_str(line.strip_prefix(indent.as_str()).unwrap_or(line));
                    block.text.push('\n');
                }
                (None, None) => {}
            }
        }
        ensure!(open.is_none(), "{page}.md: a block without an end");
    }
    Ok(blocks)
}

fn kind(info: &str) -> Result<Kind> {
    let (language, rest) = info.split_once(' ').unwrap_or((info, ""));
    Ok(match (language, rest) {
        ("sh", "") => Kind::Run,
        ("sh", reason) => {
            let reason = reason.strip_prefix(NOT_RUN).with_context(|| format!("{reason:?} is no reason"))?;
            ensure!(reason.trim().len() > 9, "not-run without a reason");
            Kind::NotRun
        }
        ("promql", "") => Kind::Promql,
        ("toml", "") => Kind::Agent,
        ("yaml", "prometheus") => Kind::Prometheus,
        ("yaml", "web-config") => Kind::WebConfig,
        ("text", "") => Kind::Text,
        _ => anyhow::bail!("a block of a kind that no test knows: {info:?}"),
    })
}
