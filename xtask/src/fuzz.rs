//! `cargo xtask fuzz`: libFuzzer over the parsers, on a stable compiler.

use std::collections::VecDeque;
use std::fs::{self, File};
use std::path::PathBuf;
use std::process::Command;
use std::sync::Mutex;
use std::thread;

use anyhow::{Context, Result, bail};

use crate::build;
use crate::step::{self, say};
use crate::workspace::Workspace;

/// With an explicit target cargo keeps the flags below away from build scripts and procedural macros.
const TARGET: &str = "x86_64-unknown-linux-gnu";

/// What cargo-fuzz passes, without the sanitizers that need a nightly compiler. LLVM's coverage pass itself is in every
/// compiler.
const RUSTFLAGS: [&str; 8] = [
    "-Cpasses=sancov-module",
    "-Cllvm-args=-sanitizer-coverage-level=4",
    "-Cllvm-args=-sanitizer-coverage-inline-8bit-counters",
    "-Cllvm-args=-sanitizer-coverage-pc-table",
    "-Cllvm-args=-sanitizer-coverage-trace-compares",
    "-Cdebug-assertions",
    "-Coverflow-checks",
    "--cfg=fuzzing",
];

/// More than there are cores on a small machine: each has its time by the clock, and all of them theirs in a few minutes.
const AT_ONCE: usize = 18;

/// Fuzz the parsers with libFuzzer; no nightly compiler and no cargo-fuzz needed.
///
/// Targets are the files of tests/fuzz/src/bin, each with seeds in tests/fuzz/corpus/<target>. What a run finds goes to
/// target/fuzz: inputs of new coverage to corpus/, crashing inputs to artifacts/, libFuzzer's output to logs/.
#[derive(clap::Args)]
pub struct Args {
    /// Seconds for each target
    #[arg(long, default_value_t = 60)]
    pub seconds: u32,
    /// Targets to run [default: all]
    pub targets: Vec<String>,
}

pub fn task(workspace: &Workspace, args: &Args) -> Result<()> {
    let targets = chosen(all(workspace)?, &args.targets)?;
    if !workspace.ebpf_object().exists() {
        build::ebpf(workspace)?;
    }
    compile(workspace)?;
    say(&format!("fuzzing {} for {} s each, {AT_ONCE} at a time", targets.join(", "), args.seconds));
    let waiting = Mutex::new(VecDeque::from(targets));
    let failures = Mutex::new(Vec::new());
    thread::scope(|scope| {
        for _ in 0..AT_ONCE {
            scope.spawn(|| {
                while let Some(target) = next(&waiting) {
                    match fuzz(workspace, &target, args.seconds) {
                        Ok(report) => say(&format!("{target}: {report}")),
                        Err(error) => push(&failures, format!("{target}: {error:#}")),
                    }
                }
            });
        }
    });
    let failures = failures.into_inner().unwrap_or_else(std::sync::PoisonError::into_inner);
    if !failures.is_empty() {
        bail!("{}", failures.join("\n"));
    }
    Ok(())
}

/// Every file in `src/bin` is a target.
fn all(workspace: &Workspace) -> Result<Vec<String>> {
    let dir = workspace.join("tests/fuzz/src/bin");
    let mut names = Vec::new();
    for entry in fs::read_dir(&dir).with_context(|| format!("cannot read {}", dir.display()))? {
        let path = entry?.path();
        if path.extension().is_some_and(|extension| extension == "rs") {
            names.extend(path.file_stem().map(|stem| stem.to_string_lossy().into_owned()));
        }
    }
    names.sort();
    Ok(names)
}

fn chosen(all: Vec<String>, wanted: &[String]) -> Result<Vec<String>> {
    if let Some(unknown) = wanted.iter().find(|name| !all.contains(name)) {
        bail!("there is no fuzz target `{unknown}`; there are: {}", all.join(", "));
    }
    Ok(all.into_iter().filter(|name| wanted.is_empty() || wanted.contains(name)).collect())
}

/// The fuzz crate is a workspace of its own: its flags and its C++ stay out of the project's build.
fn compile(workspace: &Workspace) -> Result<()> {
    let mut cargo = workspace.cargo();
    cargo
        .args(["build", "--release", "--bins", "--manifest-path", "tests/fuzz/Cargo.toml", "--target", TARGET])
        .arg("--target-dir")
        .arg(build_dir(workspace))
        .env("CARGO_ENCODED_RUSTFLAGS", RUSTFLAGS.join("\x1f"))
        .env_remove("RUSTFLAGS");
    step::run(&mut cargo)
}

/// Runs one target; gives libFuzzer's closing line. A crash, a hang or a leak is an error that shows the input.
fn fuzz(workspace: &Workspace, target: &str, seconds: u32) -> Result<String> {
    let own = |kind: &str| workspace.own_target("fuzz").join(kind);
    let finds = own("corpus").join(target);
    let artifacts = own("artifacts").join(target);
    let log = own("logs").join(format!("{target}.log"));
    for dir in [&finds, &artifacts, &own("logs")] {
        fs::create_dir_all(dir).with_context(|| format!("cannot create {}", dir.display()))?;
    }
    let output = File::create(&log)?;
    let mut command = Command::new(build_dir(workspace).join(TARGET).join("release").join(target));
    command
        .arg(format!("-max_total_time={seconds}"))
        .arg(format!("-artifact_prefix={}/", artifacts.display()))
        // A parser that needs seconds for one input is broken, too.
        .args(["-timeout=5", "-rss_limit_mb=1024", "-print_final_stats=1"])
        .stdout(output.try_clone()?)
        .stderr(output);
    let dictionary = workspace.join("tests/fuzz/dictionaries").join(format!("{target}.dict"));
    if dictionary.is_file() {
        command.arg(format!("-dict={}", dictionary.display()));
    }
    // libFuzzer writes to the first directory and only reads the others.
    command.arg(finds).args(seeds(workspace, target));
    let status = command.status().with_context(|| format!("cannot start the fuzz target {target}"))?;
    let text = String::from_utf8_lossy(&fs::read(&log)?).into_owned();
    if !status.success() {
        bail!("{status}, log in {}:\n{}", log.display(), tail(&text, 25));
    }
    Ok(closing_line(&text))
}

fn seeds(workspace: &Workspace, target: &str) -> Option<PathBuf> {
    Some(workspace.join("tests/fuzz/corpus").join(target)).filter(|dir| dir.is_dir())
}

fn build_dir(workspace: &Workspace) -> PathBuf {
    workspace.own_target("fuzz").join("build")
}

fn closing_line(log: &str) -> String {
    let line = log.lines().rev().find(|line| line.starts_with("Done ")).unwrap_or("no closing line");
    let coverage = log.lines().rev().find_map(|line| line.split_once(" cov: ")).map(|(_, rest)| rest);
    let coverage = coverage.and_then(|rest| rest.split_whitespace().next()).unwrap_or("?");
    format!("{line}, coverage {coverage}")
}

fn tail(text: &str, lines: usize) -> String {
    let all: Vec<_> = text.lines().collect();
    all[all.len().saturating_sub(lines)..].join("\n")
}

fn next(waiting: &Mutex<VecDeque<String>>) -> Option<String> {
    waiting.lock().unwrap_or_else(std::sync::PoisonError::into_inner).pop_front()
}

fn push(failures: &Mutex<Vec<String>>, failure: String) {
    say(&failure);
    failures.lock().unwrap_or_else(std::sync::PoisonError::into_inner).push(failure);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn targets_are_chosen_by_name() {
        let all = || vec!["a".to_owned(), "b".to_owned()];
        assert_eq!(chosen(all(), &[]).expect("all"), ["a", "b"]);
        assert_eq!(chosen(all(), &["b".to_owned()]).expect("one"), ["b"]);
        assert!(chosen(all(), &["c".to_owned()]).is_err());
    }

    #[test]
    fn the_report_has_runs_and_coverage() {
        let log = "#2\tINITED cov: 5 ft: 6\n#9\tDONE   cov: 17 ft: 20\nDone 9 runs in 1 second(s)\n";
        assert_eq!(closing_line(log), "Done 9 runs in 1 second(s), coverage 17");
        assert_eq!(tail("a\nb\nc", 2), "b\nc");
    }
}
