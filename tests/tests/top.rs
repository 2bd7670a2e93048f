//! `hippius-agent top` in a real terminal, over real traffic.

use std::collections::BTreeMap;
use std::process::Command;

use anyhow::{Context, Result, ensure};
use hippius_tests::agent::Agent;
use hippius_tests::clients::raw::{Raw, request};
use hippius_tests::config::Config;
use hippius_tests::expect::{self, Expected};
use hippius_tests::lab::{self, Lab};
use hippius_tests::metrics::Metrics;
use hippius_tests::paths;
use hippius_tests::pty::Terminal;
use hippius_tests::servers::nginx::Nginx;
use hippius_tests::servers::syscall::Syscall;
use hippius_tests::{process, wait};
use serde_json::Value;

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

/// Both ends of the server's connections as the kernel knows them (`ss`): by the client's port, the numbers of the
/// server's socket and of the client's.
fn sockets(port: u16) -> Result<BTreeMap<u16, (String, String)>> {
    let listed = process::run(Command::new("ss").args(["-Htne", &format!("( sport = :{port} or dport = :{port} )")]))?;
    let mut found: BTreeMap<u16, (String, String)> = BTreeMap::new();
    for line in listed.lines().filter(|line| line.starts_with("ESTAB")) {
        let words: Vec<&str> = line.split_whitespace().collect();
        let port_of = |word: &str| word.rsplit(':').next().and_then(|port| port.parse::<u16>().ok());
        let (local, peer) = (port_of(words[3]).context("local")?, port_of(words[4]).context("peer")?);
        let socket = words.iter().find(|word| word.starts_with("sk:")).context("no number of the socket")?.to_string();
        if local == port {
            found.entry(peer).or_default().0 = socket;
        } else {
            found.entry(local).or_default().1 = socket;
        }
    }
    Ok(found)
}

/// Way, state, account, requests, bytes received and sent of a row.
type Shown = (String, String, String, u64, u64, u64);

/// The rows of connections by their sockets, from the agent's document.
fn connections(agent: &Agent, more: &str) -> Option<BTreeMap<String, Shown>> {
    let (_, body) = agent.get(&format!("/api/v1/table?by=connection&limit=1000{more}")).ok()?;
    let table: Value = serde_json::from_str(&body).ok()?;
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let rows = table["rows"].as_array()?.iter().map(|row| {
        let (live, total) = (&row["connection"], |column: &str| row[column]["total"].as_u64().unwrap_or(0));
        let shown = (
            text(&live["way"]),
            text(&live["state"]),
            text(&live["main_account"]),
            total("requests"),
            total("received"),
            total("sent"),
        );
        (text(&row["name"]), shown)
    });
    Some(rows.collect())
}

/// A large answer, which a client that does not read holds up.
const LARGE: usize = 10 << 20;

#[test]
fn open_connections_are_shown_with_what_they_moved() {
    lab::with_agent("top-connections", |lab| {
        let nginx = Nginx::start(&lab.workdir)?;
        let config = Config::with_calls()
            .capture("discover = false")
            .service_with("web", &[nginx.server.port], "s3", "behind_gateway = true")
            .section("[[client]]\nname = \"tests\"\nprocess = \"top-*\"");
        let agent = lab.agent(&config)?;
        let account = |name: &str| format!("X-Hippius-Main-Account: {name}");
        let mut alice = Raw::connect(nginx.server.address())?;
        for _ in 0..7 {
            alice.send(request("GET", "/k1", &[&account("alice")]))?;
            alice.read_response()?;
        }
        let mut bob = Raw::connect(nginx.server.address())?;
        bob.send(request("PUT", "/dav/part", &[&account("bob"), "Content-Length: 500000"]))?;
        bob.send(vec![b'b'; 200_000])?;
        let mut carol = Raw::connect(nginx.server.address())?;
        carol.receive_buffer(65_536)?;
        carol.send(request("GET", &format!("/files/{LARGE}"), &[&account("carol")]))?;
        carol.read_head()?;

        let sockets = sockets(nginx.server.port)?;
        let of = |raw: &Raw| -> Result<(String, String)> {
            Ok(sockets.get(&raw.local_port()?).context("no socket of this port")?.clone())
        };
        let (named, carols) = ([of(&alice)?, of(&bob)?], of(&carol)?);
        let row = |way: &str, state: &str, account: &str, requests: u64, received: u64, sent: u64| -> Shown {
            (way.to_owned(), state.to_owned(), account.to_owned(), requests, received, sent)
        };
        // The same bytes seen from both ends, as the test has counted them; a client's end has no account.
        let mut wanted = BTreeMap::new();
        for ((server, client), (state, who, requests, raw)) in
            named.iter().zip([("idle", "alice", 7, &alice), ("receive", "bob", 1, &bob)])
        {
            wanted.insert(server.clone(), row("in", state, who, requests, raw.sent, raw.received));
            wanted.insert(client.clone(), row("out", state, "", requests, raw.received, raw.sent));
        }
        let mut last = None;
        let agrees = wait::until("connections as the clients know them", wait::WIDE, || {
            let mut rows = connections(&agent, "")?;
            let carol = rows.get(&carols.0).is_some_and(|row| row.1 == "send" && row.2 == "carol" && row.3 == 1);
            rows.retain(|socket, _| wanted.contains_key(socket));
            let same = carol && rows == wanted;
            last = Some(rows);
            same.then_some(())
        });
        agrees.with_context(|| format!("expected {wanted:?}\nfound {last:?}"))?;

        let (server, client) = (&named[0].0, &named[0].1);
        let mut terminal = Terminal::start(top(&agent, &["--by", "connection", "--sort", "requests_total"])?, 150, 20)?;
        let screen = terminal.until("alice first", |screen| {
            screen.contains("Connections  live") && screen.lines().nth(3).is_some_and(|line| line.contains("sk:"))
        })?;
        ensure!(screen.contains(server.as_str()) && screen.contains(client.as_str()), "{server} {client}:\n{screen}");
        terminal.send("/alice")?;
        let screen = terminal.until("only alice", |screen| screen.contains("1 rows"))?;
        let words = line(&screen, server);
        ensure!(words[1..4] == ["web", "alice", "idle"], "{words:?}\n{screen}");
        ensure!(words.contains(&"7") && screen.contains(&format!("{} B", alice.sent)), "{words:?}\n{screen}");
        // A key behind Esc in one breath would be a key with Alt.
        terminal.send("\x1b")?;
        terminal.until("all rows", |screen| !screen.contains("/alice") && screen.contains("6 rows"))?;
        terminal.send("/send\r")?;
        terminal.until("by state", |screen| !line(screen, &carols.0).is_empty() && screen.contains("2 rows"))?;
        // It has read everything: the connection is idle, and shows every byte.
        carol.read_exact(LARGE)?;
        terminal.send("\x1b")?;
        terminal.until("all rows again", |screen| !screen.contains("/send"))?;
        terminal.send("/carol\r")?;
        terminal
            .until("carol idle", |screen| line(screen, &carols.0).contains(&"idle") && screen.contains("10.0 MiB"))?;
        let exact = row("in", "idle", "carol", 1, carol.sent, carol.received);
        wait::until("all of carol's bytes", wait::WIDE, || {
            (connections(&agent, "&search=carol")?.get(&carols.0) == Some(&exact)).then_some(())
        })?;
        drop(alice);
        let gone = || (!connections(&agent, "")?.contains_key(server)).then_some(());
        wait::until("the end of a connection", wait::WIDE, gone)?;

        // The calls that are over, by whom they went to.
        terminal.send("\x1b")?;
        terminal.until("no search", |screen| !screen.contains("/carol"))?;
        terminal.send("l")?;
        let peer = format!("test:{}", nginx.server.port);
        let words = |screen: &str| line(screen, &peer).into_iter().map(str::to_owned).collect::<Vec<_>>();
        let screen = terminal.until("peers", |screen| words(screen).get(3).is_some_and(|total| total == "8"))?;
        ensure!(screen.contains("Outgoing calls") && words(&screen)[1] == "http", "{screen}");
        terminal.send("q")?;
        ensure!(terminal.end()?.success(), "top failed");
        Ok(())
    });
}
