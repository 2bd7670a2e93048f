//! 10 MiB objects, half a percent of which must be seen on a machine whose speed wavers by ten.
//!
//! One client asks two equal servers by turns, all three on one processor, and the agent watches one of the two. What the
//! processor does otherwise hits the objects of both alike, a few milliseconds apart. The agent itself is kept on the other
//! processor, where its time is measured by itself: what the ratio holds is what its programs in the kernel cost.

use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, anyhow, ensure};
use hippius_tests::agent::Agent;
use hippius_tests::bpf;
use hippius_tests::clients::raw::request;
use hippius_tests::config::Config;
use hippius_tests::processors::{on_processor, own_thread, pin_thread, pin_tree};
use hippius_tests::servers::{Server, hyper};
use hippius_tests::stats::{Interval, quantile, trimmed_mean};
use hippius_tests::workdir::Workdir;

use crate::Effort;
use crate::cost::{BpfStats, read_anew};
use crate::keep_alive::Client;
use crate::report::Row;
use crate::sockets::{Programs, programs};
use crate::throughput::nginx;

pub const SIZE: usize = 10 << 20;
/// Of the servers and their client, and of the agent.
pub const PROCESSORS: [usize; 2] = [1, 0];
/// Which server is asked: what grows or shrinks evenly hits both alike.
const TURNS: [usize; 4] = [0, 1, 1, 0];
/// An object that takes over so many medians has waited for something, which a few in a thousand do without the agent too.
const STALLED: f64 = 3.0;
/// What is left out at either end of the turns' ratios: those that held such a wait.
const CUT: f64 = 0.1;

pub fn down(workdir: &Workdir, effort: Effort) -> Result<Vec<Row>> {
    let other = Workdir::new("objects-other")?;
    let servers = [nginx(workdir)?, nginx(&other)?];
    // The same pages of memory, so that neither server finds more of them in the caches than the other.
    let file = format!("www/files/{SIZE}");
    std::fs::remove_file(other.join(&file))?;
    std::fs::hard_link(workdir.join(&file), other.join(&file))?;
    let request = request("GET", &format!("/files/{SIZE}"), &[]).into_bytes();
    rows("down", &Rig { workdir, servers: servers.each_ref().map(|nginx| &nginx.server), request: &request }, effort)
}

pub fn up(workdir: &Workdir, effort: Effort) -> Result<Vec<Row>> {
    let servers = [hyper(workdir)?, hyper(workdir)?];
    let put = request("PUT", "/", &[&format!("Content-Length: {SIZE}")]);
    let request = [put.as_bytes(), &vec![b'u'; SIZE]].concat();
    rows("up", &Rig { workdir, servers: servers.each_ref(), request: &request }, effort)
}

struct Rig<'a> {
    workdir: &'a Workdir,
    servers: [&'a Server; 2],
    request: &'a [u8],
}

fn rows(way: &str, rig: &Rig, effort: Effort) -> Result<Vec<Row>> {
    let processors = thread::available_parallelism()?.get();
    ensure!(processors >= 2, "one processor for the servers and another for the agent");
    let rounds = on_processor(PROCESSORS[0], || rig.rounds(effort))?;
    let [watched, other] = on_processor(PROCESSORS[0], || rig.in_programs(effort))?;
    let share = rig.agents_share(effort, processors)?;

    let interval = |value: fn(&Round) -> f64| {
        let values: Vec<f64> = rounds.iter().map(value).collect();
        Interval::of(&values).map(|logarithms| logarithms.map(f64::exp)).context("rounds")
    };
    let (ratio, nothing) = (interval(|round| round.watched)?, interval(|round| round.nothing)?);
    let objects: usize = rounds.iter().map(|round| round.objects).sum();
    let stalled = [0, 1].map(|side| rounds.iter().map(|round| round.stalled[side]).sum::<usize>());
    Ok(vec![
        Row::told(
            &format!("10 MiB objects {way}, watched and not by turns: objects/s, watched over not"),
            format!("{}; the same without the agent: {}", ratio.show(4), nothing.show(4)),
        ),
        Row::told(
            "the same: the agent's share of all processors",
            format!(
                "{:.2} %; {:.0} us per object at {:.0} objects/s, all watched",
                share.of_all * 100.0,
                share.per_object_us,
                share.objects_per_second
            ),
        ),
        Row::told(
            "the same: programs' time for an object, by the kernel's statistics without the clock's own",
            format!("watched {}, not watched {}", watched.show(), other.show()),
        ),
        Row::told(
            "the same: objects that took over three times the median",
            format!("{} watched, {} not; {objects} were timed of either", stalled[0], stalled[1]),
        ),
    ])
}

/// Logarithms of ratios, watched over not watched.
struct Round {
    watched: f64,
    /// The same of the runs without the agent: nothing but chance.
    nothing: f64,
    /// While the agent ran, of each server.
    objects: usize,
    /// Watched and not.
    stalled: [usize; 2],
}

impl Rig<'_> {
    fn rounds(&self, effort: Effort) -> Result<Vec<Round>> {
        let run = effort.run * 2 / 5;
        let mut clients = [self.client(0)?, self.client(1)?];
        self.servers.iter().try_for_each(|server| pin_tree(server.process.pid(), PROCESSORS[0]))?;
        by_turns(&mut clients, run)?;
        let mut rounds = Vec::new();
        for round in 0..effort.rounds * 3 {
            // Either is the watched one in turn, so that what differs between the two servers falls out.
            let mut runs = [None, None];
            let mut without = [None, None];
            for side in [round % 2, 1 - round % 2] {
                runs[side] = Some(self.watched(&mut clients, side, run)?);
                without[side] = Some(by_turns(&mut clients, run)?);
            }
            let ([Some(first), Some(second)], [Some(free), Some(free_again)]) = (runs, without) else { continue };
            rounds.push(Round {
                watched: (first.log_ratio - second.log_ratio) / 2.0,
                nothing: (free.log_ratio - free_again.log_ratio) / 2.0,
                objects: first.objects + second.objects,
                stalled: [first.stalled[0] + second.stalled[1], first.stalled[1] + second.stalled[0]],
            });
        }
        Ok(rounds)
    }

    fn client(&self, side: usize) -> Result<Client<'_>> {
        Client::connect(self.servers[side], self.request)
    }

    fn agent(&self, servers: &[&Server]) -> Result<Agent> {
        let ports: Vec<u16> = servers.iter().map(|server| server.port).collect();
        let config = Config::new().capture("discover = false").service_with("objects", &ports, "http", "");
        Agent::start(config.text(), self.workdir)
    }

    fn watched(&self, clients: &mut [Client; 2], side: usize, run: Duration) -> Result<ByTurns> {
        let mut agent = self.agent(&[self.servers[side]])?;
        pin_tree(agent.pid(), PROCESSORS[1])?;
        let before = clients[side].answers;
        let found = by_turns(clients, run)?;
        counted(&agent, clients[side].answers - before)?;
        agent.stop()?;
        Ok(found)
    }

    /// What the programs take for an object of a server that is watched, and of one that is not: of both, either end.
    fn in_programs(&self, effort: Effort) -> Result<[InPrograms; 2]> {
        let _stats = BpfStats::on()?;
        let clock_ns = bpf::empty_run_ns().context("a program that does nothing")?;
        let mut agent = self.agent(&[self.servers[0]])?;
        pin_tree(agent.pid(), PROCESSORS[1])?;
        let measure = |side: usize| -> Result<InPrograms> {
            let mut client = self.client(side)?;
            client.exchange()?;
            let before = spent(&agent)?;
            let (start, first) = (Instant::now(), client.answers);
            while start.elapsed() < effort.run {
                client.exchange()?;
            }
            let after = spent(&agent)?;
            let objects = (client.answers - first) as f64;
            let runs = after.runs - before.runs;
            ensure!(runs > 0.0, "no runs: is kernel.bpf_stats_enabled on?");
            let ns = after.ns - before.ns - clock_ns * runs;
            Ok(InPrograms { us: ns / objects / 1e3, runs: runs / objects })
        };
        let found = [measure(0)?, measure(1)?];
        agent.stop()?;
        Ok(found)
    }

    /// What the agent takes when a client keeps each of two processors busy with watched objects.
    fn agents_share(&self, effort: Effort, processors: usize) -> Result<Share> {
        let mut agent = self.agent(&self.servers)?;
        let end = Instant::now() + effort.run * 2;
        let (start, before_ns) = (Instant::now(), agent.cpu_ns()?);
        let objects = thread::scope(|scope| {
            let both = [0, 1].map(|side| scope.spawn(move || self.busy(side, end)));
            both.into_iter().map(|client| client.join().map_err(|_| anyhow!("a client panicked"))?).sum::<Result<u64>>()
        })?;
        let (seconds, agent_s) = (start.elapsed().as_secs_f64(), (agent.cpu_ns()? - before_ns) as f64 / 1e9);
        counted(&agent, objects)?;
        agent.stop()?;
        Ok(Share {
            of_all: agent_s / (seconds * processors as f64),
            per_object_us: agent_s * 1e6 / objects as f64,
            objects_per_second: objects as f64 / seconds,
        })
    }

    /// A server and its client on the processor of this number, and how many objects they moved.
    fn busy(&self, side: usize, end: Instant) -> Result<u64> {
        pin_thread(own_thread(), PROCESSORS[side])?;
        pin_tree(self.servers[side].process.pid(), PROCESSORS[side])?;
        let mut client = self.client(side)?;
        while Instant::now() < end {
            client.exchange()?;
        }
        Ok(client.answers)
    }
}

struct Share {
    /// Of the time of all processors.
    of_all: f64,
    per_object_us: f64,
    objects_per_second: f64,
}

/// What the programs take for an object.
struct InPrograms {
    us: f64,
    runs: f64,
}

impl InPrograms {
    fn show(&self) -> String {
        format!("{:.1} us in {:.0} runs", self.us, self.runs)
    }
}

/// By all programs for calls on sockets, as of now.
fn spent(agent: &Agent) -> Result<Programs> {
    read_anew(agent).map(|metrics| programs(&metrics)).map(|[recv, send]| recv + send)
}

struct ByTurns {
    /// Of objects per second, the first server's over the second's.
    log_ratio: f64,
    /// Timed, of each server.
    objects: usize,
    stalled: [usize; 2],
}

fn by_turns(clients: &mut [Client; 2], run: Duration) -> Result<ByTurns> {
    let mut all = Vec::new();
    let start = Instant::now();
    while start.elapsed() < run {
        let mut seconds = [0.0; TURNS.len()];
        for (side, seconds) in TURNS.into_iter().zip(&mut seconds) {
            *seconds = clients[side].exchange()?;
        }
        all.push(seconds);
    }
    let mut sorted = all.concat();
    sorted.sort_by(f64::total_cmp);
    let limit = STALLED * quantile(&sorted, 0.5).context("nothing was timed")?;
    let mut stalled = [0; 2];
    let mut logarithms = Vec::new();
    for seconds in &all {
        let mut sums = [0.0; 2];
        for (side, seconds) in TURNS.into_iter().zip(seconds) {
            sums[side] += seconds;
            stalled[side] += usize::from(*seconds > limit);
        }
        logarithms.push((sums[1] / sums[0]).ln());
    }
    let log_ratio = trimmed_mean(logarithms, CUT).context("nothing was timed")?;
    Ok(ByTurns { log_ratio, objects: 2 * all.len(), stalled })
}

/// What was measured is what was meant: the agent has seen all of these objects, and no others.
fn counted(agent: &Agent, objects: u64) -> Result<()> {
    let seen = crate::cost::counted(agent, objects)?.sum("http_requests_total", &[]);
    ensure!(seen == objects, "the agent counted {seen} of {objects} objects");
    Ok(())
}
