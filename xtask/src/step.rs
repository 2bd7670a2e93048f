//! Runs commands: shown before they start, their output left to the user, their failure named.

use std::os::unix::fs::MetadataExt;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::{env, fs};

use anyhow::{Context, Result, bail};

/// Tells the user what is about to happen, in one line.
pub fn say(what: &str) {
    eprintln!("xtask: {what}");
}

/// Runs a command with inherited stdio; failing is an error that names it.
pub fn run(command: &mut Command) -> Result<()> {
    say(&display(command));
    let status = command.status().with_context(|| format!("cannot start `{}`", display(command)))?;
    if !status.success() {
        bail!("`{}` failed: {status}", display(command));
    }
    Ok(())
}

/// Runs a command in silence and gives what it wrote to stdout, or nothing if it could not start or failed.
pub fn answer(command: &mut Command) -> Option<String> {
    let output = command.output().ok().filter(|output| output.status.success())?;
    String::from_utf8(output.stdout).ok()
}

/// Replaces this process by the command, run as root. `sudo` resets the environment, so what the command was
/// given goes through `env`.
pub fn exec_as_root(command: &mut Command) -> Result<()> {
    let mut command = if is_root() {
        std::mem::replace(command, Command::new(""))
    } else if find_program("sudo").is_some() {
        say("loading kernel programs needs root; asking sudo");
        through_sudo(command)
    } else {
        bail!("loading kernel programs needs root and there is no sudo: run this task as root");
    };
    say(&display(&command));
    let error = command.exec();
    Err(error).with_context(|| format!("cannot start `{}`", display(&command)))
}

/// Whether a check that this machine cannot make is a failure: `HIPPIUS_REQUIRE_BPF`, as CI sets it.
pub fn bpf_is_required() -> bool {
    env::var_os("HIPPIUS_REQUIRE_BPF").is_some()
}

/// Whether this process is root's.
pub fn is_root() -> bool {
    fs::metadata("/proc/self").is_ok_and(|process| process.uid() == 0)
}

/// Finds a program on `PATH`, or where Debian keeps daemons, which an ordinary user's `PATH` leaves out.
pub fn find_program(name: &str) -> Option<PathBuf> {
    let path = env::var_os("PATH").unwrap_or_default();
    let daemons = [PathBuf::from("/usr/sbin"), PathBuf::from("/sbin")];
    env::split_paths(&path).chain(daemons).map(|dir| dir.join(name)).find(|file| is_executable(file))
}

fn is_executable(file: &Path) -> bool {
    fs::metadata(file).is_ok_and(|meta| meta.is_file() && meta.mode() & 0o111 != 0)
}

fn through_sudo(command: &Command) -> Command {
    let mut sudo = Command::new("sudo");
    sudo.arg("env");
    for (name, value) in command.get_envs() {
        if let Some(value) = value {
            let mut pair = name.to_os_string();
            pair.push("=");
            pair.push(value);
            sudo.arg(pair);
        }
    }
    sudo.arg(command.get_program()).args(command.get_args());
    if let Some(dir) = command.get_current_dir() {
        sudo.current_dir(dir);
    }
    sudo
}

/// The command as one would type it, without its environment.
fn display(command: &Command) -> String {
    let program = Path::new(command.get_program());
    let name = program.file_name().unwrap_or(program.as_os_str()).to_string_lossy();
    let words = command.get_args().map(|arg| arg.to_string_lossy());
    std::iter::once(name).chain(words).collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_failing_command_is_named() {
        let error = run(Command::new("false").arg("x")).expect_err("false fails");
        assert_eq!(error.to_string(), "`false x` failed: exit status: 1");
    }

    #[test]
    fn sudo_gets_the_environment_as_words() {
        let sudo = through_sudo(Command::new("/bin/agent").env("A", "1").arg("-v"));
        assert_eq!(display(&sudo), "sudo env A=1 /bin/agent -v");
    }

    #[test]
    fn programs_are_found_by_name() {
        assert!(find_program("sh").is_some());
        assert!(find_program("no-such-program").is_none());
    }
}
