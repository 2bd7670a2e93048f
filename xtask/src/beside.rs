//! A long command that runs beside the rest of a task, in processor time that nothing else wants.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use anyhow::{Context, Result, bail};

use crate::step::{self, say};

/// Lines of the command's own words that are shown when it fails.
const TAIL: usize = 40;

/// The command that runs.
pub struct Beside {
    child: Child,
    what: String,
    log: PathBuf,
}

impl Beside {
    /// Starts it. What it says goes to this file.
    ///
    /// `SCHED_IDLE` (sched(7)) gives way to every other task in the moment in which that wakes, so measured times and tests
    /// that wait are not disturbed as they would be by a low priority alone.
    pub fn start(command: &Command, log: PathBuf) -> Result<Self> {
        let what = step::display(command);
        let mut idle = idle(command);
        let folder = log.parent().context("a log without a folder")?;
        fs::create_dir_all(folder).with_context(|| format!("cannot create {}", folder.display()))?;
        let output = File::create(&log).with_context(|| format!("cannot create {}", log.display()))?;
        idle.stdin(Stdio::null()).stdout(output.try_clone()?).stderr(output);
        say(&format!("{what} (beside the next steps, to {})", log.display()));
        let child = idle.spawn().context("cannot start chrt")?;
        Ok(Self { child, what, log })
    }

    /// Waits for its end; failing is an error that shows its last words.
    pub fn finish(mut self) -> Result<()> {
        let status = self.child.wait().with_context(|| format!("cannot wait for `{}`", self.what))?;
        if !status.success() {
            bail!("`{}` failed: {status}, log in {}:\n{}", self.what, self.log.display(), tail(&self.log));
        }
        Ok(())
    }
}

impl Drop for Beside {
    fn drop(&mut self) {
        // It has ended, unless the task was broken off.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The same command, scheduled when nothing else is.
fn idle(command: &Command) -> Command {
    let mut idle = Command::new("chrt");
    idle.args(["--idle", "0"]).arg(command.get_program()).args(command.get_args());
    for (name, value) in command.get_envs() {
        match value {
            Some(value) => idle.env(name, value),
            None => idle.env_remove(name),
        };
    }
    if let Some(folder) = command.get_current_dir() {
        idle.current_dir(folder);
    }
    idle
}

fn tail(log: &Path) -> String {
    let text = String::from_utf8_lossy(&fs::read(log).unwrap_or_default()).into_owned();
    let lines: Vec<_> = text.lines().collect();
    lines[lines.len().saturating_sub(TAIL)..].join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn run(name: &str, script: &str) -> (Result<()>, String) {
        let log = std::env::temp_dir().join(format!("hippius-xtask-{name}-{}", std::process::id()));
        let mut command = Command::new("sh");
        command.args(["-c", script]).env("WORD", "said").current_dir("/");
        let ended = Beside::start(&command, log.clone()).and_then(Beside::finish);
        let text = fs::read_to_string(&log).expect("its log");
        fs::remove_file(log).expect("its log");
        (ended, text)
    }

    #[test]
    fn it_is_the_same_command_with_the_lowest_claim() {
        let (ended, text) = run("beside", "echo $WORD; pwd; chrt --pid $$");
        ended.expect("it ends well");
        assert!(text.starts_with("said\n/\n"), "{text}");
        assert!(text.contains("SCHED_IDLE"), "{text}");
    }

    #[test]
    fn what_failed_is_shown() {
        let error = run("failing", "echo $WORD; exit 3").0.expect_err("it fails").to_string();
        assert!(error.contains("exit status: 3") && error.ends_with("\nsaid"), "{error}");
    }
}
