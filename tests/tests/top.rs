//! `hippius-agent top` in a real terminal, over real traffic.

use std::process::Command;

use anyhow::{Result, ensure};
use hippius_tests::agent::Agent;
use hippius_tests::clients::raw::{Raw, request};
use hippius_tests::config::Config;
use hippius_tests::expect::{self, Expected};
use hippius_tests::lab::{self, Lab};
use hippius_tests::metrics::Metrics;
use hippius_tests::paths;
use hippius_tests::pty::Terminal;
use hippius_tests::servers::syscall::Syscall;

const LEFT: &str = "\x1b[D";
const DOWN: &str = "\x1b[B";

/// So many requests by each account: alice reads, bob writes, 40 others read once.
const ALICE: u64 = 30;
const BOB: u64 = 20;
const OTHERS: u64 = 40;

/// An agent after the traffic, and what it says of it. The server goes with it.
fn served(lab: &Lab, more: &str) -> Result<(Agent, Metrics, Syscall)> {
    let server = Syscall::start(&lab.workdir, "recv-send")?;
    let config = Config::new().section(more).service_with("api", &[server.server.port], "s3", "behind_gateway = true");
    let agent = lab.agent(&config)?;
    let mut raw = Raw::connect(server.server.address())?;
    let mut exchange = |method: &str, target: &str, account: &str| -> Result<()> {
        raw.send(request(method, target, &[&format!("X-Hippius-Main-Account: {account}")]))?;
        raw.read_response().map(drop)
    };
    for _ in 0..ALICE {
        exchange("GET", "/20", "alice")?;
    }
    for _ in 0..BOB {
        exchange("DELETE", "/bucket/key", "bob")?;
    }
    for number in 0..OTHERS {
        exchange("GET", "/2000", &format!("other-{number:02}"))?;
    }
    let expected = Expected::requests(ALICE + BOB + OTHERS).bytes(raw.sent, raw.received);
    let metrics = expect::exactly(lab, &agent, "api", &expected)?;
    Ok((agent, metrics, server))
}

fn top(agent: &Agent, arguments: &[&str]) -> Result<Command> {
    let mut command = Command::new(paths::agent_binary()?);
    command.args(["top", "--interval", "1", "--url", &format!("http://{}", agent.address())]).args(arguments);
    Ok(command)
}

/// The numbers of the line that begins with `name`.
fn line<'a>(screen: &'a str, name: &str) -> Vec<&'a str> {
    let found = screen.lines().find(|line| line.split_whitespace().next() == Some(name));
    found.unwrap_or_default().split_whitespace().collect()
}

/// The numbers of a total's column: the second of each pair.
fn total(screen: &str, name: &str, place: usize) -> u64 {
    line(screen, name).get(place).and_then(|word| word.parse().ok()).unwrap_or(0)
}

#[test]
fn the_terminal_shows_what_the_metrics_say_and_obeys_the_keys() {
    lab::with_agent("top", |lab| {
        let (agent, metrics, _server) = served(lab, "")?;
        let mut terminal = Terminal::start(top(&agent, &["--sort", "requests_total"])?, 140, 20)?;
        let said = metrics.by("http_requests_total", &[], "main_account");
        let screen = terminal.until("the totals", |screen| total(screen, "alice", 2) == ALICE)?;
        ensure!(said["alice"] == ALICE && said["bob"] == BOB && total(&screen, "bob", 2) == BOB, "{screen}");
        ensure!(screen.contains("Accounts  live") && screen.contains("42 rows"), "{screen}");
        let names: Vec<_> = screen.lines().skip(3).filter_map(|line| line.split_whitespace().next()).collect();
        ensure!(names.starts_with(&["alice", "bob", "other-00"]), "{screen}");

        terminal.send("r")?;
        terminal.until("the other way round", |screen| {
            screen.lines().nth(3).is_some_and(|line| line.starts_with("other"))
        })?;
        terminal.send(&LEFT.repeat(2))?;
        terminal.until("names from A", |screen| screen.lines().nth(3).is_some_and(|line| line.starts_with("alice")))?;
        terminal.send(&DOWN.repeat(3))?;
        terminal.until("three rows down", |screen| {
            screen.lines().nth(3).is_some_and(|line| line.starts_with("other-01"))
        })?;
        terminal.send("/HER-3")?;
        terminal.until("what is typed", |screen| screen.contains("10 rows") && screen.contains("/HER-3"))?;
        terminal.send("\r")?;
        terminal.send("o")?;
        terminal.until("no such operation", |screen| screen.contains("S3 operations") && screen.contains("0 rows"))?;
        terminal.send("\x1b")?;
        let operations = metrics.by("s3_operations_total", &[], "operation");
        let screen = terminal.until("operations", |screen| total(screen, "DeleteObject", 3) == BOB)?;
        for (name, count) in &operations {
            ensure!(total(&screen, name, 3) == *count, "{name}: {count}\n{screen}");
        }
        terminal.send("s")?;
        terminal.until("services", |screen| total(screen, "api", 2) == ALICE + BOB + OTHERS)?;
        terminal.send("?")?;
        terminal.until("the keys", |screen| screen.contains("the other way round"))?;
        terminal.send("?p")?;
        terminal.until("a pause", |screen| screen.contains("Services  paused"))?;
        terminal.send("q")?;
        ensure!(terminal.end()?.success() && !terminal.is_taken(), "the terminal is not set back");
        Ok(())
    });
}

#[test]
fn the_terminal_is_set_back_and_errors_are_shown() {
    lab::with_agent("top-ends", |lab| {
        let (mut agent, ..) = served(lab, "")?;
        let mut terminal = Terminal::start(top(&agent, &[])?, 60, 12)?;
        terminal.until("rows in a narrow terminal", |screen| screen.contains("alice") && screen.contains("out/s"))?;
        ensure!(terminal.is_taken(), "the rows are not on a screen of their own");
        agent.stop()?;
        let screen = terminal.until("an error", |screen| screen.contains("no answer from"))?;
        ensure!(screen.contains("alice"), "the last rows stay:\n{screen}");
        terminal.signal(libc::SIGTERM);
        ensure!(terminal.end()?.success() && !terminal.is_taken(), "the terminal is not set back");
        Ok(())
    });
}
