//! What must hold on every kernel and every back-end: the same file runs on the development machine and, as it was
//! built there, in the guests of `cargo xtask vmtest`. Sizes are small enough for an emulator.
//!
//! `HIPPIUS_BACKEND` names the back-end that is asked for; `HIPPIUS_BACKEND_EXPECTED=refused` says that this kernel
//! lacks its hooks: then only the refusal is tested. `HIPPIUS_LOCKDOWN` names the lockdown mode that is in force.

mod mptcp;
mod outbound;
mod storm;
mod unix;

use std::process::Command;

use anyhow::{Result, ensure};
use hippius_tests::agent::Agent;
use hippius_tests::clients::curl::curl;
use hippius_tests::clients::load::{self, Load};
use hippius_tests::clients::raw::{Raw, request};
use hippius_tests::config::Config;
use hippius_tests::expect::{self, Expected};
use hippius_tests::lab::{self, Lab};
use hippius_tests::metrics::Metrics;
use hippius_tests::servers::nginx::Nginx;
use hippius_tests::servers::scripted::Step;
use hippius_tests::servers::syscall::Syscall;
use hippius_tests::watched::{self, all_agree};
use hippius_tests::wire::{self, chunked, ok};
use hippius_tests::{bpf, paths, verifier, wait};

fn is_refused() -> bool {
    std::env::var("HIPPIUS_BACKEND_EXPECTED").is_ok_and(|word| word == "refused")
}

/// A test with the agent, where its back-end is expected to work.
fn on_backend(name: &str, test: impl FnOnce(&Lab) -> Result<()>) {
    if !is_refused() {
        lab::with_agent(name, test);
    }
}

/// A test with nginx under the agent's eyes.
fn with_nginx(name: &str, test: impl FnOnce(&Lab, &Nginx, &Agent) -> Result<()>) {
    on_backend(name, |lab| watched::nginx(lab, test));
}

fn gets(address: std::net::SocketAddr, requests: u64) -> Load {
    let request = request("GET", "/k1", &[]).into_bytes();
    Load { address, request, connections: 4, requests, rate: None }
}

#[test]
fn a_back_end_that_the_kernel_lacks_is_refused() {
    if !is_refused() {
        return;
    }
    lab::with_agent("refused", |lab| {
        let error = lab.agent(&Config::new().service("nobody", 9)).err();
        let text = error.map(|error| format!("{error:#}")).unwrap_or_default();
        ensure!(text.contains("before it was ready") && text.contains("error: "), "no refusal: {text}");
        let said = text.lines().filter(|line| line.starts_with("error: ")).count();
        ensure!(said == 1 && !text.contains("panicked"), "more or less than one sentence: {text}");
        Ok(())
    });
}

#[test]
fn the_back_end_in_use_is_the_one_that_was_asked_for() {
    on_backend("backend", |lab| {
        let agent = lab.agent(&Config::new())?;
        let found = agent.scrape()?.by("hippius_agent_backend_info", &[], "backend");
        ensure!(found.len() == 1, "{found:?}");
        if let Ok(wanted) = std::env::var("HIPPIUS_BACKEND") {
            ensure!(found.get(&wanted) == Some(&1), "asked for {wanted}, found {found:?}");
        }
        if let Ok(wanted) = std::env::var("HIPPIUS_LOCKDOWN") {
            let modes = std::fs::read_to_string("/sys/kernel/security/lockdown")?;
            ensure!(modes.contains(&format!("[{wanted}]")), "lockdown {wanted} is not in force: {modes}");
        }
        Ok(())
    });
}

/// Written to `HIPPIUS_PROGRAMS`, where that is set, one line each.
#[test]
fn the_verifier_takes_every_program() {
    on_backend("verifier", |lab| {
        let config = Config::with_calls().service("nobody", 9).unix_service("none", &lab.workdir.join("none.sock"));
        let config = lab.workdir.write("agent.toml", config.text())?;
        let mut agent = Command::new(paths::agent_binary()?);
        agent.arg("run").arg("--config").arg(config).args(["--listen", "127.0.0.1:0"]);
        let programs = verifier::programs(agent)?;
        ensure!(programs.len() >= 4, "loaded: {programs:?}");
        let lines = programs.iter().map(|p| format!("{} {} {} {}\n", p.name, p.instructions, p.walked, p.stack));
        let lines: String = lines.collect();
        print!("{lines}");
        if let Some(path) = std::env::var_os("HIPPIUS_PROGRAMS") {
            std::fs::write(path, lines)?;
        }
        Ok(())
    });
}

#[test]
fn keep_alive_over_ipv4_and_ipv6() {
    with_nginx("keep-alive", |lab, nginx, agent| {
        let (mut sent, mut received) = (0, 0);
        for address in [nginx.server.address(), (std::net::Ipv6Addr::LOCALHOST, nginx.server.port).into()] {
            let report = load::run(&gets(address, 300))?;
            (sent, received) = (sent + report.bytes_sent, received + report.bytes_received);
        }
        let expected = Expected::requests(600).bodies(0, 600 * 1024).outcomes(&[("complete", 600)]);
        all_agree(lab, nginx, agent, (sent, received), expected)
    });
}

#[test]
fn a_connection_per_request() {
    with_nginx("connections", |lab, nginx, agent| {
        let (mut sent, mut received) = (0, 0);
        for _ in 0..40 {
            let mut raw = Raw::connect(nginx.server.address())?;
            raw.send(request("GET", "/close/", &[]))?;
            raw.read_to_end()?;
            (sent, received) = (sent + raw.sent, received + raw.received);
        }
        all_agree(lab, nginx, agent, (sent, received), Expected::requests(40).outcomes(&[("complete", 40)]))
    });
}

#[test]
fn pipelined_requests_whose_heads_lie_in_mid_call() {
    with_nginx("pipelined", |lab, nginx, agent| {
        let mut raw = Raw::connect(nginx.server.address())?;
        raw.send(request("GET", "/k1", &[]).repeat(16))?;
        let put = |number| request("PUT", &format!("/dav/{number}"), &["Content-Length: 9000"]) + &"p".repeat(9000);
        raw.send((0..4).map(put).collect::<String>())?;
        for _ in 0..20 {
            raw.read_response()?;
        }
        let expected = Expected::requests(20).bodies(36_000, 16 * 1024).statuses(&[("200", 16), ("201", 4)]);
        all_agree(lab, nginx, agent, (raw.sent, raw.received), expected)
    });
}

#[test]
fn large_bodies_by_sendfile_by_chunks_and_as_an_upload() {
    with_nginx("large", |lab, nginx, agent| {
        let file = lab.workdir.write("upload", vec![b'u'; 3_000_000])?;
        let address = format!("http://{}/dav/up", nginx.server.address());
        let answer = curl(&["-H", "Expect: 100-continue", "-T", &file.display().to_string(), &address])?;
        let mut raw = Raw::connect(nginx.server.address())?;
        for path in ["/files/10485760", "/chunked/1048576"] {
            raw.send(request("GET", path, &[]))?;
            raw.read_response()?;
        }
        raw.send(request("GET", "/files/65536", &["Range: bytes=100-299"]))?;
        raw.read_response()?;
        let sent = raw.sent + answer.head_sent + answer.body_sent;
        let received = raw.received + answer.head_received + answer.body_received;
        let expected = Expected::requests(4).bodies(3_000_000, (11 << 20) + 200);
        all_agree(lab, nginx, agent, (sent, received), expected)
    });
}

#[test]
fn chunked_both_ways() {
    if is_refused() {
        return;
    }
    let body = chunked(&["hello ", "chunked ", "world"]);
    let answer = chunked(&["ab", &"c".repeat(70_000), &"d".repeat(16), "e"]);
    let head = Step::write("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n");
    // Cut so that chunk-size lines are split over calls.
    let steps =
        vec![Step::ReadHead, Step::Read(body.len()), head, Step::WriteCut(answer.into(), 3501), Step::ReadToEnd];
    let client = move |raw: &mut Raw| {
        raw.send(request("PUT", "/a", &["Transfer-Encoding: chunked"]) + &body)?;
        raw.read_response().map(drop)
    };
    wire::exactly("chunked", steps, client, Expected::requests(1).bodies(19, 70_019).outcomes(&[("complete", 1)]));
}

#[test]
fn a_head_that_comes_byte_by_byte_and_an_interim_answer() {
    if is_refused() {
        return;
    }
    let head = request("PUT", "/a", &["Content-Length: 4", "Expect: 100-continue"]);
    let interim = Step::write("HTTP/1.1 100 Continue\r\n\r\n");
    let steps = vec![Step::ReadHead, interim, Step::Read(4), Step::WriteCut(ok("answer"), 1), Step::ReadToEnd];
    let client = move |raw: &mut Raw| {
        raw.send_cut(head.as_bytes(), 1)?;
        raw.read_head()?;
        raw.send("body")?;
        raw.read_response().map(drop)
    };
    wire::exactly("by-byte", steps, client, Expected::requests(1).bodies(4, 6).statuses(&[("200", 1)]));
}

/// One server for each way of calling the kernel, all under one agent: its start is what takes long in an emulator.
fn with_callers(name: &str, variants: &[&'static str], test: impl FnOnce(&Lab, &Agent, &[Caller]) -> Result<()>) {
    on_backend(name, |lab| {
        let start = |name: &&'static str| Ok(Caller { name, server: Syscall::start(&lab.workdir, name)? });
        let callers = variants.iter().map(start).collect::<Result<Vec<_>>>()?;
        let service = |config: Config, caller: &Caller| config.service(caller.name, caller.server.server.port);
        let agent = lab.agent(&callers.iter().fold(Config::new(), service))?;
        test(lab, &agent, &callers)
    });
}

struct Caller {
    name: &'static str,
    server: Syscall,
}

#[test]
fn every_system_call_that_moves_bytes() {
    let variants =
        ["read-write", "recv-send", "peek", "readv-writev", "recvmsg-sendmsg", "recvmmsg-sendmmsg", "zerocopy"];
    with_callers("calls", &variants, |lab, agent, callers| {
        for Caller { name, server } in callers {
            expect::exactly(lab, agent, name, &watched::three_exchanges(name, server)?)?;
        }
        Ok(())
    });
}

/// Calls whose buffer a back-end may not be able to prove: exchanges are counted right or not at all, and every byte
/// is explained. The fentry back-end is given the message itself, so it reads what io_uring moves.
#[test]
fn io_uring_and_splice_leave_no_byte_unexplained() {
    with_callers("unproven", &["splice", "io-uring", "io-uring-behind-pipe"], |lab, agent, callers| {
        let is_given_messages = agent.scrape()?.sum("hippius_agent_backend_info", &[("backend", "fentry")]) == 1;
        let mut moved = 0;
        for Caller { name, server } in callers {
            let mut client = Raw::connect(server.server.address())?;
            client.send(request("GET", "/5000", &[]))?;
            client.read_response()?;
            moved += client.sent + client.received;
            drop(client);
            server.log(1)?;
            let metrics = lab.settle(agent, |metrics| explained(metrics) == moved)?;
            let (found, own) = (explained(&metrics), metrics.lines_with("hippius_agent_"));
            ensure!(found == moved, "{name}: {moved} bytes were moved, {found} are explained\n{own}");
            let counted = metrics.sum("http_requests_total", &[("service", name)]);
            let wanted = if is_given_messages && *name != "splice" { 1..=1 } else { 0..=1 };
            ensure!(wanted.contains(&counted), "{name}: {counted} requests of one\n{own}");
        }
        Ok(())
    });
}

/// Bytes of all services, and those that belong to no exchange.
fn explained(metrics: &Metrics) -> u64 {
    let names = ["http_request_bytes_total", "http_response_bytes_total", "hippius_agent_bytes_unattributed_total"];
    names.iter().map(|name| metrics.sum(name, &[])).sum()
}

#[test]
fn a_redis_server_is_no_http_service_and_is_left_alone() {
    on_backend("redis", |lab| {
        let redis = hippius_tests::servers::redis::Redis::start(&lab.workdir)?;
        let agent = lab.agent(&Config::new().service("redis", redis.server.port))?;
        for number in 0..20 {
            ensure!(redis.command(&["SET", "key", &number.to_string()])? == "+OK");
        }
        let metrics = agent.scrape()?;
        ensure!(metrics.sum("http_requests_total", &[]) == 0, "Redis counted as HTTP");
        Ok(())
    });
}

/// The agent stands still while the smallest ring overflows: what is counted and what is known to be lost is the truth.
#[test]
fn losses_are_counted_when_the_agent_stands_still() {
    on_backend("losses", |lab| {
        let nginx = Nginx::start(&lab.workdir)?;
        let config = Config::new().service("nginx", nginx.server.port).capture("ring_bytes = 262144");
        let agent = lab.agent(&config)?;
        let mut connections = (0..4).map(|_| Raw::connect(nginx.server.address())).collect::<Result<Vec<_>>>()?;
        let get = request("GET", "/k1", &[]);
        let once = |raw: &mut Raw| -> Result<()> {
            raw.send(&get)?;
            raw.read_response().map(drop)
        };
        for raw in &mut connections {
            once(raw)?;
        }
        expect::exactly(lab, &agent, "nginx", &Expected::requests(4))?;
        agent.signal(libc::SIGSTOP);
        for raw in &mut connections {
            (0..500).try_for_each(|_| once(raw))?;
        }
        agent.signal(libc::SIGCONT);
        // The next exchange of a connection shows how many were lost before it.
        let known = |metrics: &Metrics| {
            let lost = metrics.sum("hippius_agent_events_lost_total", &[("reason", "exchange")]);
            (metrics.sum("http_requests_total", &[("service", "nginx")]), lost)
        };
        lab.settle(&agent, |metrics| known(metrics).0 > 4)?;
        for raw in &mut connections {
            once(raw)?;
        }
        let metrics = lab.settle(&agent, |metrics| known(metrics).0 + known(metrics).1 == 2008)?;
        let (counted, lost) = known(&metrics);
        let own = metrics.lines_with("hippius_agent_");
        ensure!(counted + lost == 2008 && lost > 0, "counted {counted}, lost {lost}, sent 2008\n{own}");
        Ok(())
    });
}

#[test]
fn programs_go_with_the_agent_and_traffic_does_not_notice() {
    on_backend("detach", |lab| {
        let nginx = Nginx::start(&lab.workdir)?;
        let config = Config::new().service("nginx", nginx.server.port);
        for signal in [libc::SIGTERM, libc::SIGKILL] {
            let mut agent = lab.agent(&config)?;
            let programs = bpf::programs_of(agent.pid())?;
            ensure!(programs.len() >= 3 && programs.iter().all(|id| bpf::program_exists(*id)), "{programs:?}");
            let plan = gets(nginx.server.address(), 1500);
            let traffic = std::thread::spawn(move || load::run(&plan));
            let counted = || {
                let metrics = agent.scrape().ok()?;
                (metrics.sum("http_requests_total", &[("service", "nginx")]) > 100).then_some(())
            };
            wait::until("traffic under the agent", wait::WIDE, counted)?;
            agent.stop_with(signal)?;
            let gone = || programs.iter().all(|id| !bpf::program_exists(*id)).then_some(());
            wait::until("the programs are gone", wait::WIDE, gone)?;
            let report = traffic.join().expect("the load generator")?;
            ensure!(report.requests == 1500, "the traffic suffered");
        }
        // Nothing of the two is left that would count for the third.
        let agent = lab.agent(&config)?;
        let report = load::run(&gets(nginx.server.address(), 100))?;
        let expected = Expected::requests(100).bytes(report.bytes_sent, report.bytes_received);
        expect::exactly(lab, &agent, "nginx", &expected)?;
        Ok(())
    });
}
