//! `check` asks the polled servers and says what each lacks.

use std::net::TcpListener;
use std::process::Command;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use hippius_tests::servers::postgres::{PASSWORD, Postgres};
use hippius_tests::servers::redis::Redis;
use hippius_tests::{lab, paths, ports, wait};

const SECRET: &str = "geheimes-passwort-5c1e";

/// Level and detail of each finding about `subject`, and everything that was printed.
fn check(lab: &lab::Lab, config: &str, subject: &str) -> Result<(Vec<(String, String)>, String)> {
    let file = lab.workdir.write("check.toml", config)?;
    let program = paths::agent_binary()?;
    let mut texts = Vec::new();
    for form in [&[][..], &["--json"]] {
        let output = Command::new(&program).args(["check", "--config"]).arg(&file).args(form).output()?;
        texts.push(String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr));
    }
    let all = texts.concat();
    let json: serde_json::Value = serde_json::from_str(&texts[1]).with_context(|| all.clone())?;
    let findings = json["findings"].as_array().context("findings")?;
    let text = |finding: &serde_json::Value, key: &str| finding[key].as_str().unwrap_or_default().to_owned();
    let own = findings.iter().filter(|finding| finding["subject"] == subject);
    Ok((own.map(|finding| (text(finding, "level"), text(finding, "detail"))).collect(), all))
}

/// Each expectation is a level and words that the sentence about this target holds.
fn expect(found: &[(String, String)], expected: &[(&str, &str, &str)]) -> Result<()> {
    for (level, name, words) in expected {
        let fits = |(other, detail): &&(String, String)| {
            other == level && detail.starts_with(&format!("\"{name}\" at ")) && detail.contains(words)
        };
        ensure!(found.iter().find(fits).is_some(), "{name}: no {level} with {words:?} in {found:#?}");
    }
    ensure!(found.len() == expected.len(), "{found:#?}");
    Ok(())
}

#[test]
fn redis_servers_and_what_the_user_may_not_do() {
    lab::with_agent("check-redis", |lab| {
        let open = Redis::start(&lab.workdir)?;
        open.client()?.ask(&["ACL", "SETUSER", "poor", "on", &format!(">{SECRET}"), "~*", "+info", "+slowlog"])?;
        open.client()?.ask(&["ACL", "SETUSER", "poorest", "on", &format!(">{SECRET}")])?;
        let silent = TcpListener::bind("127.0.0.1:0")?;
        let at = |user: &str, port: u16| format!("redis://{user}127.0.0.1:{port}/0");
        let mut config = String::new();
        for (name, url, more) in [
            ("good", at("", open.server.port), ""),
            ("wrong", at(&format!("poor:{SECRET}-not@"), open.server.port), ""),
            ("poor", at(&format!("poor:{SECRET}@"), open.server.port), "profile = \"hippius-2025\""),
            ("poorest", at(&format!("poorest:{SECRET}@"), open.server.port), ""),
            ("closed", at(&format!("poor:{SECRET}@"), ports::free()), ""),
            ("silent", at(&format!("poor:{SECRET}@"), silent.local_addr()?.port()), "timeout_ms = 300"),
            ("nowhere", "redis://nowhere.invalid:6379/0".to_owned(), ""),
        ] {
            config.push_str(&format!("[[redis]]\nname = {name:?}\nurl = {url:?}\n{more}\n"));
        }
        let (found, all) = check(lab, &config, "redis")?;
        let version = open.client()?.info()?.remove("redis_version").context("version")?;
        let denied = "may not send: LATENCY LATEST, DBSIZE, SCAN, LLEN upload_requests";
        expect(
            &found,
            &[
                ("ok", "good", &format!("answers: Redis {version}")),
                ("fail", "wrong", "refuses user or password"),
                ("warn", "poor", denied),
                ("fail", "poorest", "may not ask anything"),
                ("fail", "closed", "nothing listens there"),
                ("fail", "silent", "no answer in 0.3 s"),
                ("fail", "nowhere", "no address"),
            ],
        )?;
        ensure!(!all.contains(SECRET), "a password was printed");
        Ok(())
    });
}

#[test]
fn postgres_servers_and_what_the_role_does_not_see() {
    lab::with_agent("check-postgres", |lab| {
        let postgres = Postgres::start(&lab.workdir)?;
        let monitor = postgres.monitor()?;
        postgres.sql(&format!(
            "CREATE ROLE poor LOGIN PASSWORD '{PASSWORD}'; CREATE TABLE buckets (a int); CREATE TABLE objects (a int);
             GRANT SELECT ON buckets TO poor"
        ))?;
        let closed = postgres.url().replace(&postgres.server.port.to_string(), &ports::free().to_string());
        let mut config = String::new();
        for (name, url, more) in [
            ("good", monitor, ""),
            ("wrong", postgres.url_as("watcher", &format!("{SECRET}-not")), ""),
            ("poor", postgres.url_as("poor", PASSWORD), "profile = \"hippius-2025\""),
            ("closed", closed, ""),
        ] {
            config.push_str(&format!("[[postgres]]\nname = {name:?}\nurl = {url:?}\n{more}\n"));
        }
        let (found, all) = check(lab, &config, "postgres")?;
        let version = postgres.sql("SHOW server_version")?;
        let answers = format!("answers: PostgreSQL {}; without pg_stat_statements", version.trim());
        expect(
            &found,
            &[
                ("ok", "good", &answers),
                ("fail", "wrong", "refuses user or password"),
                ("ok", "poor", &answers),
                ("warn", "poor", "the role poor is not in pg_monitor"),
                ("warn", "poor", "tables of its profile are not there: multipart_uploads"),
                ("warn", "poor", "the role poor may not read objects"),
                ("fail", "closed", "nothing listens there"),
            ],
        )?;
        ensure!(!all.contains(SECRET) && !all.contains(PASSWORD), "a password was printed");
        Ok(())
    });
}

/// The targets are asked at the same time: many that hang cost as much as one.
#[test]
fn servers_that_hang_do_not_add_up() {
    lab::with_agent("check-silent", |lab| {
        let silent = TcpListener::bind("127.0.0.1:0")?;
        let port = silent.local_addr()?.port();
        let mut config = String::new();
        for index in 0..12 {
            config.push_str(&format!("[[redis]]\nname = \"r{index}\"\nurl = \"redis://127.0.0.1:{port}/0\"\n"));
            config.push_str(&format!(
                "[[postgres]]\nname = \"p{index}\"\nurl = \"postgres://u@127.0.0.1:{port}/d\"\ntimeout_ms = 60000\n"
            ));
        }
        let start = Instant::now();
        let (found, _) = check(lab, &config, "postgres")?;
        ensure!(
            found.len() == 12 && found.iter().all(|(_, detail)| detail.contains("no answer in 5.0 s")),
            "{found:#?}"
        );
        // Twice five seconds and what the rest takes; one after the other would be two minutes.
        ensure!(start.elapsed() < Duration::from_secs(60).max(wait::WIDE), "{:?}", start.elapsed());
        Ok(())
    });
}
