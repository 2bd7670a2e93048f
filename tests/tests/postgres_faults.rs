//! A Postgres that is gone, stopped, full, refusing or hostile: its own target says so, nothing else notices, and it comes
//! back by itself.

use std::io::{Read as _, Write as _};
use std::net::{Ipv4Addr, TcpListener, TcpStream, UdpSocket};
use std::process::Command;
use std::thread;

use anyhow::{Result, ensure};
use hippius_tests::agent::Agent;
use hippius_tests::config::Config;
use hippius_tests::metrics::Metrics;
use hippius_tests::process::Process;
use hippius_tests::servers::postgres::{PASSWORD, Postgres};
use hippius_tests::{lab, polled, wait};

const POLLS: &str = "pg_exporter_scrapes_total";

fn is_up(metrics: &Metrics) -> bool {
    metrics.sum("pg_up", &[]) == 1 && metrics.select("pg_static", &[]).next().is_some()
}

/// The other target is polled on, and works.
fn undisturbed(agent: &Agent) -> Result<()> {
    let metrics = polled::fresh(agent, "postgres/good", POLLS)?;
    ensure!(is_up(&metrics), "the other target is down too:\n{}", metrics.lines_with("pg_up"));
    Ok(())
}

fn reasons(agent: &Agent, target: &str) -> Result<Vec<String>> {
    let by = agent.scrape()?.by("hippius_agent_poll_errors_total", &[("source", target)], "reason");
    Ok(by.into_iter().filter(|(_, count)| *count > 0).map(|(reason, _)| reason).collect())
}

fn falls(agent: &Agent, target: &str) -> Result<()> {
    polled::settle(agent, target, "pg_up falls", |metrics| metrics.sum("pg_up", &[]) == 0)?;
    undisturbed(agent)
}

fn comes_back(agent: &Agent, target: &str) -> Result<()> {
    polled::settle(agent, target, "it comes back", is_up).map(drop)
}

#[test]
fn a_server_that_is_killed_or_stopped_comes_back_by_itself() {
    lab::with_agent("postgres-killed", |lab| {
        let good = Postgres::start(&lab.workdir)?;
        let mut victim = Postgres::start(&lab.workdir)?;
        let config = Config::new().section(&polled::postgres("good", &good.monitor()?, "")).section(&polled::postgres(
            "victim",
            &victim.monitor()?,
            "stale_ms = 0",
        ));
        let agent = lab.agent(&config)?;
        comes_back(&agent, "postgres/victim")?;
        victim.server.process.stop(libc::SIGKILL, wait::WIDE)?;
        falls(&agent, "postgres/victim")?;
        // What is not known any more is not shown any more.
        polled::settle(&agent, "postgres/victim", "old values go", |metrics| {
            metrics.select("pg_static", &[]).next().is_none()
        })?;
        victim.start_again(&lab.workdir)?;
        comes_back(&agent, "postgres/victim")?;
        // All of its processes: a backend that is stopped answers nothing.
        signal_tree(victim.server.process.pid(), libc::SIGSTOP);
        falls(&agent, "postgres/victim")?;
        ensure!(reasons(&agent, "postgres/victim")?.contains(&"timeout".to_owned()));
        signal_tree(victim.server.process.pid(), libc::SIGCONT);
        comes_back(&agent, "postgres/victim")
    });
}

fn signal_tree(pid: u32, signal: libc::c_int) {
    for process in hippius_tests::proc::children(pid).into_iter().chain([pid]) {
        // SAFETY: plain system call; a stopped or running child of our server keeps its number until it is waited for.
        unsafe { libc::kill(process as libc::pid_t, signal) };
    }
}

#[test]
fn a_wrong_password_and_a_full_server_are_named_and_heal() {
    lab::with_agent("postgres-refusing", |lab| {
        let good = Postgres::start(&lab.workdir)?;
        // Three more than superusers keep for themselves.
        let options = ["max_connections=6", "superuser_reserved_connections=3", "max_wal_senders=0"];
        let full = Postgres::start_with(&lab.workdir, &options)?;
        let wrong = "not-the-password-either";
        good.monitor()?;
        let config = Config::new()
            .section(&polled::postgres("good", &good.url_as("watcher", PASSWORD), ""))
            .section(&polled::postgres("wrong", &good.url_as("watcher", wrong), ""))
            .section(&polled::postgres("full", &full.monitor()?, ""));
        full.sql(&format!("CREATE ROLE other LOGIN PASSWORD '{PASSWORD}'"))?;
        // Until nobody but a superuser gets in: a connection of the test itself may be in the way at first.
        let mut sleepers = Vec::new();
        let connected = "SELECT count(*) FROM pg_stat_activity WHERE usename = 'other' AND state = 'active'";
        wait::until("all are in", wait::WIDE, || {
            let mut psql = full.client("psql");
            psql.args(["-X", &full.url_as("other", PASSWORD), "-c", "SELECT pg_sleep(600)"]);
            sleepers.push(Process::spawn("sleeper", psql, &lab.workdir).ok()?);
            (full.number(connected).ok()? == 3.0).then_some(())
        })?;
        let agent = lab.agent(&config)?;
        falls(&agent, "postgres/full")?;
        falls(&agent, "postgres/wrong")?;
        ensure!(reasons(&agent, "postgres/full")? == ["full"], "{:?}", reasons(&agent, "postgres/full"));
        ensure!(reasons(&agent, "postgres/wrong")? == ["auth"], "{:?}", reasons(&agent, "postgres/wrong"));
        full.sql("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = 'other'")?;
        drop(sleepers);
        comes_back(&agent, "postgres/full")?;
        good.sql(&format!("ALTER ROLE watcher PASSWORD '{wrong}'"))?;
        comes_back(&agent, "postgres/wrong")?;
        for secret in [PASSWORD, wrong] {
            ensure!(!agent.log().contains(secret), "a password is in the log");
            for page in ["/metrics", "/metrics/postgres/good", "/metrics/postgres/wrong", "/"] {
                ensure!(!agent.get(page)?.1.contains(secret), "a password is on {page}");
            }
        }
        Ok(())
    });
}

#[test]
fn a_query_that_is_refused_or_held_up_takes_only_its_own_values_with_it() {
    lab::with_agent("postgres-refused-query", |lab| {
        let good = Postgres::start(&lab.workdir)?;
        let config = Config::new().section(&polled::postgres("good", &good.monitor()?, ""));
        let agent = lab.agent(&config)?;
        let failed = |metrics: &Metrics| {
            let by = metrics.by("pg_scrape_collector_success", &[], "collector");
            by.into_iter().filter(|(_, success)| *success == 0).map(|(name, _)| name).collect::<Vec<_>>()
        };
        // All others are newer than the fault.
        let only = |wanted: &[&str]| {
            polled::settle(&agent, "postgres/good", "who fails", |metrics| {
                is_up(metrics) && failed(metrics) == wanted
            })?;
            let all = polled::fresh(&agent, "postgres/good", POLLS)?;
            ensure!(failed(&all) == wanted, "{:?} fail, and not {wanted:?}", failed(&all));
            let shown = all.select("pg_stat_archiver_archived_count", &[]).count();
            ensure!(shown == usize::from(wanted.is_empty()), "{shown} values of the archiver");
            let connections = good.number("SHOW max_connections")?;
            ensure!(all.sum_f64("pg_settings_max_connections", &[]) == connections, "settings");
            Ok(())
        };
        only(&[])?;
        good.sql("REVOKE SELECT ON pg_catalog.pg_stat_archiver FROM PUBLIC")?;
        only(&["stat_archiver"])?;
        good.sql("GRANT SELECT ON pg_catalog.pg_stat_archiver TO PUBLIC")?;
        only(&[])?;
        let mut psql = good.client("psql");
        let lock = "BEGIN; LOCK TABLE pg_catalog.pg_stat_archiver IN ACCESS EXCLUSIVE MODE; SELECT pg_sleep(600)";
        psql.args(["-X", &good.url(), "-c", lock]);
        let holder = Process::spawn("holder", psql, &lab.workdir)?;
        only(&["stat_archiver"])?;
        good.sql("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE query LIKE 'BEGIN; LOCK%'")?;
        drop(holder);
        only(&[])
    });
}

/// What a server says to each connection before it goes silent or away.
fn hostile(answer: impl Fn(TcpStream) + Send + Sync + 'static) -> Result<u16> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
    let port = listener.local_addr()?.port();
    let answer = std::sync::Arc::new(answer);
    thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            let answer = std::sync::Arc::clone(&answer);
            thread::spawn(move || answer(stream));
        }
    });
    Ok(port)
}

/// Reads the greeting, and gives it up to the writer of the answer.
fn after_greeting(mut stream: TcpStream, answer: &[u8]) {
    let mut greeting = [0; 1024];
    if stream.read(&mut greeting).is_ok() {
        let _ = stream.write_all(answer);
    }
}

#[test]
fn silence_cut_answers_nonsense_and_floods_harm_nobody() {
    lab::with_agent("postgres-hostile", |lab| {
        let good = Postgres::start(&lab.workdir)?;
        let silent = hostile(|stream| {
            thread::park();
            drop(stream);
        })?;
        // Authentication went well, and then a message that is cut in its middle.
        let cut = hostile(|stream| after_greeting(stream, b"R\0\0\0\x08\0\0\0\0Z\0\0"))?;
        let nonsense = hostile(|stream| after_greeting(stream, b"HTTP/1.1 400 Bad Request\r\n\r\n"))?;
        let flood = hostile(|mut stream| {
            after_greeting(stream.try_clone().expect("a socket"), b"R\0\0\0\x08\0\0\0\0S\x7f\xff\xff\xff");
            let zeros = [0; 65536];
            while stream.write_all(&zeros).is_ok() {}
        })?;
        let mut config = Config::new().section(&polled::postgres("good", &good.monitor()?, ""));
        let targets = [("silent", silent), ("cut", cut), ("nonsense", nonsense), ("flood", flood)];
        for (name, port) in targets {
            let url = format!("postgres://u:{PASSWORD}@127.0.0.1:{port}/d?sslmode=disable");
            config = config.section(&polled::postgres(name, &url, ""));
        }
        let agent = lab.agent(&config)?;
        for (name, _) in targets {
            let target = format!("postgres/{name}");
            polled::settle(&agent, &target, name, |metrics| metrics.sum(POLLS, &[]) >= 2)?;
            falls(&agent, &target)?;
            ensure!(!reasons(&agent, &target)?.is_empty());
        }
        ensure!(reasons(&agent, "postgres/silent")? == ["timeout"]);
        let (_, peak) = agent.memory_bytes()?;
        ensure!(peak < 256 << 20, "a flood made the agent take {peak} bytes");
        ensure!(!agent.log().contains(PASSWORD));
        Ok(())
    });
}

#[test]
fn a_name_server_that_never_answers_holds_up_its_own_target_only() {
    lab::with_agent("postgres-dns", |lab| {
        let good = Postgres::start(&lab.workdir)?;
        // Takes questions and says nothing.
        let address = Ipv4Addr::new(127, 77, 0, 1);
        let _silent = UdpSocket::bind((address, 53))?;
        let resolv =
            lab.workdir.write("resolv.conf", format!("nameserver {address}\noptions timeout:30 attempts:5\n"))?;
        let mut config = Config::new().section(&polled::postgres("good", &good.monitor()?, ""));
        for number in 0..6 {
            let url = format!("postgres://u:p@no-such-host-{number}.example.net/d");
            config = config.section(&polled::postgres(&format!("slow-{number}"), &url, ""));
        }
        let agent = Agent::start_with(config.text(), &lab.workdir, |command| {
            let mut unshared = Command::new("unshare");
            unshared.args(["-m", "sh", "-c", "mount --bind \"$0\" /etc/resolv.conf && exec \"$@\""]).arg(&resolv);
            unshared.arg(command.get_program()).args(command.get_args());
            *command = unshared;
        })?;
        for number in 0..6 {
            falls(&agent, &format!("postgres/slow-{number}"))?;
        }
        polled::settle(&agent, "postgres/slow-0", "several polls", |metrics| metrics.sum(POLLS, &[]) >= 3)?;
        ensure!(reasons(&agent, "postgres/slow-0")? == ["timeout"], "{:?}", reasons(&agent, "postgres/slow-0"));
        undisturbed(&agent)
    });
}
