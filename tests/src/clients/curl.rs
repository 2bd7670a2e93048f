//! curl, as any user would call it; it counts the bytes of heads and bodies itself.

use std::process::Command;

use anyhow::{Context, Result};

use crate::process;

#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Answer {
    pub status: u16,
    pub body_received: u64,
    pub body_sent: u64,
    pub head_received: u64,
    pub head_sent: u64,
}

/// One call; `args` hold options and addresses. The body is thrown away.
pub fn curl(args: &[&str]) -> Result<Answer> {
    let format = "%{http_code} %{size_download} %{size_upload} %{size_header} %{size_request}";
    let mut command = Command::new("curl");
    command.args(["--silent", "--show-error", "--max-time", "60", "--noproxy", "*", "--output", "/dev/null"]);
    command.args(["--write-out", format]).args(args);
    let text = process::run(&mut command)?;
    let mut fields = text.split_whitespace().map(|word| word.parse::<u64>());
    let mut next = || fields.next().context("field")?.context("number");
    let status = u16::try_from(next()?)?;
    Ok(Answer { status, body_received: next()?, body_sent: next()?, head_received: next()?, head_sent: next()? })
}
