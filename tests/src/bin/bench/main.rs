//! What the agent costs, measured on this machine: rounds with and without it in turn, ratios with their spread, and the
//! result as `docs/benchmarks.md`. Run it as root where nothing else runs.

mod cost;
mod four;
mod keep_alive;
mod limits;
mod objects;
mod page;
mod pages;
mod part;
mod polling;
mod postgres;
mod redis;
mod redis_keys;
mod redis_server;
mod redis_wire;
mod report;
mod rounds;
mod sockets;
mod throughput;
mod tls;

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use clap::Parser;
use hippius_tests::workdir::Workdir;
use hippius_tests::{bpf, paths};

use part::Part;
use report::Row;

#[derive(Parser)]
#[command(about = "Measures what the agent costs and writes docs/benchmarks.md")]
struct Arguments {
    /// Few and short rounds: to see that everything runs, not to quote
    #[arg(long)]
    quick: bool,
    /// Where the tables go
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
    /// Only measurements whose name contains one of these; the others stay in the tables as they were
    #[arg(long, value_name = "WORD", value_delimiter = ',')]
    only: Vec<String>,
    /// Only print the tables anew from what is kept in target/bench
    #[arg(long, conflicts_with = "only")]
    page: bool,
    /// Keep these parts first: what guests have printed, JSON on one line each
    #[arg(long, value_name = "FILE", requires = "page")]
    keep: Option<PathBuf>,
    /// Measure what can be compared in an emulator, and print it as this part, JSON on one line, instead of keeping it
    #[arg(long, value_name = "NAME")]
    guest: Option<String>,
}

/// How long and how often.
#[derive(Clone, Copy, Debug)]
pub struct Effort {
    pub rounds: usize,
    pub run: Duration,
    /// Length of the runs that must lose nothing.
    pub soak: Duration,
    /// Requests over TLS that must all be counted on the connection where they were.
    pub tls_requests: u64,
}

const WHOLE: Effort =
    Effort { rounds: 7, run: Duration::from_secs(5), soak: Duration::from_secs(60), tls_requests: 1_000_000 };
const QUICK: Effort =
    Effort { rounds: 3, run: Duration::from_secs(2), soak: Duration::from_secs(5), tls_requests: 50_000 };

/// Parts that a guest has said begin with this.
const EMULATED: &str = "emulated-";

type Measurement = fn(&Workdir, Effort) -> Result<Vec<Row>>;

const MEASUREMENTS: [(&str, Measurement); 22] = [
    ("nginx-saturation", throughput::nginx_saturation),
    ("nothing-saturation", limits::saturation),
    ("nginx-offered", throughput::nginx_offered),
    ("uvicorn-saturation", throughput::uvicorn_saturation),
    ("uvicorn-calls", throughput::uvicorn_calling),
    ("objects", throughput::large_objects),
    ("by-turns-down", objects::down),
    ("by-turns-up", objects::up),
    ("nothing-objects", limits::objects),
    ("agent-cost", cost::at_ten_thousand),
    ("events-lost", cost::events_lost),
    ("start", cost::start_to_first_capture),
    ("probes", cost::probe_time),
    ("socket-calls", sockets::calls),
    ("scrape", cost::scrape),
    ("redis-polls", redis::scrapes),
    ("redis-million-keys", redis_keys::million_keys),
    ("postgres-polls", postgres::polls),
    ("four-targets", four::together),
    ("redis-wire", redis_wire::pipelined),
    ("tls-calls", tls::calls),
    ("tls-many", tls::many),
];

fn main() -> Result<()> {
    let arguments = Arguments::parse();
    if let Some(why) = bpf::why_not().filter(|_| !arguments.page) {
        bail!("the agent cannot run here: {why}");
    }
    if let Some(name) = &arguments.guest {
        println!("@part {}", part(name, sockets::ratios, QUICK, false)?.json());
        return Ok(());
    }
    if let Some(file) = &arguments.keep {
        keep(&std::fs::read_to_string(file)?, &Part::folder()).with_context(|| file.display().to_string())?;
    }
    if !arguments.page {
        measure(&arguments)?;
    }
    let out = arguments.out.unwrap_or_else(|| paths::workspace().join("docs/benchmarks.md"));
    page::write(&out, &Part::kept(&Part::folder())?, &MEASUREMENTS.map(|(name, _)| name))?;
    eprintln!("written: {}", out.display());
    Ok(())
}

fn keep(parts: &str, folder: &Path) -> Result<()> {
    parts.lines().try_for_each(|line| Part::from_json(&serde_json::from_str(line)?)?.keep(folder))
}

fn measure(arguments: &Arguments) -> Result<()> {
    let wanted = |name: &str| arguments.only.is_empty() || arguments.only.iter().any(|word| name.contains(word));
    ensure!(MEASUREMENTS.iter().any(|(name, _)| wanted(name)), "no measurement is called so: {:?}", arguments.only);
    let effort = if arguments.quick { QUICK } else { WHOLE };
    for (name, measurement) in MEASUREMENTS.into_iter().filter(|(name, _)| wanted(name)) {
        part(name, measurement, effort, arguments.quick)?.keep(&Part::folder())?;
    }
    Ok(())
}

fn part(name: &str, measurement: Measurement, effort: Effort, is_quick: bool) -> Result<Part> {
    eprintln!("{name} …");
    let start = Instant::now();
    // A measurement that fails says so in the table; the others still count.
    let rows = measurement(&Workdir::new(name)?, effort).unwrap_or_else(|error| vec![Row::failed(name, &error)]);
    let part = Part::now(name, is_quick, start.elapsed(), rows);
    for row in &part.rows {
        eprintln!("  {}", row.line(""));
    }
    eprintln!("  {:.0} s", part.took.as_secs_f64());
    Ok(part)
}
