//! The project's own programs, as guests run them.

use std::ffi::OsString;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};

use super::arch::Arch;
use super::root::Own;
use crate::build;
use crate::step;
use crate::workspace::Workspace;

/// Builds them for `arch`; the agent only where none is given.
pub fn programs(workspace: &Workspace, arch: Arch, agent: Option<&Path>) -> Result<Vec<Own>> {
    let agent = match agent {
        Some(agent) => agent.to_path_buf(),
        None => {
            build::ebpf(workspace)?;
            step::run(arch.cargo(workspace)?.args(["build", "--package", "hippius-agent", "--release"]))?;
            arch.outputs(workspace).join("release/hippius-agent")
        }
    };
    step::run(arch.cargo(workspace)?.args(["build", "--package", "hippius-tests", "--bins"]))?;
    let servers = arch.outputs(workspace).join("debug");
    Ok(vec![
        Own { from: agent, name: "hippius-agent" },
        Own { from: test_binary(workspace, arch)?, name: "kernels" },
        Own { from: servers.join("syscall_server"), name: "syscall_server" },
        Own { from: servers.join("hyper_server"), name: "hyper_server" },
    ])
}

/// Cargo says where it puts a test: its name carries a hash.
fn test_binary(workspace: &Workspace, arch: Arch) -> Result<PathBuf> {
    let mut cargo = arch.cargo(workspace)?;
    cargo.args(["test", "--package", "hippius-tests", "--test", "kernels", "--no-run"]);
    step::run(&mut cargo)?;
    let said = step::answer(cargo.arg("--message-format=json")).context("cargo does not say what it built")?;
    executable(&said).map(PathBuf::from).context("cargo built no test `kernels`")
}

/// The last `"executable":"…"` of cargo's messages that belongs to the test.
fn executable(messages: &str) -> Option<OsString> {
    let mut lines = messages.lines().rev().filter(|line| line.contains("\"name\":\"kernels\""));
    let path = lines.find_map(|line| line.split_once("\"executable\":\"")?.1.split('"').next())?;
    Some(path.into())
}

#[cfg(test)]
mod tests {
    use super::executable;

    #[test]
    fn cargo_names_the_test_that_it_built() {
        let messages = "{\"target\":{\"name\":\"kernels\"},\"executable\":\"/t/debug/deps/kernels-12\",\"fresh\":true}\n\
            {\"target\":{\"name\":\"demo\"},\"executable\":\"/t/debug/demo\"}\n{\"reason\":\"build-finished\"}\n";
        assert_eq!(executable(messages), Some("/t/debug/deps/kernels-12".into()));
    }
}
