//! What the agent costs, measured on this machine: rounds with and without it in turn, ratios with their spread, and the
//! result as `docs/benchmarks.md`. Run it as root where nothing else runs.

mod cost;
mod pages;
mod postgres;
mod redis;
mod report;
mod rounds;
mod throughput;
mod tls;

use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Result, bail};
use clap::Parser;
use hippius_tests::workdir::Workdir;
use hippius_tests::{bpf, paths};

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
    /// Only measurements whose name contains this
    #[arg(long, value_name = "WORD")]
    only: Option<String>,
}

/// How long and how often.
#[derive(Clone, Copy, Debug)]
pub struct Effort {
    pub rounds: usize,
    pub run: Duration,
    /// Length of the run at 50 000 requests per second.
    pub soak: Duration,
}

type Measurement = fn(&Workdir, Effort) -> Result<Vec<Row>>;

const MEASUREMENTS: [(&str, Measurement); 14] = [
    ("nginx-saturation", throughput::nginx_saturation),
    ("nginx-offered", throughput::nginx_offered),
    ("uvicorn-saturation", throughput::uvicorn_saturation),
    ("uvicorn-calls", throughput::uvicorn_calling),
    ("objects", throughput::large_objects),
    ("agent-cost", cost::at_ten_thousand),
    ("events-lost", cost::events_lost),
    ("start", cost::start_to_first_capture),
    ("probes", cost::probe_time),
    ("scrape", cost::scrape),
    ("redis-polls", redis::scrapes),
    ("redis-million-keys", redis::million_keys),
    ("postgres-polls", postgres::polls),
    ("tls-calls", tls::calls),
];

fn main() -> Result<()> {
    let arguments = Arguments::parse();
    if let Some(why) = bpf::why_not() {
        bail!("the agent cannot run here: {why}");
    }
    let seconds = Duration::from_secs;
    let effort = if arguments.quick {
        Effort { rounds: 3, run: seconds(2), soak: seconds(5) }
    } else {
        Effort { rounds: 9, run: seconds(6), soak: seconds(60) }
    };
    let mut rows = Vec::new();
    for (name, measure) in MEASUREMENTS {
        if arguments.only.as_ref().is_some_and(|word| !name.contains(word.as_str())) {
            continue;
        }
        eprintln!("{name} …");
        // A measurement that fails says so in the table; the others still count.
        let measured = measure(&Workdir::new(name)?, effort).unwrap_or_else(|error| vec![Row::failed(name, &error)]);
        for row in &measured {
            eprintln!("  {}", row.line());
        }
        rows.extend(measured);
    }
    let out = arguments.out.unwrap_or_else(|| paths::workspace().join("docs/benchmarks.md"));
    report::write(&out, &rows, effort, arguments.quick)?;
    eprintln!("written: {}", out.display());
    Ok(())
}
