//! `cargo xtask layers`: holds the project's structure by reading its sources.
//!
//! [`rules`] says what is allowed, [`references`] finds what a file refers to, [`module`] knows which module a file
//! is, [`text`] looks at length and at marks of unfinished work.

mod module;
mod references;
mod rules;
#[cfg(test)]
mod tests;
mod text;
mod tokens;

use std::collections::BTreeSet;
use std::fmt;
use std::fs;

use anyhow::{Context, Result, bail};
use walkdir::{DirEntry, WalkDir};

use crate::step::say;
use crate::workspace::Workspace;

/// Check that stages use only what is on their left, that pure stages are pure, and that no unfinished work is left.
///
/// The rules are in xtask/src/layers/rules.rs.
#[derive(clap::Args)]
pub struct Args {}

/// A breach of a rule. Ordered by place.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Finding {
    pub file: String,
    pub line: usize,
    /// What is not allowed there.
    pub what: String,
    /// Why.
    pub why: String,
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}: {} is not allowed: {}", self.file, self.line, self.what, self.why)
    }
}

/// A source file: its path from the root, with `/`, and its text.
#[derive(Debug)]
pub struct Source {
    pub path: String,
    pub text: String,
}

pub fn task(workspace: &Workspace, _: &Args) -> Result<()> {
    let sources = read(workspace)?;
    let findings = check(&sources)?;
    for finding in &findings {
        eprintln!("{finding}");
    }
    if !findings.is_empty() {
        bail!("breaches of the layer rules: {}", findings.len());
    }
    say(&format!("layers: {} files keep the rules", sources.len()));
    Ok(())
}

/// Applies every rule to every file.
fn check(sources: &[Source]) -> Result<Vec<Finding>> {
    let mut files = Vec::new();
    for source in sources.iter().filter(|source| source.path.ends_with(".rs")) {
        let file = references::read(source).with_context(|| format!("{} does not parse", source.path))?;
        files.push((source, file));
    }
    // A file that is declared under `#[cfg(test)]` is a test, though nothing in it says so.
    let tests: BTreeSet<_> = files.iter().flat_map(|(_, file)| file.test_modules.iter().cloned()).collect();
    let mut findings = BTreeSet::new();
    for (source, file) in &files {
        let is_test = module::of(&source.path).is_some_and(|module| module.is_within(&tests));
        findings.extend(rules::judge(source, file, is_test));
    }
    findings.extend(sources.iter().flat_map(text::judge));
    Ok(findings.into_iter().collect())
}

/// All sources of the project: Rust, and the scripts and servers of the tests.
fn read(workspace: &Workspace) -> Result<Vec<Source>> {
    let mut sources = Vec::new();
    let is_ours = |entry: &DirEntry| {
        let name = entry.file_name().to_string_lossy();
        entry.depth() == 0 || !(name == "target" || name == "node_modules" || name == "corpus" || name == ".git")
    };
    for entry in WalkDir::new(workspace.root()).sort_by_file_name().into_iter().filter_entry(is_ours) {
        let entry = entry?;
        let kind = entry.path().extension().and_then(|extension| extension.to_str()).unwrap_or_default();
        if entry.file_type().is_file() && ["rs", "py", "sh"].contains(&kind) {
            let path = entry.path().strip_prefix(workspace.root())?.to_string_lossy().into_owned();
            let text = fs::read_to_string(entry.path()).with_context(|| format!("cannot read {path}"))?;
            sources.push(Source { path, text });
        }
    }
    Ok(sources)
}
