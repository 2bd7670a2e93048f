//! Clients that are found by their names and command lines: which processes are meant, from when on, and until when. The
//! truth is nginx' access log.

use std::io::Write as _;
use std::os::unix::fs::PermissionsExt as _;
use std::process::{Command, Stdio};

use anyhow::{Context as _, Result, ensure};
use hippius_tests::agent::Agent;
use hippius_tests::calls::{self, Calls};
use hippius_tests::config::Config;
use hippius_tests::lab::{self, Lab};
use hippius_tests::servers::nginx::Nginx;
use hippius_tests::{proc, process, python, wait};

const SCRIPT: &str = "[[client]]\nname = \"script\"\nprocess = \"client.sh\"";

/// The same program as curl under a name that nobody asks for.
fn other_curl(lab: &Lab) -> Result<String> {
    let curl = process::run(Command::new("sh").args(["-c", "command -v curl"]))?;
    let other = lab.workdir.join("other-curl");
    std::fs::copy(curl.trim(), &other)?;
    Ok(other.display().to_string())
}

/// A program of this name that runs these lines.
fn client_script(lab: &Lab, lines: &str) -> Result<String> {
    let script = lab.workdir.write("client.sh", format!("#!/bin/sh\n{lines}"))?;
    std::fs::set_permissions(&script, std::fs::Permissions::from_mode(0o755))?;
    Ok(script.display().to_string())
}

/// The line of a shell that makes one call.
fn call(program: &str, nginx: &Nginx, path: &str) -> String {
    format!("{program} -sS --noproxy '*' -o /dev/null 'http://{}/{path}'", nginx.server.address())
}

/// Each lives for a moment. When the agent comes to look makes no difference: half of the time it sleeps.
#[test]
fn clients_by_name_are_watched_from_their_first_moment_and_nobody_else_is() {
    lab::with_agent("calls-moment", |lab| {
        const ROUNDS: usize = 15;
        let nginx = Nginx::start(&lab.workdir)?;
        let other = other_curl(lab)?;
        let (meant, other) = (|path: &str| call("curl", &nginx, path), |path: &str| call(&other, &nginx, path));
        // What a client starts goes over to another program, from a thread that is not its first.
        let exec =
            "import os, sys, threading\nthreading.Thread(target=os.execv, args=(sys.argv[1], sys.argv[1:])).start()";
        let thread = format!("{} -c '{exec}' {}", python::program("python")?.display(), other("k1?client=thread"));
        let script = format!("{}\n{thread}\n", other("k1?client=child"));
        let script = client_script(lab, &script)?;
        let long = "x".repeat(3000);
        let lines = [
            meant("k1?client=name"),
            other("empty?1"),
            format!("exec {}", meant("k1?client=exec")),
            format!("{}; {}; {}", other("empty?2"), meant("k1?client=fork"), other("empty?3")),
            script,
            format!("{} -A 'by command'", other("k1?client=command")),
            format!("({}) & {}; wait", meant("k1?client=together"), other("empty?4")),
            // Its command line is longer than what is told of it, and nobody depends on that.
            format!("{} -A {long}", meant("k1?client=long")),
        ];
        let agent = lab.agent(
            &Config::with_calls()
                .capture("discover = false")
                .section("[[client]]\nname = \"curl\"\nprocess = \"curl\"")
                .section(SCRIPT)
                .section("[[client]]\nname = \"command\"\nprocess = \"other-*\"\ncommand = \"* -A by command\""),
        )?;
        for asleep in [false, true] {
            if asleep {
                agent.signal(libc::SIGSTOP);
            }
            for _ in 0..ROUNDS {
                for line in &lines {
                    process::run(Command::new("sh").args(["-c", line]))?;
                }
            }
        }
        agent.signal(libc::SIGCONT);
        let log = nginx.log(2 * ROUNDS * 12)?;
        let (meant, others): (Vec<_>, Vec<_>) = log.into_iter().partition(|line| line.uri.contains("client="));
        ensure!((meant.len(), others.len()) == (2 * ROUNDS * 8, 2 * ROUNDS * 4), "the rig's own counts differ");
        let address = nginx.server.address().to_string();
        calls::exactly(lab, &agent, &address, &Calls::logged(&meant))?;
        Ok(())
    });
}

/// The `count`th reload, once it is in force.
fn reload(agent: &Agent, count: u64, config: &str) -> Result<()> {
    agent.reload(config)?;
    wait::until("the reload", wait::WIDE, || {
        let done = agent.scrape().ok()?.sum("hippius_agent_config_reloads_total", &[("result", "success")]);
        (done >= count).then_some(())
    })
}

/// The child that makes the calls has no name that anybody asks for.
#[test]
fn a_client_by_descent_stays_one_until_its_parent_is_none() {
    lab::with_agent("calls-descent", |lab| {
        let nginx = Nginx::start(&lab.workdir)?;
        let other = other_curl(lab)?;
        let calls =
            ["first", "second", "last"].map(|name| format!("read go; {}", call(&other, &nginx, &format!("k1?{name}"))));
        let script = client_script(lab, &format!("sh -c \"{}\"\n:\n", calls.join("; ")))?;
        let config = Config::with_calls().capture("discover = false");
        let client = config.clone().section(SCRIPT);
        let mut older = Command::new(&script).stdin(Stdio::piped()).spawn()?;
        let mut go_older = older.stdin.take().context("a pipe")?;
        wait::until("the older one's child", wait::WIDE, || proc::children(older.id()).first().copied())?;
        let agent = lab.agent(&client)?;
        go_older.write_all(b"go\n")?;
        calls::as_logged(lab, &agent, &nginx, 1)?;
        let mut script = Command::new(script).stdin(Stdio::piped()).spawn()?;
        let mut go = script.stdin.take().context("a pipe")?;
        let address = nginx.server.address().to_string();
        go.write_all(b"go\n")?;
        calls::as_logged(lab, &agent, &nginx, 2)?;
        reload(&agent, 1, client.section("[[peer]]\nname = \"other\"\nport = 1").text())?;
        go.write_all(b"go\n")?;
        let counted = Calls::logged(&nginx.log(3)?);
        calls::exactly(lab, &agent, &address, &counted)?;
        let nobody = "[[client]]\nname = \"nobody\"\nprocess = \"nobody\"";
        reload(&agent, 2, config.clone().section(nobody).text())?;
        go.write_all(b"go\n")?;
        ensure!(script.wait()?.success(), "a call failed");
        ensure!(nginx.log(4)?.len() == 4, "the rig's own counts differ");
        // A call that nobody asks for comes before one that is asked for, and is not counted with it.
        reload(&agent, 3, config.section("[[client]]\nname = \"c\"\nprocess = \"other-curl\"").text())?;
        process::run(Command::new("sh").args(["-c", &call(&other, &nginx, "k1?again")]))?;
        let log: Vec<_> = nginx.log(5)?.into_iter().filter(|line| !line.uri.ends_with("?last")).collect();
        calls::exactly(lab, &agent, &address, &Calls::logged(&log))?;
        drop(go_older);
        older.wait()?;
        Ok(())
    });
}
