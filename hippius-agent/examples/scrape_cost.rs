//! What recording and scraping cost at a full series budget.
//!
//! `cargo run --release -p hippius-agent --example scrape_cost [accounts]` prints milliseconds, nanoseconds and MiB. It
//! asserts nothing: a busy machine is slower.

use std::sync::Arc;
use std::time::Instant;

use hippius_agent::attribute::Account;
use hippius_agent::classify::{Effect, Payload, S3Operation};
use hippius_agent::exchange::{MessageBytes, Outcome};
use hippius_agent::export::exposition::Exposition;
use hippius_agent::export::process::Process;
use hippius_agent::export::text::Format;
use hippius_agent::record::agent::{AgentMetrics, Build};
use hippius_agent::record::sample::{AccountId, Direction, ExchangeSample, ServiceId, TransferSample};
use hippius_agent::record::series::{Recorder, SeriesConfig};

const ROUNDS: u64 = 2_000_000;
const PIECE_BYTES: usize = 64 * 1024;
const PUT: S3Operation = S3Operation { name: "PutObject", effect: Effect::ObjectCreated, payload: Payload::Upload };

fn sample(service: ServiceId, account: AccountId) -> ExchangeSample<'static> {
    ExchangeSample {
        service,
        account,
        method: "PUT",
        handler: "put_object",
        status: Some(200),
        outcome: Outcome::Complete,
        s3: Some(PUT),
        error_code: None,
        decoded_payload_bytes: None,
        request: MessageBytes { head: 400, body: 65_536, framing: 0 },
        response: MessageBytes { head: 200, body: 0, framing: 0 },
        receive_ns: 3_000_000,
        process_ns: Some(7_000_000),
        send_ns: Some(10_000),
        total_ns: 10_010_000,
    }
}

fn transfer(service: ServiceId, account: AccountId) -> TransferSample {
    TransferSample { service, account, handler: "put_object", direction: Direction::In, bytes: 65_936 }
}

fn resident_mib() -> f64 {
    Process::read().resident_bytes as f64 / 1_048_576.0
}

fn main() -> anyhow::Result<()> {
    let accounts: u64 = std::env::args().nth(1).map_or(Ok(12_000), |word| word.parse())?;
    let build = Build { version: "0", revision: "0", rustc: "0" };
    let agent = Arc::new(AgentMetrics::new(build)?);
    let before_mib = resident_mib();
    let mut recorder = Recorder::new(SeriesConfig::default());
    let service = recorder.service("hippius-api");
    let mut ids = Vec::new();
    for number in 0..accounts {
        let main = format!("5{number:0>47}").into();
        let id = recorder.account(&Account { main, sub: format!("5S{number:0>46}").into() });
        recorder.exchange(&sample(service, id), 1);
        recorder.transfer(&transfer(service, id), 1);
        ids.push(id);
    }
    let reader = recorder.reader();
    let lines = reader.snapshot().lines();
    println!("{accounts} accounts, {lines} lines, store {:.1} MiB (with one snapshot)", resident_mib() - before_mib);

    for (name, spread) in [("one account", 1), ("all accounts", ids.len().max(1))] {
        let cycle: Vec<_> = (0..4096).map(|index| ids[index * 7919 % spread]).collect();
        let start = Instant::now();
        for round in 0..ROUNDS {
            recorder.exchange(&sample(service, cycle[round as usize % cycle.len()]), round);
        }
        let exchange_ns = start.elapsed().as_nanos() as u64 / ROUNDS;
        let start = Instant::now();
        for round in 0..ROUNDS {
            recorder.transfer(&transfer(service, cycle[round as usize % cycle.len()]), round);
        }
        let transfer_ns = start.elapsed().as_nanos() as u64 / ROUNDS;
        println!("{name}: {exchange_ns} ns per exchange (10 updates), {transfer_ns} ns per transfer (1 update)");
    }

    let mut snapshots_ms = Vec::new();
    for _ in 0..50 {
        // A scrape comes after much else went through the caches.
        for round in 0..10_000 {
            recorder.exchange(&sample(service, ids[round * 7919 % ids.len()]), ROUNDS);
        }
        let start = Instant::now();
        drop(reader.snapshot());
        snapshots_ms.push(start.elapsed().as_secs_f64() * 1e3);
    }
    let first_ms = snapshots_ms[0];
    snapshots_ms.sort_by(f64::total_cmp);
    println!("snapshot: first {first_ms:.3} ms, median {:.3} ms, worst {:.3} ms", snapshots_ms[25], snapshots_ms[49]);
    let exposition = Exposition::new(reader, agent, Arc::default());
    for format in [Format::Text, Format::OpenMetrics, Format::Text] {
        let start = Instant::now();
        let (mut page, mut piece, mut bytes) = (exposition.page(format), Vec::new(), 0);
        loop {
            piece.clear();
            let more = page.fill(&mut piece, PIECE_BYTES);
            bytes += piece.len();
            if !more {
                break;
            }
        }
        let spent_ms = start.elapsed().as_secs_f64() * 1e3;
        println!("{format:?}: {spent_ms:.1} ms, {:.1} MiB of text", bytes as f64 / 1_048_576.0);
    }
    println!("resident at the end: {:.1} MiB", resident_mib());
    Ok(())
}
