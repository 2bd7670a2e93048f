//! Pages of metrics, asked for again and again.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use hippius_tests::agent::Agent;
use hippius_tests::proc;

pub const SCRAPES: u32 = 100;

/// Resident memory after the first polls and scrapes, in bytes.
pub fn settled(agent: &Agent) -> Result<u64> {
    for _ in 0..20 {
        agent.scrape()?;
        std::thread::sleep(Duration::from_millis(100));
    }
    Ok(agent.memory_bytes()?.0)
}

/// 100 rounds over all pages, each "address path": CPU seconds of the processes, p50 and p99 of one page in
/// milliseconds.
pub fn hammer(pids: &[u32], pages: &[String]) -> Result<(f64, (f64, f64))> {
    let cpu_ns = || pids.iter().map(|pid| proc::cpu_ns(*pid)).sum::<Result<u64>>();
    let mut times = Vec::new();
    let before = cpu_ns()?;
    for _ in 0..SCRAPES {
        for page in pages {
            let (address, path) = page.split_once(' ').context("an address and a path")?;
            let start = Instant::now();
            let mut stream = TcpStream::connect(address)?;
            write!(stream, "GET {path} HTTP/1.0\r\nHost: localhost\r\n\r\n")?;
            stream.read_to_end(&mut Vec::new())?;
            times.push(start.elapsed());
        }
    }
    Ok(((cpu_ns()? - before) as f64 / 1e9, percentiles(times)))
}

/// p50 and p99 in milliseconds.
pub fn percentiles(mut times: Vec<Duration>) -> (f64, f64) {
    times.sort_unstable();
    let at = |share: f64| times.get(((times.len() - 1) as f64 * share) as usize).map_or(0.0, Duration::as_secs_f64);
    (at(0.5) * 1e3, at(0.99) * 1e3)
}

pub fn mib(bytes: u64) -> f64 {
    bytes as f64 / f64::from(1 << 20)
}
