//! What one call on a socket costs, by what the socket is to the agent: of no interest, followed, or at a message's head.

use std::collections::BTreeMap;
use std::io::{Read as _, Write as _};
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::ops::Add;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use hippius_tests::agent::Agent;
use hippius_tests::bpf;
use hippius_tests::config::Config;
use hippius_tests::metrics::Metrics;
use hippius_tests::stats::Spread;
use hippius_tests::workdir::Workdir;

use crate::Effort;
use crate::cost::{BpfStats, by_program};
use crate::report::Row;
use crate::rounds::{Pairs, compare};

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
    /// Bodies of no end, one way and then the other.
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
    match kind {
        Kind::Bodies => {
            (0..calls).try_for_each(|_| ends.there(&[b'b'; PIECE]))?;
            (0..calls).try_for_each(|_| ends.back(&[b'b'; PIECE]))?;
        }
        Kind::Heads => (0..calls).try_for_each(|_| ends.exchange())?,
    }
    Ok(start.elapsed().as_secs_f64())
}

/// Runs and nanoseconds of the programs for one direction.
#[derive(Clone, Copy, Default)]
pub struct Programs {
    pub runs: f64,
    pub ns: f64,
}

impl Add for Programs {
    type Output = Self;

    fn add(self, other: Self) -> Self {
        Self { runs: self.runs + other.runs, ns: self.ns + other.ns }
    }
}

/// Of receiving and of sending.
pub type Both = [Programs; 2];

/// What the programs took so far.
pub fn programs(metrics: &Metrics) -> Both {
    let sum = |name: &str, direction: &str| -> f64 {
        let all: BTreeMap<String, f64> = by_program(metrics, name);
        all.iter().filter(|(program, _)| program.contains(direction)).map(|(_, value)| value).sum()
    };
    ["recv", "send"].map(|direction| Programs {
        runs: sum("hippius_agent_probe_runs_total", direction),
        ns: sum("hippius_agent_probe_seconds_total", direction) * 1e9,
    })
}

/// Nanoseconds of a run, receiving and sending, by kind of socket.
struct Nanoseconds {
    ignored: [f64; 2],
    counting: [f64; 2],
    head: [f64; 2],
}

/// One of them.
type ByKind = fn(&Nanoseconds) -> [f64; 2];

fn measure(agent: &Agent, rig: &Rig, calls: u32, clock_ns: f64) -> Result<Nanoseconds> {
    let spent = |listener: &TcpListener, kind: Kind| -> Result<Both> {
        // The agent reads the kernel's statistics now and then.
        std::thread::sleep(Duration::from_millis(1500));
        let before = programs(&agent.scrape()?);
        run(listener, kind, calls)?;
        std::thread::sleep(Duration::from_millis(1500));
        let after = programs(&agent.scrape()?);
        let mut spent = Both::default();
        for (way, spent) in spent.iter_mut().enumerate() {
            let runs = after[way].runs - before[way].runs;
            ensure!(runs > 0.0, "no runs: is kernel.bpf_stats_enabled on?");
            *spent = Programs { runs, ns: after[way].ns - before[way].ns - clock_ns * runs };
        }
        Ok(spent)
    };
    let ignored = spent(&rig.other, Kind::Bodies)?.map(|all| all.ns / all.runs);
    // All but the server's runs are those of sockets of no interest.
    let of_server = |spent: Both| {
        let calls = f64::from(calls);
        std::array::from_fn(|way| (spent[way].ns - ignored[way] * (spent[way].runs - calls)) / calls)
    };
    let counting = of_server(spent(&rig.watched, Kind::Bodies)?);
    let head = of_server(spent(&rig.watched, Kind::Heads)?);
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

    /// By the kernel's statistics: what its clock takes for each run, and the programs' times without that.
    fn rounds(&self, workdir: &Workdir, effort: Effort, calls: u32) -> Result<(f64, Vec<Nanoseconds>)> {
        let _stats = BpfStats::on()?;
        let clock_ns = bpf::empty_run_ns().context("a program that does nothing")?;
        let agent = Agent::start(self.config.text(), workdir)?;
        let one = |_| measure(&agent, self, calls, clock_ns);
        Ok((clock_ns, (0..effort.rounds).map(one).collect::<Result<_>>()?))
    }

    /// Seconds of calls on a socket of no interest, on bodies and on heads, with the agent and without it.
    fn pairs(&self, workdir: &Workdir, effort: Effort, calls: u32) -> Result<Pairs<[f64; 3]>> {
        compare(workdir, &self.config, effort.rounds, |_| {
            let ignored = run(&self.other, Kind::Bodies, calls)?;
            Ok([ignored, run(&self.watched, Kind::Bodies, calls)?, run(&self.watched, Kind::Heads, calls)?])
        })
    }

    /// Nanoseconds more for each call of the server: on a socket of no interest, counting, copying a head.
    fn added(&self, workdir: &Workdir, effort: Effort) -> Result<[Spread; 3]> {
        let pairs = self.pairs(workdir, effort, CALLS)?;
        let mut added: [Vec<f64>; 3] = Default::default();
        for (off, on) in pairs.off.iter().zip(&pairs.on) {
            // Four calls for each turn of the loop; on a watched connection two of them are the client's, of no interest.
            let more: [f64; 3] = std::array::from_fn(|index| (on[index] - off[index]) * 1e9 / f64::from(CALLS));
            for (index, added) in added.iter_mut().enumerate() {
                added.push(if index == 0 { more[0] / 4.0 } else { (more[index] - more[0] / 2.0) / 2.0 });
            }
        }
        let [ignored, counting, head] = added.map(|all| Spread::of(&all).context("no rounds"));
        Ok([ignored?, counting?, head?])
    }
}

const WHAT: [&str; 2] = ["received", "sent"];
const CALLS: u32 = 50_000;

/// By the kernel's statistics, and by the time that many calls take with the agent and without it.
pub fn calls(workdir: &Workdir, effort: Effort) -> Result<Vec<Row>> {
    let rig = Rig::new()?;
    let (clock_ns, rounds) = rig.rounds(workdir, effort, CALLS)?;
    let added = rig.added(workdir, effort)?;
    let mut rows = Vec::new();
    let kinds: [(&str, f64, ByKind); 3] = [
        ("on a socket of no interest", 30.0, |round| round.ignored),
        ("that only counts", 60.0, |round| round.counting),
        ("that copies a head", 250.0, |round| round.head),
    ];
    for ((what, budget, of), added) in kinds.into_iter().zip(added) {
        for (way, word) in WHAT.iter().enumerate() {
            let spread = Spread::of(&rounds.iter().map(|round| of(round)[way]).collect::<Vec<_>>());
            let row = format!("kernel time of a call {what}, {word}");
            rows.push(Row::at_most(&row, budget, "ns", spread, &format!("without the clock's own {clock_ns:.0}")));
        }
        rows.push(Row::told(&format!("time that the agent adds to a call {what}"), added.show(0) + " ns"));
    }
    Ok(rows)
}

/// Nothing but ratios: where the processor is emulated, nanoseconds mean nothing.
pub fn ratios(workdir: &Workdir, effort: Effort) -> Result<Vec<Row>> {
    const CALLS: u32 = 3_000;
    let rig = Rig::new()?;
    let mut rows = Vec::new();
    let (_, rounds) = rig.rounds(workdir, effort, CALLS)?;
    for (way, word) in WHAT.iter().enumerate() {
        let over = |of: ByKind| {
            let ratios: Vec<f64> = rounds.iter().map(|round| of(round)[way] / round.ignored[way]).collect();
            Spread::of(&ratios).map_or_else(String::new, |spread| spread.show(1))
        };
        let (counting, head) = (over(|round| round.counting), over(|round| round.head));
        let what = format!("programs' time for a call over one on a socket of no interest, {word}");
        rows.push(Row::told(&what, format!("only counts: {counting}; copies a head: {head}")));
    }
    let what = [
        "1 KiB in a call, each way, on a connection of no interest",
        "1 KiB in a call, each way, on a watched connection",
        "exchanges of heads on a watched connection",
    ];
    let pairs = rig.pairs(workdir, effort, CALLS)?;
    for (index, what) in what.iter().enumerate() {
        let ratio = pairs.ratio(|times| times[index]).map_or_else(String::new, |spread| spread.show(2));
        rows.push(Row::told(&format!("time of {what}, with the agent over without"), ratio));
    }
    Ok(rows)
}
