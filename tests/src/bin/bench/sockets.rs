//! What one call on a socket costs, by what the socket is to the agent: of no interest, followed, or at a message's head.

use std::collections::BTreeMap;
use std::io::{Read as _, Write as _};
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use hippius_tests::agent::Agent;
use hippius_tests::config::Config;
use hippius_tests::stats::Spread;
use hippius_tests::workdir::Workdir;

use crate::Effort;
use crate::cost::{BpfStats, by_program};
use crate::report::Row;
use crate::rounds::compare;

const PIECE: usize = 1024;
const HEAD: &[u8] = b"GET /bucket/key HTTP/1.1\r\nHost: localhost\r\nUser-Agent: bench\r\nAccept: */*\r\n\r\n";
const ANSWER: &[u8] = b"HTTP/1.1 200 OK\r\nServer: bench\r\nContent-Type: text/plain\r\nContent-Length: 2\r\n\r\nok";

/// Both ends of a connection, in this thread: one call after the other, and nothing waits.
struct Ends {
    client: TcpStream,
    server: TcpStream,
}

impl Ends {
    fn connect(listener: &TcpListener) -> Result<Self> {
        let client = TcpStream::connect(listener.local_addr()?)?;
        let (server, _) = listener.accept()?;
        client.set_nodelay(true)?;
        server.set_nodelay(true)?;
        Ok(Self { client, server })
    }

    fn there(&mut self, bytes: &[u8]) -> Result<()> {
        self.client.write_all(bytes)?;
        Ok(self.server.read_exact(&mut [0; 4096][..bytes.len()])?)
    }

    fn back(&mut self, bytes: &[u8]) -> Result<()> {
        self.server.write_all(bytes)?;
        Ok(self.client.read_exact(&mut [0; 4096][..bytes.len()])?)
    }

    fn exchange(&mut self) -> Result<()> {
        self.there(HEAD)?;
        self.back(ANSWER)
    }
}

/// What calls are made: as many of the client's, which is of no interest, as of the server's.
#[derive(Clone, Copy)]
enum Kind {
    /// Bodies of no end, both ways.
    Bodies,
    /// Exchanges of nothing but heads.
    Heads,
}

/// Seconds for so many calls to each side of the connection, each way.
fn run(listener: &TcpListener, kind: Kind, calls: u32) -> Result<f64> {
    let mut ends = Ends::connect(listener)?;
    let long = |first: &str| format!("{first}\r\nHost: localhost\r\nContent-Length: 1000000000000\r\n\r\n");
    if matches!(kind, Kind::Bodies) {
        ends.there(long("POST / HTTP/1.1").as_bytes())?;
        ends.back(long("HTTP/1.1 200 OK").as_bytes())?;
    }
    let start = Instant::now();
    for _ in 0..calls {
        match kind {
            Kind::Bodies => {
                ends.there(&[b'b'; PIECE])?;
                ends.back(&[b'b'; PIECE])?;
            }
            Kind::Heads => ends.exchange()?,
        }
    }
    Ok(start.elapsed().as_secs_f64())
}

/// Runs and nanoseconds of the programs for one direction.
#[derive(Clone, Copy, Default)]
struct Programs {
    runs: f64,
    ns: f64,
}

/// Of receiving and of sending.
type Both = [Programs; 2];

fn programs(agent: &Agent) -> Result<Both> {
    let metrics = agent.scrape()?;
    let sum = |name: &str, direction: &str| -> f64 {
        let all: BTreeMap<String, f64> = by_program(&metrics, name);
        all.iter().filter(|(program, _)| program.contains(direction)).map(|(_, value)| value).sum()
    };
    Ok(["recv", "send"].map(|direction| Programs {
        runs: sum("hippius_agent_probe_runs_total", direction),
        ns: sum("hippius_agent_probe_seconds_total", direction) * 1e9,
    }))
}

/// Nanoseconds of a run, receiving and sending, by kind of socket.
struct Nanoseconds {
    ignored: [f64; 2],
    counting: [f64; 2],
    head: [f64; 2],
}

fn measure(agent: &Agent, watched: &TcpListener, other: &TcpListener, calls: u32) -> Result<Nanoseconds> {
    let spent = |listener: &TcpListener, kind: Kind| -> Result<Both> {
        // The agent reads the kernel's statistics now and then.
        std::thread::sleep(Duration::from_millis(1500));
        let before = programs(agent)?;
        run(listener, kind, calls)?;
        std::thread::sleep(Duration::from_millis(1500));
        let after = programs(agent)?;
        let mut spent = Both::default();
        for (way, spent) in spent.iter_mut().enumerate() {
            *spent = Programs { runs: after[way].runs - before[way].runs, ns: after[way].ns - before[way].ns };
            ensure!(spent.runs > 0.0, "no runs: is kernel.bpf_stats_enabled on?");
        }
        Ok(spent)
    };
    let ignored = spent(other, Kind::Bodies)?.map(|all| all.ns / all.runs);
    // All but the server's runs are those of sockets of no interest.
    let of_server = |spent: Both| {
        let calls = f64::from(calls);
        std::array::from_fn(|way| (spent[way].ns - ignored[way] * (spent[way].runs - calls)) / calls)
    };
    let counting = of_server(spent(watched, Kind::Bodies)?);
    let head = of_server(spent(watched, Kind::Heads)?);
    Ok(Nanoseconds { ignored, counting, head })
}

struct Rig {
    watched: TcpListener,
    other: TcpListener,
    config: Config,
}

impl Rig {
    fn new() -> Result<Self> {
        let listen = || TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).context("listen");
        let (watched, other) = (listen()?, listen()?);
        let config = Config::new().capture("discover = false").service("here", watched.local_addr()?.port());
        Ok(Self { watched, other, config })
    }
}

const WHAT: [&str; 2] = ["received", "sent"];

/// By the kernel's statistics, whose two looks at the clock are part of each run.
pub fn calls(workdir: &Workdir, effort: Effort) -> Result<Vec<Row>> {
    let rig = Rig::new()?;
    let _stats = BpfStats::on()?;
    let agent = Agent::start(rig.config.text(), workdir)?;
    let rounds: Vec<Nanoseconds> =
        (0..effort.rounds).map(|_| measure(&agent, &rig.watched, &rig.other, 50_000)).collect::<Result<_>>()?;
    let mut rows = Vec::new();
    let kinds: [(&str, f64, fn(&Nanoseconds) -> [f64; 2]); 3] = [
        ("a call on a socket of no interest", 30.0, |round| round.ignored),
        ("a call that only counts", 60.0, |round| round.counting),
        ("a call that copies a head", 250.0, |round| round.head),
    ];
    for (what, budget, of) in kinds {
        for (way, word) in WHAT.iter().enumerate() {
            let spread = Spread::of(&rounds.iter().map(|round| of(round)[way]).collect::<Vec<_>>());
            let more = "the kernel's two looks at its clock are in it";
            rows.push(Row::at_most(&format!("kernel time of {what}, {word}"), budget, "ns", spread, more));
        }
    }
    Ok(rows)
}

/// Nothing but ratios: where the processor is emulated, nanoseconds mean nothing.
pub fn ratios(workdir: &Workdir, effort: Effort) -> Result<Vec<Row>> {
    const CALLS: u32 = 3_000;
    let rig = Rig::new()?;
    let mut rows = Vec::new();
    {
        let _stats = BpfStats::on()?;
        let agent = Agent::start(rig.config.text(), workdir)?;
        let rounds: Vec<Nanoseconds> =
            (0..effort.rounds).map(|_| measure(&agent, &rig.watched, &rig.other, CALLS)).collect::<Result<_>>()?;
        for (way, word) in WHAT.iter().enumerate() {
            let over = |of: fn(&Nanoseconds) -> [f64; 2]| {
                let ratios: Vec<f64> = rounds.iter().map(|round| of(round)[way] / round.ignored[way]).collect();
                Spread::of(&ratios).map_or_else(String::new, |spread| spread.show(1))
            };
            let counting = over(|round| round.counting);
            let head = over(|round| round.head);
            let what = format!("program's time for a call over one on a socket of no interest, {word}");
            rows.push(Row::told(&what, format!("only counts: {counting}; copies a head: {head}")));
        }
    }
    let cases = [
        ("on a connection of no interest, 1 KiB each way", &rig.other, Kind::Bodies),
        ("on a watched connection, bodies of 1 KiB each way", &rig.watched, Kind::Bodies),
        ("on a watched connection, exchanges of heads", &rig.watched, Kind::Heads),
    ];
    // One agent in a round serves all three: its start is what takes long there.
    let pairs = compare(workdir, &rig.config, effort.rounds, |_| {
        cases.iter().map(|(_, listener, kind)| run(listener, *kind, CALLS)).collect::<Result<Vec<f64>>>()
    })?;
    for (index, (what, _, _)) in cases.iter().enumerate() {
        let ratio = pairs.ratio(|times| times.get(index).copied().unwrap_or(f64::NAN));
        let ratio = ratio.map_or_else(String::new, |spread| spread.show(2));
        rows.push(Row::told(&format!("time of calls {what}, with the agent over without"), ratio));
    }
    Ok(rows)
}
