//! Programs that are watched from before their first connection: they wait for a word, and the agent starts meanwhile.

use std::io::Write as _;
use std::path::Path;
use std::process::{Child, Command, Stdio};

use anyhow::{Context, Result, bail};

/// What the agent's configuration calls them, and what their command lines have in them.
pub const NAME: &str = "hippius-launched";

/// A program that has not begun yet.
pub struct Launched {
    child: Child,
}

impl Launched {
    /// Waits in the process that the program will run in.
    pub fn new(program: &Path, arguments: &[&str]) -> Result<Self> {
        let mut command = Command::new("sh");
        command.args(["-c", "read -r go && exec \"$@\"", NAME]).arg(program).args(arguments);
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        Ok(Self { child: command.spawn().with_context(|| format!("start {command:?}"))? })
    }

    /// The section of the configuration that means them.
    pub fn section() -> String {
        format!("[[client]]\nname = \"launched\"\ncommand = \"*{NAME}*\"")
    }

    /// Lets it run to its end; what it printed.
    pub fn run(mut self) -> Result<String> {
        self.child.stdin.take().context("a pipe")?.write_all(b"go\n")?;
        let output = self.child.wait_with_output()?;
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        if !output.status.success() {
            bail!("{}:\n{text}{}", output.status, String::from_utf8_lossy(&output.stderr));
        }
        Ok(text)
    }
}
