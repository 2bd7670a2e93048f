//! The queries of dashboards in use, asked of a Prometheus that scrapes the agent's pages of single targets.

use std::process::Command;

use anyhow::{Context, Result, ensure};
use hippius_tests::config::Config;
use hippius_tests::process::{self, Process};
use hippius_tests::servers::postgres::Postgres;
use hippius_tests::servers::redis::Redis;
use hippius_tests::{lab, paths, polled, ports, wait};

/// Lines that say something.
fn lines(file: &str) -> Result<Vec<String>> {
    let path = paths::workspace().join("tests/dashboards").join(file);
    let text = std::fs::read_to_string(&path).with_context(|| path.display().to_string())?;
    let lines = text.lines().filter(|line| !line.is_empty() && !line.starts_with(['#', '[']));
    Ok(lines.map(str::to_owned).collect())
}

fn answers(prometheus: u16, query: &str) -> Result<bool> {
    let mut promtool = Command::new("promtool");
    promtool.args(["query", "instant", &format!("http://127.0.0.1:{prometheus}"), query]);
    Ok(!process::run(&mut promtool)?.trim().is_empty())
}

#[test]
fn every_query_of_the_dashboards_has_an_answer_or_a_reason() {
    lab::with_agent("dashboards", |lab| {
        let redis = Redis::start(&lab.workdir)?;
        for command in [
            &["CONFIG", "SET", "maxmemory", "100000000"][..],
            &["SET", "here", "1"],
            &["SET", "there", "1", "EX", "1000"],
            &["GET", "here"],
            &["GET", "nowhere"],
            &["LPUSH", "upload_requests", "item"],
            &["LPUSH", "unpin_requests", "item"],
        ] {
            redis.client()?.ask(command)?;
        }
        let postgres = Postgres::start(&lab.workdir)?;
        process::run(postgres.client("pgbench").args(["-i", "-q", &postgres.url()]))?;
        postgres.sql("SELECT pg_create_physical_replication_slot('kept', true)")?;
        postgres.sql("CREATE TABLE gone (a int); INSERT INTO gone VALUES (1); DELETE FROM gone; CHECKPOINT")?;
        let redis_section = format!(
            "[[redis]]\nname = \"main\"\nurl = {:?}\nprofile = \"hippius-2025\"\ninterval_ms = 200\n",
            redis.url()
        );
        let config = Config::new().section(&redis_section).section(&polled::postgres("main", &postgres.monitor()?, ""));
        let agent = lab.agent(&config)?;
        let prometheus = ports::free();
        let job = |name: &str| {
            let target = agent.address();
            format!(
                "  - {{job_name: {name}, metrics_path: /metrics/{name}/main, static_configs: [{{targets: ['{target}']}}]}}\n"
            )
        };
        let scrapes = format!("global: {{scrape_interval: 1s}}\nscrape_configs:\n{}{}", job("redis"), job("postgres"));
        let file = lab.workdir.write("prometheus.yml", scrapes)?;
        let mut command = Command::new("prometheus");
        command.arg(format!("--config.file={}", file.display()));
        command.arg(format!("--storage.tsdb.path={}", lab.workdir.join("tsdb").display()));
        command.arg(format!("--web.listen-address=127.0.0.1:{prometheus}"));
        let mut server = Process::spawn("prometheus", command, &lab.workdir)?;
        server.wait_for_port(prometheus)?;
        let empty: Vec<String> = lines("empty.txt")?;
        ensure!(empty.len() <= 10, "too many queries without an answer");
        let reasons: Vec<(&str, &str)> = empty.iter().filter_map(|line| line.split_once(" # ")).collect();
        ensure!(reasons.len() == empty.len(), "a query without a reason");
        let mut open: Vec<String> = lines("queries.txt")?;
        ensure!(open.len() > 100);
        for (query, _) in &reasons {
            ensure!(open.iter().any(|line| line == query), "{query} is no query of the dashboards");
        }
        open.retain(|line| !reasons.iter().any(|(query, _)| line == query));
        // Rates need two scrapes; pgbench and these commands go on meanwhile.
        let asked = wait::until("an answer to each query", wait::WIDE * 3, || {
            redis.client().ok()?.ask(&["GET", "here"]).ok()?;
            redis.client().ok()?.ask(&["GET", "nowhere"]).ok()?;
            postgres.sql("UPDATE pgbench_accounts SET abalance = 1 WHERE aid = 1").ok()?;
            open.retain(|query| !answers(prometheus, query).unwrap_or(false));
            open.is_empty().then_some(())
        });
        asked.with_context(|| format!("without an answer:\n{}", open.join("\n")))?;
        // What stands on the list of exceptions must need to.
        for (query, _) in &reasons {
            ensure!(!answers(prometheus, query)?, "{query} has an answer and needs no reason");
        }
        Ok(())
    });
}
