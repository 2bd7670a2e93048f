//! Redis on the wire: what real clients do, against what the server has counted (`INFO commandstats`) and what the clients
//! know of their own queues.

use std::collections::BTreeMap;
use std::path::Path;

use anyhow::{Context, Result, ensure};
use hippius_tests::agent::Agent;
use hippius_tests::clients::launched::Launched;
use hippius_tests::config::Config;
use hippius_tests::expect;
use hippius_tests::lab::{self, Lab};
use hippius_tests::metrics::Metrics;
use hippius_tests::servers::redis::Redis;
use hippius_tests::{paths, python};

const SECONDS: &str = "db_client_operation_duration_seconds";

/// What the apps put into values, keys and SQL.
const SECRETS: [&str; 2] = ["5ec7e7", "seed phrase"];

/// What the server has counted since [`reset`].
#[derive(Default)]
struct Stats {
    /// By command, those of sub-commands together.
    calls: BTreeMap<String, u64>,
    errors: BTreeMap<String, u64>,
    /// From clients and to them.
    bytes: [u64; 2],
}

fn reset(redis: &Redis) -> Result<()> {
    redis.command(&["CONFIG", "RESETSTAT"]).map(drop)
}

fn stats(redis: &Redis) -> Result<Stats> {
    let mut stats = Stats::default();
    let info = redis.client()?.info()?;
    for (name, text) in &info {
        let Some(command) = name.strip_prefix("cmdstat_") else { continue };
        let command = command.split('|').next().unwrap_or(command).to_uppercase();
        let fields: BTreeMap<&str, &str> = text.split(',').filter_map(|field| field.split_once('=')).collect();
        let field = |name: &str| -> Result<u64> { Ok(fields.get(name).context(name.to_owned())?.parse()?) };
        // What was rejected never was a call.
        *stats.calls.entry(command.clone()).or_insert(0) += field("calls")? + field("rejected_calls")?;
        *stats.errors.entry(command).or_insert(0) += field("failed_calls")? + field("rejected_calls")?;
    }
    // The reset counts itself, and its answer; the question's bytes have come, its answer has not gone.
    *stats.calls.get_mut("CONFIG").context("CONFIG")? -= 1;
    stats.calls.retain(|_, count| *count > 0);
    stats.errors.retain(|_, count| *count > 0);
    let bytes = |name: &str| -> Result<u64> { Ok(info.get(name).context(name.to_owned())?.parse()?) };
    let (question, answer) = ("*2\r\n$4\r\nINFO\r\n$3\r\nALL\r\n".len(), "+OK\r\n".len());
    stats.bytes = [bytes("total_net_input_bytes")? - question as u64, bytes("total_net_output_bytes")? - answer as u64];
    Ok(stats)
}

/// Operations by command: a wait in a stream's read has a name of its own.
fn operations(metrics: &Metrics, name: &str) -> BTreeMap<String, u64> {
    let mut sums = BTreeMap::new();
    for (operation, count) in metrics.by(name, &[("system", "redis")], "operation") {
        *sums.entry(operation.trim_end_matches(" BLOCK").to_owned()).or_insert(0) += count;
    }
    sums
}

/// The agent has seen as many calls as the server, none more and none less, and as many bytes.
fn all_agree(lab: &Lab, agent: &Agent, redis: &Redis) -> Result<Metrics> {
    let truth = stats(redis)?;
    let count = format!("{SECONDS}_count");
    let metrics = lab.settle(agent, |metrics| operations(metrics, &count) == truth.calls)?;
    let seen = operations(&metrics, &count);
    ensure!(seen == truth.calls, "seen {seen:?}\nserver {:?}\n{}", truth.calls, metrics.lines_with("hippius_agent_"));
    let failed = operations(&metrics, "db_client_errors_total");
    ensure!(failed == truth.errors, "seen {failed:?}\nserver {:?}", truth.errors);
    let bytes =
        ["out", "in"].map(|way| metrics.sum("db_client_bytes_total", &[("system", "redis"), ("direction", way)]));
    ensure!(bytes == truth.bytes, "bytes: seen {bytes:?}, server {:?}", truth.bytes);
    expect::nothing_lost(&metrics)?;
    Ok(metrics)
}

fn nothing_leaks(agent: &Agent) -> Result<()> {
    let texts = [("its log", agent.log()), ("/metrics", agent.get("/metrics")?.1), ("/", agent.get("/")?.1)];
    for (place, text) in texts {
        for secret in SECRETS {
            ensure!(!text.contains(secret), "{secret} in {place}");
        }
    }
    Ok(())
}

/// The server whose queues are named is another one: polls would be calls, too.
fn config() -> Config {
    let queues = "queues = [\"jobs\", \"waited\", \"moved\", \"retries\", \"stream\"]";
    let server = format!("[[redis]]\nname = \"elsewhere\"\nurl = \"redis://127.0.0.1:1/0\"\n{queues}");
    Config::with_calls().service("nothing", 1).section(&Launched::section()).section(&server)
}

#[test]
fn what_redis_py_does_is_counted_in_both_versions_of_the_protocol() {
    for protocol in ["2", "3"] {
        lab::with_agent("wire-redis-py", |lab| {
            let redis = Redis::start(&lab.workdir)?;
            let script = paths::apps().join("wire_redis.py").display().to_string();
            let port = redis.server.port.to_string();
            let client = Launched::new(&python::program("python")?, &[&script, &port, protocol])?;
            let agent = lab.agent(&config())?;
            reset(&redis)?;
            let truth: serde_json::Value = serde_json::from_str(&client.run()?)?;
            let metrics = all_agree(lab, &agent, &redis)?;
            for (name, key) in [("queue_enqueued_total", "pushed"), ("queue_dequeued_total", "popped")] {
                let mut seen = metrics.by(name, &[], "queue_name");
                seen.retain(|_, count| *count > 0);
                let wanted: BTreeMap<String, u64> = serde_json::from_value(truth[key].clone())?;
                ensure!(seen == wanted, "{name}: seen {seen:?}, the client {wanted:?}");
            }
            dwell_agrees(&metrics, &truth)?;
            nothing_leaks(&agent)
        });
    }
}

/// Every item that went in and out was matched. What the client measured around its own calls is an upper bound of
/// each time; items that lay for 0.3 s did so.
fn dwell_agrees(metrics: &Metrics, truth: &serde_json::Value) -> Result<()> {
    let of = |queue: &'static str| [("queue_name", queue)];
    for (queue, popped) in [("waited", 50), ("jobs", 220), ("stream", 15)] {
        let count = metrics.sum("queue_item_dwell_seconds_count", &of(queue));
        ensure!(count == popped, "{queue}: {count} items matched, {popped} popped");
    }
    let waited: f64 = truth["dwell"].as_array().context("dwell")?.iter().filter_map(serde_json::Value::as_f64).sum();
    let seen = metrics.sum_f64("queue_item_dwell_seconds_sum", &of("waited"));
    ensure!(seen > 0.0 && seen <= waited, "waited: seen {seen} s, the client {waited} s");
    let jobs = metrics.sum_f64("queue_item_dwell_seconds_sum", &of("jobs"));
    ensure!(jobs >= 200.0 * 0.3, "jobs lay for {jobs} s");
    let unmatched = metrics.sum("hippius_agent_queue_items_unmatched_total", &[]);
    ensure!(unmatched == 0, "{unmatched} items unmatched");
    Ok(())
}

#[test]
fn pipelined_load_is_counted_to_the_call() {
    lab::with_agent("wire-redis-benchmark", |lab| {
        let redis = Redis::start(&lab.workdir)?;
        let port = redis.server.port.to_string();
        let options = ["-p", &port, "-n", "20000", "-c", "10", "-P", "16", "-d", "100", "-r", "1000"];
        // Without PING in a line of its own: what begins so is not taken for Redis.
        let tests = ["-t", "ping_mbulk,set,get,incr,lpush,rpush,lpop,rpop,sadd,hset,spop,zadd,zpopmin,lrange_100,mset"];
        let all: Vec<&str> = options.into_iter().chain(tests).chain(["-q"]).collect();
        let client = Launched::new(Path::new("redis-benchmark"), &all)?;
        // A debug build beside other work must not lose records here: what is tested is the pairing.
        let agent = lab.agent(&config().capture("ring_bytes = 67108864"))?;
        reset(&redis)?;
        client.run()?;
        all_agree(lab, &agent, &redis).map(drop)
    });
}
