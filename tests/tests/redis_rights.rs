//! The user that the documentation describes is enough, and nothing else is ever sent.

use std::collections::BTreeSet;

use anyhow::{Context, Result, ensure};
use hippius_tests::config::Config;
use hippius_tests::lab;
use hippius_tests::metrics::Metrics;
use hippius_tests::servers::redis::{Answer, Redis};
use hippius_tests::{paths, ports, process, wait};

const PASSWORD: &str = "geheimes-passwort-91bc";

/// The rule in docs/operations.md, between the quotes of `ACL SETUSER hippius_agent …`.
fn documented_rule() -> Result<Vec<String>> {
    let page = std::fs::read_to_string(paths::workspace().join("docs/operations.md"))?;
    let (_, rest) = page.split_once("ACL SETUSER hippius_agent ").context("docs/operations.md has the rule")?;
    let rule = rest.split("```").next().unwrap_or_default().replace('\\', " ");
    Ok(rule.split_whitespace().map(|word| word.replace(">PASSWORD", &format!(">{PASSWORD}"))).collect())
}

#[test]
fn the_documented_user_is_enough_and_nothing_else_is_sent() {
    lab::with_agent("redis-rights", |lab| {
        let redis = Redis::start(&lab.workdir)?;
        let mut client = redis.client()?;
        let rule = documented_rule()?;
        let words: Vec<&str> =
            ["ACL", "SETUSER", "hippius_agent"].into_iter().chain(rule.iter().map(String::as_str)).collect();
        client.ask(&words)?;
        let account = "5GrwvaEF5zXb26Fz9rcQpDWS57CtERHpNehXCPcNoHGKutQY";
        for words in [
            &["SET", &format!("hippius_main_account_credits:{account}"), "{\"has_credits\": true}"][..],
            &["ZADD", "arion_upload_retries", "1000", "x"],
            &["LPUSH", "arion_upload_requests", "{\"first_enqueued_at\": 1}"],
            &["XADD", "jobs", "*", "a", "1"],
            &["SADD", "set", "a"],
            &["HSET", "hash", "a", "1"],
            &["SET", "text", "1"],
            &["SET", "obj:1:part:1", "1"],
            &["CONFIG", "RESETSTAT"],
        ] {
            client.ask(words)?;
        }
        let file = lab.workdir.write("password", PASSWORD)?;
        let config = format!(
            "[[redis]]\nname = \"main\"\nurl = \"redis://hippius_agent@127.0.0.1:{}/0\"\npassword_file = {file:?}\n\
             profile = \"hippius-2026\"\ninterval_ms = 100\nsweep_interval_s = 1\naccount_credits = true\n\
             queues = [\"jobs\"]\nkeys = [\"set\", \"hash\", \"text\", \"db1=x\"]\n",
            redis.server.port
        );
        let agent = lab.agent(&Config::new().section(&config))?;
        let complete = |metrics: &Metrics| {
            let has = |name: &str| metrics.select(name, &[]).next().is_some();
            has("redis_slowlog_length")
                && has("redis_config_maxclients")
                && has("hippius_account_has_credits")
                && has("hippius_queue_oldest_item_age_seconds")
                && metrics.select("redis_key_size", &[]).count() == 4
                && metrics.select("redis_key_memory_usage_bytes", &[]).count() == 3
                && metrics.sum("hippius_redis_sweeps_total", &[("result", "finished")]) >= 2
        };
        let mut last = String::new();
        wait::until("everything is there", wait::WIDE, || {
            last = agent.get("/metrics/redis/main").ok()?.1;
            Metrics::parse(&last).ok().filter(complete)
        })
        .with_context(|| last)?;
        ensure!(client.ask(&["ACL", "LOG"])? == Answer::List(Vec::new()), "the server has refused something");

        // What the server was asked, by its own count, is what the rule allows, and the test's own questions.
        let info = client.info()?;
        let mut allowed: BTreeSet<String> =
            rule.iter().filter_map(|word| word.trim_matches(['(', ')']).strip_prefix('+')).map(str::to_owned).collect();
        allowed.extend(["auth", "acl|log", "config|resetstat"].map(str::to_owned));
        let sent: BTreeSet<String> =
            info.keys().filter_map(|key| key.strip_prefix("cmdstat_")).map(str::to_owned).collect();
        let beyond: Vec<_> = sent.difference(&allowed).collect();
        ensure!(beyond.is_empty(), "{beyond:?} are not allowed");
        // Not in use here: a cluster's.
        let unused: Vec<_> = allowed.difference(&sent).filter(|command| *command != "cluster|info").collect();
        ensure!(unused.is_empty(), "{unused:?} are allowed and not needed");

        let environ = std::fs::read(format!("/proc/{}/cmdline", agent.pid()))?;
        let texts = [agent.log(), agent.get("/metrics")?.1, agent.get("/metrics/redis/main")?.1, agent.get("/")?.1];
        for text in texts.into_iter().chain([String::from_utf8_lossy(&environ).into_owned()]) {
            ensure!(!text.contains(PASSWORD), "the password is in what the agent emits");
        }
        a_user_without_rights(&redis)
    });
}

/// Refused commands cost their families, not the poll; a refused `INFO` is `denied`.
fn a_user_without_rights(redis: &Redis) -> Result<()> {
    let mut client = redis.client()?;
    client.ask(&["ACL", "SETUSER", "poor", "on", "nopass", "+info"])?;
    client.ask(&["ACL", "SETUSER", "poorest", "on", "nopass"])?;
    lab_agent_with(redis, &["poor", "poorest"])
}

fn lab_agent_with(redis: &Redis, users: &[&str]) -> Result<()> {
    let workdir = hippius_tests::workdir::Workdir::new("redis-poor")?;
    let mut config = Config::new();
    for user in users {
        let url = format!("redis://{user}:x@127.0.0.1:{}/0", redis.server.port);
        config = config.section(&format!(
            "[[redis]]\nname = {user:?}\nurl = {url:?}\nprofile = \"hippius-2025\"\ninterval_ms = 100\n"
        ));
    }
    let agent = hippius_tests::agent::Agent::start(config.text(), &workdir)?;
    let up = |user: &str, value: f64, reason: &str| {
        wait::until(&format!("{user}: {reason}"), wait::WIDE, || {
            let metrics = Metrics::parse(&agent.get(&format!("/metrics/redis/{user}")).ok()?.1).ok()?;
            let error = metrics.select("redis_exporter_last_scrape_error", &[("err", reason)]).next().is_some();
            let polled = metrics.sum("redis_exporter_scrapes_total", &[]) > 2;
            (polled && error && metrics.sum_f64("redis_up", &[]) == value).then_some(metrics)
        })
    };
    let poor = up("poor", 1.0, "")?;
    ensure!(
        poor.select("redis_slowlog_length", &[]).next().is_none() && poor.select("queue_length", &[]).next().is_none()
    );
    ensure!(poor.sum("redis_memory_used_bytes", &[]) > 0);
    up("poorest", 0.0, "denied").map(drop)
}

#[test]
fn tls_with_a_certificate_of_ones_own() {
    lab::with_agent("redis-tls", |lab| {
        let path = |name: &str| lab.workdir.join(name);
        let mut openssl = std::process::Command::new("openssl");
        openssl.args([
            "req",
            "-x509",
            "-newkey",
            "ec",
            "-pkeyopt",
            "ec_paramgen_curve:prime256v1",
            "-nodes",
            "-days",
            "2",
        ]);
        openssl.args(["-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost"]);
        // rustls takes no certificate of an authority for a server's.
        openssl.args(["-addext", "basicConstraints=critical,CA:FALSE"]);
        openssl.arg("-keyout").arg(path("key.pem")).arg("-out").arg(path("cert.pem"));
        process::run(&mut openssl)?;
        let (port, file) = (ports::free(), |name: &str| path(name).to_string_lossy().into_owned());
        let tls_port = ports::free().to_string();
        let (certificate, key) = (file("cert.pem"), file("key.pem"));
        let options = [
            "--tls-port",
            &tls_port,
            "--tls-cert-file",
            &certificate,
            "--tls-key-file",
            &key,
            "--tls-ca-cert-file",
            &certificate,
        ];
        let _redis = Redis::start_on(port, &lab.workdir, &options)?;
        let target = |name: &str, more: &str| {
            let url = format!("rediss://localhost:{tls_port}/0");
            format!("[[redis]]\nname = {name:?}\nurl = {url:?}\ninterval_ms = 100\n{more}")
        };
        let shown = format!("tls_ca_file = {certificate:?}\ntls_cert_file = {certificate:?}\ntls_key_file = {key:?}\n");
        let trusted = format!("tls_ca_file = {certificate:?}\n");
        let config = Config::new().section(&target("shown", &shown)).section(&target("not-shown", &trusted));
        let agent = lab.agent(&config.section(&target("stranger", "")))?;
        for (name, up, reasons) in
            [("shown", 1.0, &[""][..]), ("not-shown", 0.0, &["tls", "closed"]), ("stranger", 0.0, &["tls"])]
        {
            let mut last = String::new();
            wait::until(name, wait::WIDE, || {
                last = agent.get(&format!("/metrics/redis/{name}")).ok()?.1;
                let metrics = Metrics::parse(&last).ok()?;
                let error = |reason: &&str| {
                    metrics.select("redis_exporter_last_scrape_error", &[("err", *reason)]).next().is_some()
                };
                let polled = metrics.sum("redis_exporter_scrapes_total", &[]) > 0;
                (polled && metrics.sum_f64("redis_up", &[]) == up && reasons.iter().any(error)).then_some(())
            })
            .with_context(|| last)?;
        }
        Ok(())
    });
}
