//! PostgreSQL on the wire: what real clients do, against what the server has counted (`pg_stat_statements`, errors in its log).

use std::collections::BTreeMap;
use std::path::Path;

use anyhow::{Context, Result, ensure};
use hippius_tests::agent::Agent;
use hippius_tests::clients::launched::Launched;
use hippius_tests::config::Config;
use hippius_tests::expect;
use hippius_tests::lab::{self, Lab};
use hippius_tests::metrics::Metrics;
use hippius_tests::servers::postgres::Postgres;
use hippius_tests::workdir::Workdir;
use hippius_tests::{paths, python};

const COUNT: &str = "db_client_operation_duration_seconds_count";

/// Of pgbench: four clients with 250 each.
const TRANSACTIONS: u64 = 4 * 250;

/// What the app puts into values.
const SECRETS: [&str; 2] = ["5ec7e7", "seed phrase"];

/// The client's own user: whatever it does is told from what the test does.
const USER: &str = "wired";

fn start(workdir: &Workdir) -> Result<Postgres> {
    let options = ["shared_preload_libraries=pg_stat_statements", "pg_stat_statements.max=10000", "max_connections=50"];
    let postgres = Postgres::start_with(workdir, &options)?;
    postgres.sql("CREATE EXTENSION pg_stat_statements")?;
    postgres.sql(&format!("CREATE ROLE {USER} LOGIN PASSWORD 'wired'; GRANT ALL ON SCHEMA public TO {USER}"))?;
    Ok(postgres)
}

/// Statements of the client by their first word, as the server has counted them: those that ended well.
fn calls(postgres: &Postgres) -> Result<BTreeMap<String, u64>> {
    let text = postgres.sql(&format!(
        "SELECT upper(split_part(ltrim(query), ' ', 1)) || '=' || sum(calls) FROM pg_stat_statements \
         JOIN pg_roles ON pg_roles.oid = userid WHERE rolname = '{USER}' GROUP BY upper(split_part(ltrim(query), ' ', 1))"
    ))?;
    let mut calls = BTreeMap::new();
    for line in text.lines() {
        let (verb, count) = line.split_once('=').context("verb=count")?;
        // The tag says what it was: WITH and VALUES select, END commits.
        let verb = match verb.trim_end_matches(';') {
            "WITH" | "VALUES" => "SELECT",
            "END" => "COMMIT",
            other => other,
        };
        *calls.entry(verb.to_owned()).or_insert(0) += count.parse::<u64>()?;
    }
    Ok(calls)
}

/// Operations without those that failed, and without what is no statement.
fn operations(metrics: &Metrics) -> BTreeMap<String, u64> {
    let filter = [("system", "postgresql")];
    let mut all = metrics.by(COUNT, &filter, "operation");
    for (operation, count) in metrics.by("db_client_errors_total", &filter, "operation") {
        *all.entry(operation).or_insert(0) -= count;
    }
    all.retain(|operation, count| *count > 0 && !["CONNECT", "FETCH"].contains(&&**operation));
    all
}

/// `known`: numbers that the test knows better than the server.
fn all_agree(lab: &Lab, agent: &Agent, postgres: &Postgres, known: BTreeMap<String, u64>) -> Result<Metrics> {
    let mut truth = calls(postgres)?;
    truth.extend(known);
    ensure!(!truth.is_empty(), "the server has counted nothing");
    let metrics = lab.settle(agent, |metrics| operations(metrics) == truth)?;
    let seen = operations(&metrics);
    let own = metrics.lines_with("hippius_agent_");
    ensure!(seen == truth, "seen {seen:?}\nserver {truth:?}\n{}\n{own}", metrics.lines_with("db_client_errors"));
    expect::nothing_lost(&metrics)?;
    Ok(metrics)
}

fn config() -> Config {
    Config::with_calls().service("nothing", 1).section(&Launched::section())
}

#[test]
fn pgbench_is_counted_to_the_statement_in_each_of_its_modes() {
    lab::with_agent("wire-pgbench", |lab| {
        let postgres = start(&lab.workdir)?;
        let url = postgres.url_as(USER, "wired");
        let pgbench = Path::new("pgbench");
        Launched::new(pgbench, &["-i", "-q", "-s", "1", &url])?.run()?;
        for mode in ["simple", "extended", "prepared"] {
            let client = Launched::new(pgbench, &["-M", mode, "-c", "4", "-j", "2", "-t", "250", &url])?;
            let agent = lab.agent(&config())?;
            postgres.sql("SELECT pg_stat_statements_reset()")?;
            client.run()?;
            // The server counts BEGIN and END of prepared statements once for each connection; pgbench knows how many it sent.
            let sent = BTreeMap::from(["BEGIN", "COMMIT"].map(|verb| (verb.to_owned(), TRANSACTIONS)));
            let metrics = all_agree(lab, &agent, &postgres, sent).with_context(|| mode.to_owned())?;
            let updates = metrics.sum(COUNT, &[("operation", "UPDATE")]);
            ensure!(updates == 3 * TRANSACTIONS, "{mode}: {updates} updates");
        }
        Ok(())
    });
}

#[test]
fn what_asyncpg_does_is_counted() {
    lab::with_agent("wire-asyncpg", |lab| {
        let postgres = start(&lab.workdir)?;
        let script = paths::apps().join("wire_postgres.py").display().to_string();
        let client = Launched::new(&python::program("python")?, &[&script, &postgres.url_as(USER, "wired")])?;
        let agent = lab.agent(&config())?;
        postgres.sql("SELECT pg_stat_statements_reset()")?;
        client.run()?;
        let metrics = all_agree(lab, &agent, &postgres, BTreeMap::new())?;
        let mut errors = metrics.by("db_client_errors_total", &[("operation", "INSERT")], "error_type");
        ensure!(errors.remove("23") == Some(5) && errors.is_empty(), "unique violations: {errors:?}");
        let undefined = metrics.by("db_client_errors_total", &[("operation", "SELECT")], "error_type");
        ensure!(undefined == BTreeMap::from([("42".to_owned(), 3)]), "undefined tables: {undefined:?}");
        for (place, text) in [("its log", agent.log()), ("/metrics", agent.get("/metrics")?.1)] {
            for secret in SECRETS {
                ensure!(!text.contains(secret), "{secret} in {place}");
            }
        }
        Ok(())
    });
}

/// Results of more than a call is copied of: each statement is counted once, because their ends are seen.
#[test]
fn large_results_are_counted_to_the_statement() {
    lab::with_agent("wire-asyncpg-large", |lab| {
        let postgres = start(&lab.workdir)?;
        let script = paths::apps().join("wire_postgres.py").display().to_string();
        let url = postgres.url_as(USER, "wired");
        let client = Launched::new(&python::program("python")?, &[&script, &url, "large"])?;
        // A debug build beside other work must not lose records here: what is tested is where statements end.
        let agent = lab.agent(&config().capture("ring_bytes = 67108864"))?;
        postgres.sql("SELECT pg_stat_statements_reset()")?;
        client.run()?;
        let truth: u64 = calls(&postgres)?.values().sum();
        let lost = |metrics: &Metrics| metrics.sum("hippius_agent_events_lost_total", &[("reason", "operation")]);
        let seen = |metrics: &Metrics| operations(metrics).values().sum::<u64>();
        let metrics = lab.settle(&agent, |metrics| seen(metrics) == truth)?;
        let (seen, lost) = (seen(&metrics), lost(&metrics));
        let lines = || metrics.lines_with("hippius_agent_");
        ensure!((seen, lost) == (truth, 0), "seen {seen}, lost {lost}, server {truth}\n{}", lines());
        ensure!(!operations(&metrics).contains_key("other"), "{:?}", operations(&metrics));
        Ok(())
    });
}
