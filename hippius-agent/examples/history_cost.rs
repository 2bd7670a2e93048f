//! What the overview page costs: time and memory of samples and documents.
//!
//! `cargo run --release -p hippius-agent --example history_cost [accounts]`

use std::sync::Arc;
use std::time::Instant;

use hippius_agent::attribute::Account;
use hippius_agent::classify::{Effect, Payload, S3Operation};
use hippius_agent::exchange::{Direction, MessageBytes, Outcome};
use hippius_agent::export::exposition::Exposition;
use hippius_agent::record::agent::{AgentMetrics, Build};
use hippius_agent::record::history::filter::{Filter, Range};
use hippius_agent::record::history::table::Ask;
use hippius_agent::record::history::{History, Moment};
use hippius_agent::record::sample::{AccountId, ExchangeSample, ServiceId, TransferSample};
use hippius_agent::record::series::{Recorder, SeriesConfig};

/// An hour of samples.
const SAMPLES: u64 = 720;

fn main() -> anyhow::Result<()> {
    let accounts: u64 = std::env::args().nth(1).map_or(Ok(10_000), |word| word.parse())?;
    let agent = Arc::new(AgentMetrics::new(Build { version: "0", revision: "0", rustc: "0" })?);
    let config = SeriesConfig { max_series: 1_000_000, max_series_per_family: 400_000, ..SeriesConfig::default() };
    let mut recorder = Recorder::new(config);
    let service = recorder.service("hippius-api");
    let names = (0..accounts)
        .map(|number| Account { main: format!("5{number:0>47}").into(), sub: format!("5S{number:0>46}").into() });
    let ids: Vec<_> = names.map(|account| recorder.account(&account)).collect();
    let exposition = Exposition::new(recorder.reader(), agent, Arc::default());
    count(&mut recorder, service, &ids);
    drop(exposition.look());
    let before_mib = resident_mib();
    let mut history = History::default();
    let (mut looks_ms, mut samples_ms) = (Vec::new(), Vec::new());
    for number in 0..SAMPLES {
        count(&mut recorder, service, &ids);
        let start = Instant::now();
        let (snapshot, text) = exposition.look();
        looks_ms.push(start.elapsed().as_secs_f64() * 1e3);
        let text = String::from_utf8(text)?;
        let now = Moment { unix_s: 1e9 + number as f64 * 5.0, monotonic_ns: number * 5_000_000_000 };
        history.sample(snapshot, &text, now);
        samples_ms.push(start.elapsed().as_secs_f64() * 1e3);
    }
    println!("{accounts} accounts, all of which moved in each of {SAMPLES} samples");
    report("look (the lock is held for a part of it)", &mut looks_ms);
    report("whole sample", &mut samples_ms);
    println!("frames and gauges {:.2} MiB", history.bytes() as f64 / 1_048_576.0);
    println!("resident: {:.1} MiB more than with one snapshot", resident_mib() - before_mib);
    for range in [Range::TenMinutes, Range::Hour] {
        let start = Instant::now();
        let document = serde_json::to_vec(&history.overview(&Filter::default(), range))?;
        println!("overview {range:?}: {:.1} ms, {} KiB", start.elapsed().as_secs_f64() * 1e3, document.len() / 1024);
    }
    let start = Instant::now();
    let document = serde_json::to_vec(&history.table(&Ask { limit: 50, ..Ask::default() }))?;
    println!("table: {:.1} ms, {} KiB", start.elapsed().as_secs_f64() * 1e3, document.len() / 1024);
    Ok(())
}

fn report(name: &str, times_ms: &mut [f64]) {
    times_ms.sort_by(f64::total_cmp);
    let at = |part: f64| times_ms.get((times_ms.len() as f64 * part) as usize).copied().unwrap_or(f64::NAN);
    println!("{name}: median {:.2} ms, p99 {:.2} ms", at(0.5), at(0.99));
}

/// One download by every account.
fn count(recorder: &mut Recorder, service: ServiceId, ids: &[AccountId]) {
    for chunk in ids.chunks(256) {
        let mut batch = recorder.batch();
        for account in chunk {
            let account = *account;
            let sample = ExchangeSample {
                service,
                account,
                method: "GET",
                handler: "get_object",
                status: Some(200),
                outcome: Outcome::Complete,
                s3: Some(S3Operation { name: "GetObject", effect: Effect::None, payload: Payload::Download }),
                error_code: None,
                decoded_payload_bytes: None,
                request: MessageBytes { head: 300, body: 0, framing: 0 },
                response: MessageBytes { head: 200, body: 65_536, framing: 0 },
                receive_ns: 100_000,
                process_ns: Some(20_000_000),
                send_ns: Some(1_000_000),
                total_ns: 21_100_000,
            };
            batch.exchange(&sample, 1);
            for (direction, bytes) in [(Direction::In, 300), (Direction::Out, 65_736)] {
                batch.transfer(&TransferSample { service, account, handler: "get_object", direction, bytes }, 1);
            }
        }
    }
}

fn resident_mib() -> f64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap_or_default();
    let kib: f64 = line.split_whitespace().next().and_then(|word| word.parse().ok()).unwrap_or(0.0);
    kib / 1024.0
}
