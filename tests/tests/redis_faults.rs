//! Polled Redis servers that fail in every way: the others and the capture go on, `redis_up` and the reasons tell, and
//! each comes back by itself.

use std::io::{Read as _, Write as _};
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use anyhow::{Context, Result, ensure};
use hippius_tests::agent::Agent;
use hippius_tests::config::Config;
use hippius_tests::lab::{self, Lab};
use hippius_tests::metrics::Metrics;
use hippius_tests::servers::redis::{Client, Redis};
use hippius_tests::{clients::raw, ports, servers, wait};

const PASSWORD: &str = "geheimes-passwort-7f3a";

/// Polls often and waits shortly, so that faults show and go quickly. Values vanish with the first failure.
const OFTEN: &str =
    "interval_ms = 100\ntimeout_ms = 500\njitter_ms = 0\nbackoff_max_ms = 200\nstale_ms = 0\nsweep_interval_s = 1\n";

fn target(name: &str, url: &str, more: &str) -> String {
    format!("[[redis]]\nname = {name:?}\nurl = {url:?}\nprofile = \"hippius-2025\"\n{OFTEN}{more}")
}

fn page(agent: &Agent, name: &str) -> Result<Metrics> {
    let (status, text) = agent.get(&format!("/metrics/redis/{name}"))?;
    ensure!(status == 200, "{status}: {text}");
    Metrics::parse(&text)
}

fn value(metrics: &Metrics, name: &str, labels: &[(&str, &str)]) -> Option<f64> {
    metrics.select(name, labels).next().map(|sample| sample.value)
}

fn wait_up(agent: &Agent, name: &str) -> Result<Metrics> {
    wait::until(&format!("{name} is up"), wait::WIDE, || {
        page(agent, name).ok().filter(|metrics| value(metrics, "redis_up", &[]) == Some(1.0))
    })
    .with_context(|| page(agent, name).map(|metrics| metrics.lines_with("redis_exporter")).unwrap_or_default())
}

/// Down for this reason, on the target's page as in the agent's own families.
fn wait_down(agent: &Agent, name: &str, reason: &str) -> Result<Metrics> {
    let down = |metrics: &Metrics| {
        let error = value(metrics, "redis_exporter_last_scrape_error", &[("err", reason)]);
        value(metrics, "redis_up", &[]) == Some(0.0) && error == Some(1.0)
    };
    let found = wait::until(&format!("{name} is down: {reason}"), wait::WIDE, || page(agent, name).ok().filter(&down))
        .with_context(|| page(agent, name).map(|metrics| metrics.lines_with("redis_exporter")).unwrap_or_default())?;
    let source = format!("redis/{name}");
    let errors = [("source", source.as_str()), ("reason", reason)];
    ensure!(value(&agent.scrape()?, "hippius_agent_poll_errors_total", &errors).is_some_and(|count| count >= 1.0));
    Ok(found)
}

/// The good server is polled and the requests of a watched service are counted, whatever the others do.
struct Rest<'a> {
    lab: &'a Lab,
    agent: &'a Agent,
    server: &'a servers::Server,
    sent: u64,
}

impl Rest<'_> {
    fn goes_on(&mut self, during: &str) -> Result<()> {
        let polls = || -> Result<u64> { Ok(page(self.agent, "good")?.sum("redis_exporter_scrapes_total", &[])) };
        let before = polls()?;
        for _ in 0..20 {
            let mut stream = TcpStream::connect(self.server.address())?;
            stream.write_all(raw::request("GET", "/", &["Connection: close"]).as_bytes())?;
            stream.read_to_end(&mut Vec::new())?;
            self.sent += 1;
        }
        let counted = |metrics: &Metrics| metrics.sum("http_requests_total", &[("service", "web")]) == self.sent;
        let metrics = self.lab.settle(self.agent, counted)?;
        ensure!(counted(&metrics), "{during}: {}", metrics.lines_with("http_requests_total"));
        wait::until(&format!("{during}: the good server is polled"), wait::WIDE, || {
            polls().ok().filter(|polls| *polls >= before + 3)
        })?;
        ensure!(value(&page(self.agent, "good")?, "redis_up", &[]) == Some(1.0), "{during}");
        Ok(())
    }
}

/// Answers each connection with the same bytes and then does nothing, or closes.
struct Fake {
    port: u16,
    stop: Arc<AtomicBool>,
}

impl Fake {
    fn start(answer: impl Fn(&mut TcpStream) + Send + Sync + 'static) -> Result<Self> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, ports::free()))?;
        let (port, stop) = (listener.local_addr()?.port(), Arc::new(AtomicBool::new(false)));
        let (stopped, answer) = (Arc::clone(&stop), Arc::new(answer));
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                if stopped.load(Ordering::Relaxed) {
                    return;
                }
                let (Ok(mut stream), answer) = (stream, Arc::clone(&answer)) else { return };
                std::thread::spawn(move || answer(&mut stream));
            }
        });
        Ok(Self { port, stop })
    }

    fn url(&self) -> String {
        format!("redis://127.0.0.1:{}/0", self.port)
    }
}

impl Drop for Fake {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        let _ = TcpStream::connect((Ipv4Addr::LOCALHOST, self.port));
    }
}

/// Reads the question before it answers, and what comes after until the other side gives up.
fn say(stream: &mut TcpStream, answer: &[u8]) {
    let _ = stream.read(&mut [0; 65536]);
    let _ = stream.write_all(answer);
    let _ = stream.read_to_end(&mut Vec::new());
}

/// So many connections that the server has taken; the one of the wait for its port may still be among the others.
fn crowd(redis: &Redis, count: usize) -> Result<Vec<Client>> {
    let mut crowd = Vec::new();
    wait::until("a full server", wait::WIDE, || {
        let mut client = redis.client().ok()?;
        if client.ask(&["PING"]).is_ok() {
            crowd.push(client);
        }
        (crowd.len() == count).then_some(())
    })?;
    Ok(crowd)
}

#[test]
fn servers_that_fail_and_come_back() {
    lab::with_agent("redis-faults", |lab| {
        let good = Redis::start(&lab.workdir)?;
        let mut killed = Redis::start(&lab.workdir)?;
        let stopped = Redis::start(&lab.workdir)?;
        let locked = Redis::start_on(ports::free(), &lab.workdir, &["--requirepass", PASSWORD])?;
        let full = Redis::start_on(ports::free(), &lab.workdir, &["--maxclients", "3"])?;
        let crowd = crowd(&full, 3)?;
        let web = servers::http_server(&lab.workdir)?;
        let wrong = format!("redis://:{PASSWORD}-not@127.0.0.1:{}/0", locked.server.port);
        let config = Config::new().service("web", web.port);
        let config = config.section(&target("good", &good.url(), ""));
        let config = config.section(&target("killed", &killed.url(), ""));
        let config = config.section(&target("stopped", &stopped.url(), ""));
        let config = config.section(&target("locked", &wrong, ""));
        let config = config.section(&target("full", &full.url(), ""));
        let agent = lab.agent(&config)?;
        let mut rest = Rest { lab, agent: &agent, server: &web, sent: 0 };
        for name in ["good", "killed", "stopped"] {
            wait_up(&agent, name)?;
        }
        wait_down(&agent, "locked", "auth")?;
        wait_down(&agent, "full", "full")?;
        rest.goes_on("with two that refuse")?;

        let port = killed.server.port;
        killed.server.process.stop(libc::SIGKILL, wait::WIDE)?;
        let down = wait_down(&agent, "killed", "connect")?;
        ensure!(down.select("redis_memory_used_bytes", &[]).next().is_none(), "old values are gone");
        stopped.server.process.signal(libc::SIGSTOP);
        wait_down(&agent, "stopped", "timeout")?;
        rest.goes_on("with one killed and one stopped")?;

        stopped.server.process.signal(libc::SIGCONT);
        wait_up(&agent, "stopped")?;
        let again = Redis::start_on(port, &lab.workdir, &[])?;
        let up = wait_up(&agent, "killed")?;
        ensure!(value(&up, "redis_memory_used_bytes", &[]).is_some(), "values are back");
        drop(crowd);
        wait_up(&agent, "full")?;
        let mut client = locked.client()?;
        client.ask(&["AUTH", PASSWORD])?;
        client.ask(&["CONFIG", "SET", "requirepass", &format!("{PASSWORD}-not")])?;
        wait_up(&agent, "locked")?;
        rest.goes_on("when all are back")?;
        let log = agent.log();
        ensure!(log.contains("answers again"), "{log}");
        for text in [log, agent.get("/metrics")?.1, agent.get("/metrics/redis/locked")?.1, agent.get("/")?.1] {
            ensure!(!text.contains(PASSWORD), "the password is in what the agent emits");
        }
        drop(again);
        Ok(())
    });
}

#[test]
fn servers_that_answer_nonsense_or_nothing() {
    lab::with_agent("redis-nonsense", |lab| {
        let good = Redis::start(&lab.workdir)?;
        let web = servers::http_server(&lab.workdir)?;
        let silent = Fake::start(|stream| say(stream, b""))?;
        let cut = Fake::start(|stream| {
            let _ = stream.read(&mut [0; 65536]);
            let _ = stream.write_all(b"$5000\r\nredis_version:7.0.15\r\n");
        })?;
        let half = Fake::start(|stream| say(stream, b"$5000\r\nredis_version:7.0.15\r\n"))?;
        let noise = Fake::start(|stream| say(stream, b"HTTP/1.1 400 Bad Request\r\n\r\n"))?;
        // As much as it is asked for and more, without an end.
        let endless = Fake::start(|stream| {
            let _ = stream.read(&mut [0; 65536]);
            let _ = stream.write_all(b"$500000000\r\n");
            while stream.write_all(&[b'x'; 65536]).is_ok() {}
        })?;
        let huge = Fake::start(|stream| say(stream, b"*2000000000\r\n"))?;
        let wrong_type = Fake::start(|stream| say(stream, &b":1\r\n".repeat(64)))?;
        let mut config = Config::new().service("web", web.port).section(&target("good", &good.url(), ""));
        let cases = [
            ("silent", &silent, "timeout"),
            ("cut", &cut, "closed"),
            ("half", &half, "timeout"),
            ("noise", &noise, "malformed"),
            ("endless", &endless, "malformed"),
            ("huge", &huge, "timeout"),
            ("wrong-type", &wrong_type, "malformed"),
        ];
        for (name, fake, _) in &cases {
            config = config.section(&target(name, &fake.url(), ""));
        }
        config = config.section(&target("nobody", &format!("redis://127.0.0.1:{}/0", ports::free()), ""));
        config = config.section(&target("nowhere", "redis://no-such-host.invalid:6379/0", ""));
        config = config.section(&target("no-socket", "unix:///no/such/socket", ""));
        config = config.section(&target("no-tls", &noise.url().replace("redis://", "rediss://"), ""));
        let agent = lab.agent(&config)?;
        let before = agent.memory_bytes()?.0;
        for (name, _, reason) in cases {
            wait_down(&agent, name, reason)?;
        }
        for (name, reason) in [("nobody", "connect"), ("nowhere", "dns"), ("no-socket", "connect"), ("no-tls", "tls")] {
            wait_down(&agent, name, reason)?;
        }
        let mut rest = Rest { lab, agent: &agent, server: &web, sent: 0 };
        rest.goes_on("with eleven that are no Redis")?;
        // Half a gigabyte was announced again and again.
        let after = agent.memory_bytes()?.0;
        ensure!(after < before + (64 << 20), "memory went from {before} to {after}");
        Ok(())
    });
}

/// The name server takes questions and never answers: no thread of the runtime may wait for it.
#[test]
fn a_name_server_that_never_answers() {
    lab::with_agent("redis-dns", |lab| {
        let good = Redis::start(&lab.workdir)?;
        let web = servers::http_server(&lab.workdir)?;
        let deaf = std::net::UdpSocket::bind("127.0.0.77:53").context("a name server's port on loopback")?;
        let resolv = lab.workdir.write("resolv.conf", "nameserver 127.0.0.77\noptions timeout:30 attempts:5\n")?;
        let mut config = Config::new().service("web", web.port).section(&target("good", &good.url(), ""));
        for index in 0..8 {
            config = config.section(&target(&format!("slow-{index}"), "redis://redis.example.net:6379/0", ""));
        }
        let agent = Agent::start_with(config.text(), &lab.workdir, |command| {
            let script = "mount --bind \"$0\" \"$(readlink -f /etc/resolv.conf)\" && exec \"$@\"";
            let mut unshared = Command::new("unshare");
            unshared.args(["--mount", "sh", "-c", script]).arg(&resolv).arg(command.get_program());
            unshared.args(command.get_args());
            *command = unshared;
        })?;
        for index in 0..8 {
            wait_down(&agent, &format!("slow-{index}"), "timeout")?;
        }
        ensure!(deaf.recv(&mut [0; 512]).is_ok(), "the name server was asked");
        let mut rest = Rest { lab, agent: &agent, server: &web, sent: 0 };
        rest.goes_on("with eight names that nobody resolves")
    });
}

#[test]
fn a_server_that_loads_its_data() {
    lab::with_agent("redis-loading", |lab| {
        let port = ports::free();
        let mut first = Redis::start_on(port, &lab.workdir, &[])?;
        let mut client = first.client()?;
        for index in 0..20_000 {
            client.ask(&["SET", &format!("key:{index}"), "0123456789"])?;
        }
        client.ask(&["SAVE"])?;
        first.server.process.stop(libc::SIGKILL, wait::WIDE)?;
        // Each key takes a while, and the server answers in between: INFO as always, most of the rest with -LOADING.
        let slow = ["--key-load-delay", "500", "--loading-process-events-interval-bytes", "1024"];
        let second = Redis::start_on(port, &lab.workdir, &slow)?;
        let agent = lab.agent(&Config::new().section(&target("main", &second.url(), "keys = [\"key:1\"]\n")))?;
        let loading = wait::until("the server loads", wait::WIDE, || {
            page(&agent, "main").ok().filter(|metrics| value(metrics, "redis_loading_dump_file", &[]) == Some(1.0))
        })?;
        ensure!(value(&loading, "redis_up", &[]) == Some(1.0), "INFO works while it loads");
        ensure!(loading.select("queue_length", &[]).next().is_none(), "no length is made up");
        wait::until("all is loaded", wait::WIDE, || {
            let metrics = page(&agent, "main").ok()?;
            let lengths = metrics.select("queue_length", &[]).count();
            let keys = value(&metrics, "redis_db_keys", &[("db", "db0")]);
            (lengths == 5 && keys == Some(20_000.0) && value(&metrics, "redis_key_size", &[]) == Some(10.0))
                .then_some(())
        })
    });
}
