//! Whose request it is: one test per rule.

use anyhow::{Result, ensure};
use hippius_tests::accounts::{SEED, SEED_ADDRESS, access_key, presigned, sigv4};
use hippius_tests::clients::boto;
use hippius_tests::clients::raw::{Raw, request};
use hippius_tests::config::Config;
use hippius_tests::lab::{self, Lab};
use hippius_tests::metrics::Metrics;
use hippius_tests::servers::postgres::Postgres;
use hippius_tests::servers::redis::Redis;
use hippius_tests::servers::s3::{self, KeyPair};
use hippius_tests::servers::scripted::{Scripted, Step};
use hippius_tests::wire::ok;

const OWNER: &str = "5FHneW46xGXgs5mUiveU4sbTyGBzmstUspZC92UhjJM694ty";

/// Accounts that requests of a service were counted on: main account and subaccount.
fn accounts(metrics: &Metrics, service: &str) -> Vec<(String, String, u64)> {
    let mut found: Vec<(String, String, u64)> = Vec::new();
    for sample in metrics.select("http_requests_total", &[("service", service)]) {
        let label = |name: &str| sample.labels.get(name).cloned().unwrap_or_default();
        found.push((label("main_account"), label("subaccount_id"), sample.value as u64));
    }
    found.sort();
    found
}

/// Sends one request to a server that says 200, and expects it on this account (any subaccount where none is given).
fn lands_on(lab: &Lab, config: impl FnOnce(u16) -> Config, head: &str, main: &str, sub: Option<&str>) -> Result<()> {
    let server = Scripted::start(vec![Step::ReadHead, Step::Write(ok("")), Step::ReadToEnd])?;
    let agent = lab.agent(&config(server.port()))?;
    let mut raw = Raw::connect(server.address)?;
    raw.send(head)?;
    raw.read_response()?;
    drop(raw);
    server.finish()?;
    let metrics = lab.settle(&agent, |metrics| metrics.sum("http_requests_total", &[("service", "api")]) > 0)?;
    let found = accounts(&metrics, "api");
    let good = matches!(found.as_slice(), [(m, s, 1)] if m == main && sub.is_none_or(|sub| sub == s));
    ensure!(good, "expected one request on {main}/{}, found {found:?}\n{}", sub.unwrap_or("*"), agent.log());
    Ok(())
}

fn service(profile: &str, more: &str) -> impl FnOnce(u16) -> Config {
    let (profile, more) = (profile.to_owned(), more.to_owned());
    move |port| Config::new().service_with("api", &[port], &profile, &more)
}

/// A static file with one account.
fn known(lab: &Lab, key: &str) -> Result<String> {
    let text = format!("[[account]]\naccess_key = {key:?}\nmain_account = \"team\"\nsubaccount_id = \"backup\"\n");
    let file = lab.workdir.write("accounts.toml", text)?;
    Ok(format!("[attribution.static]\nfile = {:?}", file.display().to_string()))
}

const TRUSTED: [&str; 2] = ["X-Hippius-Main-Account: 5Main", "X-Hippius-Request-User: 5User"];

#[test]
fn trusted_headers_name_the_account_behind_the_gateway() {
    lab::with_agent("trusted", |lab| {
        let head = request("GET", "/bucket/key", &TRUSTED);
        lands_on(lab, service("hippius-2026", "behind_gateway = true"), &head, "5Main", Some("5User"))
    });
}

#[test]
fn trusted_headers_are_ignored_where_clients_can_write_them() {
    lab::with_agent("untrusted", |lab| {
        let head = request("GET", "/bucket/key", &TRUSTED);
        lands_on(lab, service("s3", ""), &head, "public", Some("anon"))
    });
}

#[test]
fn sigv4_header_finds_its_account_in_the_static_file() {
    lab::with_agent("sigv4", |lab| {
        let section = known(lab, "hip_static")?;
        let head = request("GET", "/bucket/key", &[&sigv4("hip_static")]);
        lands_on(lab, |port| service("s3", "")(port).section(&section), &head, "team", Some("backup"))
    });
}

#[test]
fn presigned_address_finds_its_account() {
    lab::with_agent("presigned", |lab| {
        let section = known(lab, "hip_static")?;
        let head = request("GET", &format!("/bucket/key?{}", presigned("hip_static")), &[]);
        lands_on(lab, |port| service("s3", "")(port).section(&section), &head, "team", Some("backup"))
    });
}

#[test]
fn bearer_token_finds_its_account() {
    lab::with_agent("bearer", |lab| {
        let section = known(lab, "hip_static")?;
        let head = request("GET", "/bucket/key", &["Authorization: Bearer hip_static"]);
        let config = |port| service("hippius-2026-gateway", "")(port).section(&section);
        lands_on(lab, config, &head, "team", Some("backup"))
    });
}

#[test]
fn request_without_credentials_is_public() {
    lab::with_agent("anonymous", |lab| {
        lands_on(lab, service("s3", ""), &request("GET", "/bucket/key", &[]), "public", Some("anon"))
    });
}

#[test]
fn credential_that_nobody_knows_is_unknown() {
    lab::with_agent("unknown", |lab| {
        let head = request("GET", "/bucket/key", &[&sigv4("hip_nobody")]);
        lands_on(lab, service("s3", ""), &head, "unknown", None)
    });
}

#[test]
fn hip_key_finds_its_account_in_redis() {
    lab::with_agent("redis", |lab| {
        let redis = Redis::start(&lab.workdir)?;
        let value = format!(
            r#"{{"valid":true,"status":"active","account_address":"{OWNER}","token_type":"master","encrypted_secret":"x","nonce":"y","detail":null}}"#
        );
        redis.command(&["SET", "hippius_auth:hip_redis", &value])?;
        let section = format!("[attribution.redis]\nauth_url = {:?}", redis.url());
        let head = request("GET", "/bucket/key", &[&sigv4("hip_redis")]);
        lands_on(lab, |port| service("hippius-2026-gateway", "")(port).section(&section), &head, OWNER, None)
    });
}

#[test]
fn seed_phrase_is_derived_to_its_address() {
    lab::with_agent("seed", |lab| {
        let head = request("GET", "/bucket/key", &[&sigv4(&access_key(SEED))]);
        // No store is there to know its main account.
        lands_on(lab, service("hippius-2025", ""), &head, "unknown", Some(SEED_ADDRESS))
    });
}

#[test]
fn seed_phrase_finds_its_main_account_in_redis() {
    lab::with_agent("seed-redis", |lab| {
        let redis = Redis::start(&lab.workdir)?;
        let value = format!(
            r#"{{"subaccount_id":"{SEED_ADDRESS}","main_account_id":"{OWNER}","role":"UploadDelete","free_credits":1,"has_credits":true}}"#
        );
        redis.command(&["SET", &format!("hippius_subaccount_cache:{SEED_ADDRESS}"), &value])?;
        let section = format!("[attribution.redis]\naccounts_url = {:?}", redis.url());
        let head = request("GET", "/bucket/key", &[&sigv4(&access_key(SEED))]);
        let config = |port| service("hippius-2025", "")(port).section(&section);
        lands_on(lab, config, &head, OWNER, Some(SEED_ADDRESS))
    });
}

#[test]
fn bucket_owner_in_postgres_is_the_main_account_of_a_seed_phrase() {
    lab::with_agent("postgres", |lab| {
        let postgres = Postgres::start(&lab.workdir)?;
        bucket_of_owner(&postgres)?;
        let section = format!("[attribution.postgres]\nurl = {:?}", postgres.url());
        let head = request("GET", "/photos/key", &[&sigv4(&access_key(SEED))]);
        lands_on(lab, |port| service("hippius-2025", "")(port).section(&section), &head, OWNER, None)
    });
}

#[test]
fn postgres_is_asked_over_tls_and_not_at_all_where_its_certificate_is_not_trusted() {
    lab::with_agent("postgres-tls-accounts", |lab| {
        let postgres = Postgres::start_tls_only(&lab.workdir)?;
        bucket_of_owner(&postgres)?;
        let section = |mode: &str, ca: &str| {
            let words = format!("sslmode={mode}&sslrootcert={}", lab.workdir.join(ca).display());
            format!("[attribution.postgres]\nurl = {:?}", postgres.url().replace("sslmode=disable", &words))
        };
        let head = request("GET", "/photos/key", &[&sigv4(&access_key(SEED))]);
        let config = |section: String| move |port| service("hippius-2025", "")(port).section(&section);
        lands_on(lab, config(section("verify-full", "authority.crt")), &head, OWNER, None)?;
        lands_on(lab, config(section("verify-full", "stranger.crt")), &head, "unknown", Some(SEED_ADDRESS))?;
        lands_on(lab, config(section("require", "stranger.crt")), &head, "unknown", Some(SEED_ADDRESS))
    });
}

/// The tables of 2025 as far as they are asked, with one bucket.
fn bucket_of_owner(postgres: &Postgres) -> Result<()> {
    let made = postgres.sql(&format!(
            "CREATE TABLE users (main_account_id text PRIMARY KEY, created_at timestamptz NOT NULL DEFAULT now());
             CREATE TABLE buckets (bucket_id uuid PRIMARY KEY, bucket_name text NOT NULL, created_at timestamptz NOT NULL
               DEFAULT now(), is_public boolean NOT NULL DEFAULT false, tags jsonb, main_account_id text NOT NULL
               REFERENCES users ON DELETE CASCADE, UNIQUE (bucket_name, main_account_id));
             INSERT INTO users (main_account_id) VALUES ('{OWNER}');
             INSERT INTO buckets (bucket_id, bucket_name, main_account_id)
               VALUES ('00000000-0000-0000-0000-000000000001', 'photos', '{OWNER}')"
    ));
    made.map(drop)
}

#[test]
fn refused_signature_is_counted_on_nobodys_account() {
    lab::with_agent("refused", |lab| {
        let right = KeyPair::new("hip_static", "the-right-secret");
        let server = s3::verified(&lab.workdir, std::slice::from_ref(&right))?;
        let section = known(lab, "hip_static")?;
        let agent = lab.agent(&service("s3", "")(server.port).section(&section))?;
        let made = boto::drive(server.address(), &right, "common")?;
        ensure!(made[0].status == 200, "{made:?}");
        let refused = boto::drive(server.address(), &KeyPair::new("hip_static", "guessed"), "put")?;
        ensure!(refused[0].error == "SignatureDoesNotMatch", "{refused:?}");
        let metrics = lab.settle(&agent, |metrics| metrics.sum("http_requests_total", &[("service", "api")]) == 2)?;
        let by_account = metrics.by("http_requests_total", &[("service", "api")], "main_account");
        let expected = [("team".to_owned(), 1), ("unauthenticated".to_owned(), 1)].into();
        ensure!(by_account == expected, "requests by account: expected {expected:?}, found {by_account:?}");
        let victim = metrics.sum("s3_bytes_uploaded_total", &[("main_account", "team")]);
        ensure!(victim == 0, "a forged upload of {victim} bytes landed on its victim");
        Ok(())
    });
}

#[test]
fn several_accounts_on_one_server_are_told_apart_exactly() {
    lab::with_agent("several", |lab| {
        let keys = [KeyPair::new("hip_static", "one"), KeyPair::new(&access_key(SEED), "two")];
        let server = s3::verified(&lab.workdir, &keys)?;
        let section = known(lab, "hip_static")?;
        let agent = lab.agent(&service("hippius-2025", "")(server.port).section(&section))?;
        let calls =
            [boto::drive(server.address(), &keys[0], "basic")?, boto::drive(server.address(), &keys[1], "parts")?];
        let total: usize = calls.iter().map(Vec::len).sum();
        let filter = [("service", "api")];
        let metrics = lab.settle(&agent, |metrics| metrics.sum("http_requests_total", &filter) == total as u64)?;
        let team = metrics.sum("http_requests_total", &[("service", "api"), ("main_account", "team")]);
        ensure!(team == calls[0].len() as u64, "team: expected {}, found {team}", calls[0].len());
        let seed = metrics.sum("http_requests_total", &[("service", "api"), ("subaccount_id", SEED_ADDRESS)]);
        ensure!(seed == calls[1].len() as u64, "seed phrase: expected {}, found {seed}", calls[1].len());
        let uploaded: u64 = calls[0].iter().map(|call| call.uploaded).sum();
        let downloaded: u64 = calls[0].iter().map(|call| call.downloaded).sum();
        for (name, wanted) in [("s3_bytes_uploaded_total", uploaded), ("s3_bytes_downloaded_total", downloaded)] {
            let found = metrics.sum(name, &[("main_account", "team")]);
            ensure!(found == wanted, "{name}: expected {wanted}, found {found}");
        }
        Ok(())
    });
}
