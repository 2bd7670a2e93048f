//! What the agent costs on each kernel, measured by the benchmark in the guest. The processor is emulated, so it gives
//! nothing but ratios.

use std::path::{Path, PathBuf};

use anyhow::Result;

use super::arch::Arch;
use super::guest::{self, Order};
use super::matrix::{self, Kernel};
use super::root::{Own, Root};
use crate::workspace::Workspace;

const JOB: &str = include_str!("measure.sh");

/// What the guests said.
#[derive(Default)]
pub struct Measured {
    /// For each back-end that works on a kernel, the JSON of the part.
    pub parts: Vec<String>,
    /// What is missing of them, one sentence a kernel.
    pub missing: Vec<String>,
}

/// Boots all kernels, one after the other so that none disturbs the other's times.
pub fn parts(workspace: &Workspace, agent: PathBuf, bench: PathBuf) -> Result<Measured> {
    let arch = Arch::native()?;
    arch.prepare()?;
    let folder = workspace.own_target("vm");
    let own = [Own { from: agent, name: "hippius-agent" }, Own { from: bench, name: "bench" }];
    let root = Root::build(&folder, arch, &own, JOB)?;
    let mut measured = Measured::default();
    for kernel in matrix::native() {
        let found = one(&folder, &root, &kernel)?;
        let works = kernel.backends.iter().filter(|one| one.expected == matrix::Expected::Works).count();
        if found.len() != works {
            measured.missing.push(format!("{}: {} of {works} back-ends were measured", kernel.series, found.len()));
        }
        measured.parts.extend(found);
    }
    Ok(measured)
}

fn one(folder: &Path, root: &Root, kernel: &Kernel) -> Result<Vec<String>> {
    let words = format!("HIPPIUS_PLAN={} HIPPIUS_SERIES={}", kernel.plan(), kernel.series);
    let outcome = guest::run(folder, &Order { kernel, root: root.path(), words: &words, refresh: false })?;
    Ok(said(&outcome.output))
}

/// Lines such as `@part {"name":"…", …}`.
fn said(output: &str) -> Vec<String> {
    output.lines().filter_map(|line| line.strip_prefix("@part ")).map(str::to_owned).collect()
}

#[cfg(test)]
mod tests {
    use super::said;

    #[test]
    fn a_guest_says_its_parts() {
        let part = "{\"at\":1,\"name\":\"emulated-6.12-fentry\",\"rows\":[]}";
        let found = said(&format!("@boot 6.12\nsocket-calls …\n@part {part}\n@done\n"));
        assert_eq!(found, [part]);
    }
}
