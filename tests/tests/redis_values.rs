//! Polled Redis servers: every number against `INFO`, `LLEN` and the like, read by the test on a connection of its own.

use std::collections::{BTreeMap, BTreeSet};

use anyhow::{Context, Result, ensure};
use hippius_tests::agent::Agent;
use hippius_tests::config::Config;
use hippius_tests::expect::LIMIT;
use hippius_tests::lab::{self, Lab};
use hippius_tests::metrics::Metrics;
use hippius_tests::ports;
use hippius_tests::redis_fields::FIELDS;
use hippius_tests::servers::redis::{Answer, Client, Redis};
use hippius_tests::wait;

/// Often, so that a poll is never far; with a sweep each second.
const OFTEN: &str = "interval_ms = 100\njitter_ms = 0\nsweep_interval_s = 1\n";

fn target(name: &str, redis: &Redis, more: &str) -> String {
    format!("[[redis]]\nname = {name:?}\nurl = {:?}\n{OFTEN}{more}", redis.url())
}

fn page(agent: &Agent, name: &str) -> Result<(String, Metrics)> {
    let (status, text) = agent.get(&format!("/metrics/redis/{name}"))?;
    ensure!(status == 200, "{status}: {text}");
    let metrics = Metrics::parse(&text)?;
    Ok((text, metrics))
}

/// A page of a poll that began after this call.
fn next_page(agent: &Agent, name: &str) -> Result<(String, Metrics)> {
    let polls = |metrics: &Metrics| metrics.sum("redis_exporter_scrapes_total", &[]);
    let before = polls(&page(agent, name)?.1);
    // One poll may be under way, so the one after it is the first that is wholly later.
    wait::until("two more polls", wait::WIDE, || page(agent, name).ok().filter(|page| polls(&page.1) >= before + 2))
}

fn wait_for(agent: &Agent, name: &str, what: &str, enough: impl Fn(&Metrics) -> bool) -> Result<Metrics> {
    let mut last = String::new();
    let found = wait::until(what, LIMIT, || {
        let (text, metrics) = page(agent, name).ok()?;
        last = text;
        enough(&metrics).then_some(metrics)
    });
    found.with_context(|| last)
}

fn value(metrics: &Metrics, name: &str, labels: &[(&str, &str)]) -> Option<f64> {
    metrics.select(name, labels).next().map(|sample| sample.value)
}

/// Something in every part of `INFO`.
fn fill(client: &mut Client) -> Result<()> {
    for words in [
        &["CONFIG", "SET", "latency-monitor-threshold", "1"][..],
        &["CONFIG", "SET", "slowlog-log-slower-than", "1000"],
        &["CONFIG", "SET", "maxmemory", "500000000"],
        &["SET", "text", "0123456789"],
        &["EXPIRE", "text", "10000"],
        &["SADD", "set", "a", "b"],
        &["HSET", "hash", "a", "1"],
        &["SELECT", "3"],
        &["SET", "elsewhere", "x"],
        &["SELECT", "0"],
        &["GET", "text"],
        &["GET", "missing"],
        // Takes more than a millisecond: an entry of the slow log and a latency spike.
        &["EVAL", "local x = 0; for i = 1, 3000000 do x = x + i end; return x", "0"],
        &["CONFIG", "SET", "slowlog-log-slower-than", "-1"],
        &["CONFIG", "SET", "latency-monitor-threshold", "0"],
    ] {
        client.ask(words)?;
    }
    ensure!(client.ask(&["LPUSH", "text", "x"]).is_err(), "a string is no list");
    ensure!(client.ask(&["NO-SUCH-COMMAND"]).is_err(), "there is no such command");
    Ok(())
}

#[test]
fn every_field_of_info_is_a_family_with_its_value() {
    lab::with_agent("redis-values", |lab| {
        let redis = Redis::start(&lab.workdir)?;
        let mut client = redis.client()?;
        fill(&mut client)?;
        // Without a sweep: its short connections would make the number of clients waver.
        let agent = lab.agent(
            &Config::new()
                .section(&target("main", &redis, "sweep_interval_s = 0\n").replace("sweep_interval_s = 1\n", "")),
        )?;
        wait_for(&agent, "main", "up", |metrics| value(metrics, "redis_up", &[]) == Some(1.0))?;
        // A value that moves is right where it lies between what the server says before and after; a few looks, because
        // memory moves both ways.
        let mut open: BTreeSet<usize> = (0..FIELDS.len()).collect();
        let mut said = BTreeMap::new();
        for _ in 0..50 {
            let before = client.info()?;
            let (text, metrics) = next_page(&agent, "main")?;
            let after = client.info()?;
            open.retain(|&index| {
                let (family, field, kind) = FIELDS[index];
                let name = format!("redis_{family}");
                let (Some(low), Some(high)) = (number(&before, field), number(&after, field)) else {
                    // This version does not have it, so there must be none.
                    said.insert(family, "is there, though INFO has no such field".to_owned());
                    return metrics.select(&name, &[]).next().is_some();
                };
                let found = value(&metrics, &name, &[]);
                said.insert(family, format!("is {found:?}, INFO says {low} to {high}, type {kind}"));
                let within = found.is_some_and(|found| found >= low.min(high) && found <= low.max(high));
                !(within && text.contains(&format!("# TYPE {name} {kind}\n")))
            });
            if open.is_empty() {
                return labelled(&agent, &mut client);
            }
        }
        let wrong: Vec<_> = open.iter().map(|&index| (FIELDS[index].0, &said[FIELDS[index].0])).collect();
        anyhow::bail!("{wrong:#?}")
    });
}

fn number(info: &BTreeMap<String, String>, field: &str) -> Option<f64> {
    match info.get(field)?.as_str() {
        "ok" => Some(1.0),
        "err" => Some(0.0),
        text => text.parse().ok(),
    }
}

/// What carries labels or comes from elsewhere.
fn labelled(agent: &Agent, client: &mut Client) -> Result<()> {
    let (_, metrics) = next_page(agent, "main")?;
    let info = client.info()?;
    let is = |name: &str, labels: &[(&str, &str)], expected: f64| {
        let found = value(&metrics, name, labels);
        ensure!(found == Some(expected), "{name} {labels:?} is {found:?}, not {expected}");
        Ok(())
    };
    // Only the test has sent these.
    for command in ["set", "get", "hset", "sadd", "eval", "expire"] {
        let line = info.get(&format!("cmdstat_{command}")).context(command.to_owned())?;
        let part = |key: &str| -> Option<f64> {
            line.split(',').find_map(|part| part.strip_prefix(&format!("{key}="))?.parse().ok())
        };
        let cmd = [("cmd", command)];
        is("redis_commands_total", &cmd, part("calls").context("calls")?)?;
        is("redis_commands_duration_seconds_total", &cmd, part("usec").context("usec")? / 1e6)?;
        is("redis_commands_rejected_calls_total", &cmd, part("rejected_calls").context("rejected")?)?;
        is("redis_commands_failed_calls_total", &cmd, part("failed_calls").context("failed")?)?;
        is("redis_latency_percentiles_usec_count", &cmd, part("calls").context("calls")?)?;
        is("redis_latency_percentiles_usec_sum", &cmd, part("usec").context("usec")?)?;
        let quantiles = info.get(&format!("latency_percentiles_usec_{command}")).context("quantiles")?;
        for quantile in quantiles.split(',') {
            let (quantile, usec) = quantile.trim_start_matches('p').split_once('=').context("a quantile")?;
            is("redis_latency_percentiles_usec", &[("cmd", command), ("quantile", quantile)], usec.parse()?)?;
        }
    }
    is("redis_errors_total", &[("err", "WRONGTYPE")], 1.0)?;
    is("redis_errors_total", &[("err", "ERR")], 1.0)?;
    for (db, keys, expires) in [("db0", 3.0, 1.0), ("db3", 1.0, 0.0), ("db15", 0.0, 0.0)] {
        is("redis_db_keys", &[("db", db)], keys)?;
        is("redis_db_keys_expiring", &[("db", db)], expires)?;
    }
    let ttl = value(&metrics, "redis_db_avg_ttl_seconds", &[("db", "db0")]).context("a time to live")?;
    ensure!(ttl > 9000.0 && ttl <= 10_000.0, "{ttl}");
    is("redis_config_maxclients", &[], 10_000.0)?;
    is("redis_config_maxmemory", &[], 500_000_000.0)?;
    slowlog_and_latency(client, &metrics)?;

    let labels: Vec<(&str, &str)> =
        INSTANCE.iter().map(|name| (*name, info.get(*name).map_or("", String::as_str))).collect();
    is("redis_instance_info", &labels, 1.0)?;
    let started = value(&metrics, "redis_start_time_seconds", &[]).context("a start")?;
    let Answer::List(time) = client.ask(&["TIME"])? else { anyhow::bail!("no TIME") };
    let Some(Answer::Text(now)) = time.first() else { anyhow::bail!("no TIME") };
    let uptime: f64 = info["uptime_in_seconds"].parse()?;
    ensure!((now.parse::<f64>()? - uptime - started).abs() <= 2.0, "{started} for {now} less {uptime}");
    let (_, later) = next_page(agent, "main")?;
    ensure!(value(&later, "redis_start_time_seconds", &[]) == Some(started), "the start wavers");
    Ok(())
}

fn slowlog_and_latency(client: &mut Client, metrics: &Metrics) -> Result<()> {
    let length = client.number(&["SLOWLOG", "LEN"])?;
    ensure!(length >= 1, "the script was slow");
    ensure!(value(metrics, "redis_slowlog_length", &[]) == Some(length as f64));
    let Answer::List(entries) = client.ask(&["SLOWLOG", "GET", "1"])? else { anyhow::bail!("no entries") };
    let Some(Answer::List(entry)) = entries.first() else { anyhow::bail!("no entry") };
    let part = |index: usize| match entry.get(index) {
        Some(Answer::Line(line)) => line.trim_start_matches(':').parse::<f64>().ok(),
        _ => None,
    };
    ensure!(value(metrics, "redis_slowlog_last_id", &[]) == part(0));
    ensure!(value(metrics, "redis_last_slow_execution_duration_seconds", &[]) == part(2).map(|usec| usec / 1e6));
    let Answer::List(events) = client.ask(&["LATENCY", "LATEST"])? else { anyhow::bail!("no events") };
    let Some(Answer::List(event)) = events.first() else { anyhow::bail!("no event: the script was slow") };
    let [Answer::Text(name), Answer::Line(at), Answer::Line(ms), _] = &event[..] else { anyhow::bail!("{event:?}") };
    let number = |line: &str| line.trim_start_matches(':').parse::<f64>();
    let labels = [("event_name", name.as_str())];
    ensure!(value(metrics, "redis_latency_spike_last", &labels) == Some(number(at)?));
    ensure!(value(metrics, "redis_latency_spike_duration_seconds", &labels) == Some(number(ms)? / 1e3));
    Ok(())
}

#[test]
fn queues_keys_chunks_and_credits() {
    lab::with_agent("redis-queues", |lab| {
        let (old, new) = (Redis::start(&lab.workdir)?, Redis::start(&lab.workdir)?);
        let plain = Redis::start(&lab.workdir)?;
        let (mut old_client, mut new_client) = (old.client()?, new.client()?);
        let now_s = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH)?.as_secs_f64();
        for index in 0..7 {
            old_client.ask(&["LPUSH", "upload_requests", "{\"seed\": \"secret words of a wallet\"}"])?;
            let score = (now_s - 500.0 + f64::from(index) * 10.0).to_string();
            old_client.ask(&["ZADD", "upload_retries", &score, &format!("secret words {index}")])?;
            old_client.ask(&["SET", &format!("obj:11111111-2222-3333-4444-55555555555{index}:part:1"), "bytes"])?;
            old_client.ask(&["XADD", "jobs", "*", "a", "1"])?;
        }
        old_client.ask(&["SET", "multipart:9:part:1", "x"])?;
        old_client.ask(&["SET", "obj:no-part", "x"])?;
        let (rich, poor) =
            ("5GrwvaEF5zXb26Fz9rcQpDWS57CtERHpNehXCPcNoHGKutQY", "5FHneW46xGXgs5mUiveU4sbTyGBzmstUspZC92UhjJM694ty");
        for (account, credits) in [(rich, true), (poor, false)] {
            let entry =
                format!("{{\"main_account_id\": {account:?}, \"free_credits\": 1, \"has_credits\": {credits}}}");
            old_client.ask(&["SET", &format!("hippius_main_account_credits:{account}"), &entry])?;
        }
        old_client.ask(&["SET", "hippius_main_account_credits:no address", "{\"has_credits\": true}"])?;
        let item = format!("{{\"request_id\": \"r\", \"first_enqueued_at\": {}}}", now_s - 90.0);
        for item in [&item, "{}"] {
            new_client.ask(&["LPUSH", "arion_upload_requests", item])?;
        }
        new_client.ask(&["LPUSH", "unpin_requests:dlq", "x"])?;

        let more = "profile = \"hippius-2025\"\nqueues = [\"jobs\", \"nothing\"]\nkeys = [\"jobs\", \"db2=far\"]\n\
            key_patterns = [\"obj:no-*\"]\naccount_credits = true\n";
        plain.client()?.ask(&["SET", "obj:1:part:1", "x"])?;
        let config = Config::new().section(&target("old", &old, more));
        let config = config.section(&target("new", &new, "profile = \"hippius-2026\"\n"));
        let agent = lab.agent(&config.section(&target("plain", &plain, "")))?;
        let mut far = old.client()?;
        far.ask(&["SELECT", "2"])?;
        far.ask(&["SADD", "far", "a", "b", "c"])?;

        let swept = |metrics: &Metrics| value(metrics, "hippius_redis_sweep_keys", &[]).is_some_and(|keys| keys > 0.0);
        let metrics = wait_for(&agent, "old", "a sweep and the far key", |metrics| {
            swept(metrics) && value(metrics, "redis_key_size", &[("key", "far")]) == Some(3.0)
        })?;
        let (_, newer) = next_page(&agent, "new")?;
        for family in ["queue_length", "hippius_queue_length"] {
            for (queue, words) in [
                ("upload_requests", ["LLEN", "upload_requests"]),
                ("unpin_requests", ["LLEN", "unpin_requests"]),
                ("upload_retries", ["ZCARD", "upload_retries"]),
                ("upload_requests:dlq", ["LLEN", "upload_requests:dlq"]),
                ("jobs", ["XLEN", "jobs"]),
                ("nothing", ["LLEN", "nothing"]),
            ] {
                let truth = old_client.number(&words)? as f64;
                let found = value(&metrics, family, &[("queue_name", queue)]);
                ensure!(found == Some(truth), "{family} {queue}: {found:?}, not {truth}");
            }
            ensure!(value(&newer, family, &[("queue_name", "arion_upload_requests")]) == Some(2.0));
            ensure!(value(&newer, family, &[("queue_name", "unpin_requests:dlq")]) == Some(1.0));
            ensure!(newer.select(family, &[]).count() == 15, "{}", newer.lines_with(family));
        }
        for (metrics, queue, enqueued_s) in
            [(&metrics, "upload_retries", now_s - 500.0), (&newer, "arion_upload_requests", now_s - 90.0)]
        {
            let age = value(metrics, "hippius_queue_oldest_item_age_seconds", &[("queue_name", queue)]);
            let truth = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH)?.as_secs_f64() - enqueued_s;
            ensure!(
                age.is_some_and(|age| age >= now_s - enqueued_s - 1.0 && age <= truth),
                "{queue}: {age:?}, {truth}"
            );
        }
        for (family, expected) in [("multipart_chunks_redis_total", 8.0), ("hippius_multipart_chunks", 8.0)] {
            ensure!(value(&metrics, family, &[("type", "multipart_chunks")]) == Some(expected), "{family}");
        }
        for (pattern, expected) in [("multipart:*:part:*", 1.0), ("obj:*:part:*", 7.0), ("obj:no-*", 1.0)] {
            ensure!(value(&metrics, "redis_keys_count", &[("db", "db0"), ("key", pattern)]) == Some(expected));
        }
        ensure!(value(&metrics, "hippius_redis_sweep_keys", &[]) == Some(old_client.number(&["DBSIZE"])? as f64));
        ensure!(value(&metrics, "redis_key_size", &[("db", "db0"), ("key", "jobs")]) == Some(7.0));
        let memory = old_client.number(&["MEMORY", "USAGE", "jobs"])? as f64;
        ensure!(value(&metrics, "redis_key_memory_usage_bytes", &[("db", "db0"), ("key", "jobs")]) == Some(memory));
        for (account, expected) in [(rich, 1.0), (poor, 0.0)] {
            ensure!(value(&metrics, "hippius_account_has_credits", &[("main_account", account)]) == Some(expected));
        }
        ensure!(metrics.select("hippius_account_has_credits", &[]).count() == 2);

        let (_, nothing) = next_page(&agent, "plain")?;
        for family in ["queue_length", "redis_keys_count", "hippius_multipart_chunks", "hippius_account_has_credits"] {
            ensure!(nothing.select(family, &[]).next().is_none(), "{family} of a plain server");
        }
        one_page_for_all(&agent)?;
        a_queue_may_change_its_type(&agent, &mut old_client)
    });
}

/// `/metrics` holds all three, told apart, and each family once.
fn one_page_for_all(agent: &Agent) -> Result<()> {
    let (_, text) = agent.get("/metrics")?;
    let metrics = Metrics::parse(&text)?;
    for name in ["old", "new", "plain"] {
        ensure!(value(&metrics, "redis_up", &[("redis_instance", name)]) == Some(1.0), "{name}");
        let source = format!("redis/{name}");
        ensure!(value(&metrics, "hippius_agent_source_up", &[("source", &source)]) == Some(1.0), "{name}");
    }
    let heads: Vec<&str> = text.lines().filter(|line| line.starts_with("# TYPE ")).collect();
    let once: BTreeSet<&str> = heads.iter().copied().collect();
    ensure!(heads.len() == once.len(), "a family stands twice");
    ensure!(agent.get("/metrics/redis/nobody")?.0 == 404);
    ensure!(agent.get("/pages")?.1.contains("/metrics/redis/old"));
    Ok(())
}

fn a_queue_may_change_its_type(agent: &Agent, client: &mut Client) -> Result<()> {
    client.ask(&["DEL", "jobs"])?;
    client.ask(&["ZADD", "jobs", "1", "a"])?;
    let length = [("queue_name", "jobs")];
    wait_for(agent, "old", "the new queue", |metrics| value(metrics, "queue_length", &length) == Some(1.0)).map(drop)
}

#[test]
fn a_replica_and_its_master() {
    lab::with_agent("redis-replica", |lab| {
        let master = Redis::start(&lab.workdir)?;
        let port = master.server.port.to_string();
        let replica = Redis::start_on(ports::free(), &lab.workdir, &["--replicaof", "127.0.0.1", &port])?;
        let config = Config::new().section(&target("master", &master, ""));
        let agent = lab.agent(&config.section(&target("replica", &replica, "")))?;
        let labels = [("master_host", "127.0.0.1"), ("master_port", port.as_str())];
        let up = |metrics: &Metrics| value(metrics, "redis_master_link_up", &labels) == Some(1.0);
        let follower = wait_for(&agent, "replica", "a link", up)?;
        ensure!(value(&follower, "redis_instance_info", &[("role", "slave")]) == Some(1.0));
        for family in ["redis_master_last_io_seconds_ago", "redis_slave_repl_offset", "redis_master_sync_in_progress"] {
            ensure!(value(&follower, family, &labels).is_some(), "{family}");
        }
        let read_only = [labels[0], labels[1], ("read_only", "1")];
        ensure!(value(&follower, "redis_slave_info", &read_only) == Some(1.0));
        let replica_port = replica.server.port.to_string();
        let labels = [("slave_ip", "127.0.0.1"), ("slave_port", replica_port.as_str()), ("slave_state", "online")];
        let online = |metrics: &Metrics| value(metrics, "redis_connected_slave_offset_bytes", &labels).is_some();
        let leader = wait_for(&agent, "master", "the replica", online)?;
        ensure!(value(&leader, "redis_connected_slaves", &[]) == Some(1.0));
        ensure!(value(&leader, "redis_connected_slave_lag_seconds", &labels).is_some_and(|lag| lag <= 5.0));
        Ok(())
    });
}

#[test]
fn targets_come_and_go_with_a_reload() {
    lab::with_agent("redis-reload", |lab: &Lab| {
        let (first, second) = (Redis::start(&lab.workdir)?, Redis::start(&lab.workdir)?);
        let config = Config::new().section(&target("first", &first, ""));
        let agent = lab.agent(&config)?;
        wait_for(&agent, "first", "up", |metrics| value(metrics, "redis_up", &[]) == Some(1.0))?;
        let clients = |redis: &Redis| -> Result<String> { Ok(redis.client()?.info()?["connected_clients"].clone()) };
        agent.reload(Config::new().section(&target("second", &second, "")).text())?;
        wait::until("the second", LIMIT, || (agent.get("/metrics/redis/second").ok()?.0 == 200).then_some(()))?;
        wait_for(&agent, "second", "up", |metrics| value(metrics, "redis_up", &[]) == Some(1.0))?;
        ensure!(agent.get("/metrics/redis/first")?.0 == 404, "the first is gone");
        ensure!(!agent.get("/metrics")?.1.contains("redis_instance=\"first\""), "the first is gone");
        // Only the one who asks is connected.
        wait::until("the agent lets go", LIMIT, || (clients(&first).ok()? == "1").then_some(()))
    });
}

const INSTANCE: [&str; 9] = [
    "role",
    "redis_version",
    "redis_build_id",
    "redis_mode",
    "os",
    "maxmemory_policy",
    "tcp_port",
    "run_id",
    "process_id",
];
