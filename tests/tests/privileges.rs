//! The agent without root: with the capabilities that the documentation names, and without one of them.

use std::path::Path;
use std::process::Command;

use anyhow::{Context, Result, ensure};
use hippius_tests::agent::Agent;
use hippius_tests::clients::raw::{Raw, request};
use hippius_tests::config::Config;
use hippius_tests::expect::{self, Expected};
use hippius_tests::lab::{self, Lab};
use hippius_tests::paths;
use hippius_tests::servers::nginx::Nginx;

/// `nobody` and `nogroup` of Debian.
const NOBODY: &str = "65534";

/// Bits of include/uapi/linux/capability.h.
const CAP_BPF: u64 = 1 << 39;

/// The binary where another user may read it.
fn readable_agent(lab: &Lab) -> Result<std::path::PathBuf> {
    let copy = lab.workdir.join("hippius-agent");
    std::fs::copy(paths::agent_binary()?, &copy)?;
    Ok(copy)
}

/// The program as an unprivileged user with these capabilities alone (`+bpf,+perfmon`).
fn unprivileged(program: &Path, capabilities: &str) -> Command {
    let only = format!("-all,{capabilities}");
    let mut command = Command::new("setpriv");
    command.args(["--reuid", NOBODY, "--regid", NOBODY, "--clear-groups"]);
    for set in ["--bounding-set", "--inh-caps", "--ambient-caps"] {
        command.args([set, &only]);
    }
    command.arg(program);
    command
}

fn start(lab: &Lab, config: &Config, capabilities: &str) -> Result<Agent> {
    let program = readable_agent(lab)?;
    Agent::start_with(config.text(), &lab.workdir, |command| {
        let mut wrapped = unprivileged(&program, capabilities);
        wrapped.args(command.get_args());
        *command = wrapped;
    })
}

fn capabilities(agent: &Agent, set: &str) -> Result<u64> {
    let status = std::fs::read_to_string(format!("/proc/{}/status", agent.pid()))?;
    let value = status.lines().find_map(|line| line.strip_prefix(set)?.strip_prefix(':')).context("no such set")?;
    Ok(u64::from_str_radix(value.trim(), 16)?)
}

#[test]
fn two_capabilities_are_enough_and_one_of_them_is_given_up() {
    lab::with_agent("two-capabilities", |lab| {
        let nginx = Nginx::start(&lab.workdir)?;
        let config = Config::new().service("nginx", nginx.server.port);
        let agent = start(lab, &config, "+bpf,+perfmon")?;
        for (set, expected) in [("CapEff", CAP_BPF), ("CapPrm", CAP_BPF), ("CapInh", 0), ("CapAmb", 0)] {
            let found = capabilities(&agent, set)?;
            ensure!(found == expected, "{set} is {found:x}, not {expected:x}");
        }
        let mut raw = Raw::connect(nginx.server.address())?;
        for _ in 0..3 {
            raw.send(request("GET", "/k1", &[]))?;
            raw.read_response()?;
        }
        let expected = Expected::requests(3).bytes(raw.sent, raw.received);
        expect::exactly(lab, &agent, "nginx", &expected.statuses(&[("200", 3)]))?;
        Ok(())
    });
}

#[test]
fn what_is_missing_is_named() {
    lab::with_agent("missing-capability", |lab| {
        let program = readable_agent(lab)?;
        for (granted, missing) in [("+bpf", "CAP_PERFMON missing"), ("+perfmon", "CAP_BPF missing")] {
            let output = unprivileged(&program, granted).arg("check").output()?;
            let said = String::from_utf8_lossy(&output.stdout).into_owned();
            ensure!(output.status.code() == Some(1), "{granted}: {:?}", output.status);
            ensure!(said.contains(missing) && said.contains("no capture back-end loads"), "{granted}: {said}");
            let error = start(lab, &Config::new(), granted).err().context("it started")?;
            ensure!(format!("{error:#}").contains("no capture back-end works here"), "{granted}: {error:#}");
        }
        Ok(())
    });
}
