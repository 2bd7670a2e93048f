//! The agent at work on this machine: an S3 server with several accounts, Redis, Postgres, an IPFS node and workers with
//! queues, signed traffic of every kind, and a table of what the agent says, until Ctrl-C. Everything it starts ends with
//! it.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use anyhow::{Result, bail};
use clap::Parser;
use hippius_tests::accounts::{SECOND_SEED, SEED, SEED_ADDRESS, access_key};
use hippius_tests::agent::Agent;
use hippius_tests::clients::{boto, curl};
use hippius_tests::config::Config;
use hippius_tests::metrics::Metrics;
use hippius_tests::servers::Server;
use hippius_tests::servers::redis::Redis;
use hippius_tests::servers::s3::{self, KeyPair};
use hippius_tests::workdir::Workdir;
use hippius_tests::workers::Workers;
use hippius_tests::{bpf, wait};

#[derive(Parser)]
#[command(about = "Shows the agent at work: an S3 server, its clients and the agent on this host")]
struct Arguments {
    /// End by itself after this many seconds
    #[arg(long)]
    seconds: Option<u64>,
}

/// Set by Ctrl-C and SIGTERM.
static STOP: AtomicBool = AtomicBool::new(false);

extern "C" fn stop(_signal: libc::c_int) {
    STOP.store(true, Ordering::Relaxed);
}

fn main() -> Result<()> {
    let arguments = Arguments::parse();
    if let Some(why) = bpf::why_not() {
        bail!("the agent cannot run here: {why}");
    }
    for signal in [libc::SIGINT, libc::SIGTERM] {
        // SAFETY: the handler only stores to an atomic, which is async-signal-safe.
        unsafe { libc::signal(signal, stop as extern "C" fn(libc::c_int) as libc::sighandler_t) };
    }
    let workdir = Workdir::new("demo")?;
    println!("starting an S3 server, Redis, Postgres, an IPFS node and workers …");
    let redis = Redis::start(&workdir)?;
    let keys = accounts(&redis)?;
    let server = s3::verified(&workdir, &keys)?;
    let workers = Workers::start(&workdir, &redis, &format!("http://{}/no-bucket/no-key", server.address()))?;
    let mut agent = Agent::start(config(&workdir, &server, &redis, &workers)?.text(), &workdir)?;
    println!("metrics: http://{0}/metrics   overview: http://{0}/   Ctrl-C ends everything", agent.address());

    let _work = workers.work(&workdir)?;
    let traffic = Traffic::start(&server, keys);
    let end = arguments.seconds.map(|seconds| Instant::now() + Duration::from_secs(seconds));
    let over = || STOP.load(Ordering::Relaxed) || end.is_some_and(|end| Instant::now() > end);
    while !over() {
        let _ = wait::until("the next table", Duration::from_secs(2), || over().then_some(()));
        show(&agent.scrape()?);
    }
    println!("ending …");
    STOP.store(true, Ordering::Relaxed);
    traffic.finish()?;
    let (_, took) = agent.stop()?;
    println!("the agent ended {} ms after SIGTERM", took.as_millis());
    Ok(())
}

/// One account per way to find it: static file, Redis, and two seed phrases (one with a main account in Redis).
fn accounts(redis: &Redis) -> Result<Vec<KeyPair>> {
    let main = "5FHneW46xGXgs5mUiveU4sbTyGBzmstUspZC92UhjJM694ty";
    for (key, account) in
        [("hip_demo_alice", "5GrwvaEF5zXb26Fz9rcQpDWS57CtERHpNehXCPcNoHGKutQY"), ("hip_demo_bob", main)]
    {
        let value = format!(
            r#"{{"valid":true,"status":"active","account_address":"{account}","token_type":"master","encrypted_secret":"x","nonce":"y","detail":null}}"#
        );
        redis.command(&["SET", &format!("hippius_auth:{key}"), &value])?;
    }
    let cached = format!(
        r#"{{"subaccount_id":"{SEED_ADDRESS}","main_account_id":"{main}","role":"UploadDelete","free_credits":1,"has_credits":true}}"#
    );
    redis.command(&["SET", &format!("hippius_subaccount_cache:{SEED_ADDRESS}"), &cached])?;
    for chunk in 0..5 {
        redis.command(&["LPUSH", "upload_requests", &format!("{{\"object\":{chunk}}}")])?;
    }
    // A part of an upload, as the API of 2025 caches it.
    redis.command(&["SETEX", "obj:00000000-0000-4000-8000-000000000000:part:1", "3600", "bytes"])?;
    let pairs = ["hip_demo_static", "hip_demo_alice", "hip_demo_bob", &access_key(SEED), &access_key(SECOND_SEED)];
    Ok(pairs.iter().map(|access| KeyPair::new(access, "demo-secret")).collect())
}

fn config(workdir: &Workdir, server: &Server, redis: &Redis, workers: &Workers) -> Result<Config> {
    let accounts =
        "[[account]]\naccess_key = \"hip_demo_static\"\nmain_account = \"team-static\"\nsubaccount_id = \"demo\"\n";
    let file = workdir.write("accounts.toml", accounts)?.display().to_string();
    let url = redis.url();
    let config = Config::new().service_with("s3", &[server.port], "s3", "").section(Workers::client());
    let config = config.section(&format!(
        "[attribution.static]\nfile = {file:?}\n[attribution.redis]\nauth_url = {url:?}\naccounts_url = {url:?}"
    ));
    let config = config.section(&format!(
        "[[postgres]]\nname = \"main\"\nurl = {:?}\nprofile = \"hippius-2025\"\ninterval_ms = 1000\nslow_interval_s = 5\n\
         accounts_interval_s = 5",
        workers.postgres.url()
    ));
    Ok(config.section(&format!(
        "[[redis]]\nname = \"main\"\nurl = {url:?}\nprofile = \"hippius-2025\"\ninterval_ms = 1000\nsweep_interval_s = 5"
    )))
}

/// Clients in the background: every account in turn, a forged signature, an anonymous read.
struct Traffic {
    thread: JoinHandle<()>,
    failed: Arc<AtomicBool>,
}

impl Traffic {
    fn start(server: &Server, keys: Vec<KeyPair>) -> Self {
        let address = server.address();
        let failed = Arc::new(AtomicBool::new(false));
        let flag = failed.clone();
        let thread = std::thread::spawn(move || {
            let scenarios = ["everything", "basic", "parts"];
            for round in 0.. {
                if STOP.load(Ordering::Relaxed) {
                    return;
                }
                let key = &keys[round % keys.len()];
                let mut worked = boto::drive(address, key, scenarios[round % scenarios.len()]).is_ok();
                if round % keys.len() == 0 {
                    let forged = KeyPair::new(&key.access, "guessed");
                    worked &= boto::drive(address, &forged, "put").is_ok();
                    worked &= curl::curl(&[&format!("http://{address}/no-bucket/no-key")]).is_ok();
                }
                flag.fetch_or(!worked, Ordering::Relaxed);
            }
        });
        Self { thread, failed }
    }

    fn finish(self) -> Result<()> {
        let joined = self.thread.join().is_ok();
        anyhow::ensure!(joined && !self.failed.load(Ordering::Relaxed), "a client failed");
        Ok(())
    }
}

fn show(metrics: &Metrics) {
    println!("\n{:<50} {:>9} {:>12} {:>12}", "main account", "requests", "in", "out");
    let filter = [("service", "s3")];
    for (account, requests) in metrics.by("http_requests_total", &filter, "main_account") {
        let of = [("service", "s3"), ("main_account", account.as_str())];
        let bytes = |name: &str| metrics.sum(name, &of);
        let (bytes_in, bytes_out) = (bytes("http_request_bytes_total"), bytes("http_response_bytes_total"));
        println!("{account:<50} {requests:>9} {bytes_in:>12} {bytes_out:>12}");
    }
    let operations = metrics.by("s3_operations_total", &filter, "operation");
    let list: Vec<String> = operations.iter().map(|(name, count)| format!("{name} {count}")).collect();
    println!("operations: {}", list.join(", "));
    let errors = metrics.by("s3_errors_total", &filter, "code");
    let list: Vec<String> = errors.iter().map(|(name, count)| format!("{name} {count}")).collect();
    println!("errors: {}; events lost: {}", list.join(", "), metrics.sum("hippius_agent_events_lost_total", &[]));
    let calls = metrics.by("ipfs_operations_total", &[("success", "true")], "operation");
    let list: Vec<String> = calls.iter().map(|(name, count)| format!("{name} {count}")).collect();
    println!("IPFS: {}", list.join(", "));
    let queues = metrics.by("queue_dequeued_total", &[], "queue_name");
    let list: Vec<String> = queues.iter().map(|(name, count)| format!("{name} {count}")).collect();
    println!("taken out of queues: {}", list.join(", "));
}
