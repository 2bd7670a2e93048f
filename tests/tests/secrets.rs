//! Seed phrases and keys go in at every place a client can put them; they come out nowhere.

use std::os::unix::process::ExitStatusExt as _;
use std::process::Command;

use anyhow::{Result, ensure};
use hippius_tests::accounts::{SECOND_SEED, SEED, access_key, presigned, sigv4};
use hippius_tests::agent::Agent;
use hippius_tests::clients::boto;
use hippius_tests::clients::raw::{Raw, request};
use hippius_tests::config::Config;
use hippius_tests::expect::{self, Expected};
use hippius_tests::lab::{self, Lab};
use hippius_tests::servers::redis::Redis;
use hippius_tests::servers::s3::{self, KeyPair};
use hippius_tests::servers::syscall::Syscall;

const HIP_KEY: &str = "hip_feedfacecafebeef0123456789secret";
const BEARER: &str = "hip_bearer_d00dfeed_secret";
const OBJECT: &str = "private-object-name-c0ffee";

/// What must appear nowhere: the phrases, their base64, single rare words of them, keys, tokens, paths.
fn secrets() -> Vec<String> {
    let mut secrets = vec![HIP_KEY.to_owned(), BEARER.to_owned(), OBJECT.to_owned(), "0".repeat(64)];
    for seed in [SEED, SECOND_SEED] {
        let coded = access_key(seed);
        // The middle alone as well: a cut copy is a leak too.
        secrets.extend([seed.to_owned(), coded[8..40].to_owned(), seed[10..30].to_owned(), coded.replace('=', "%3D")]);
    }
    secrets
}

/// Heads with secrets in every place: where they belong, where they do not, and broken.
fn heads() -> Vec<String> {
    let seed = access_key(SEED);
    let second = access_key(SECOND_SEED);
    let path = format!("/bucket/{OBJECT}");
    let bearer = format!("Authorization: Bearer {BEARER}");
    vec![
        request("GET", &path, &[&sigv4(&seed)]),
        request("GET", &path, &[&sigv4(HIP_KEY)]),
        request("GET", &format!("{path}?{}", presigned(&second)), &[]),
        request("GET", &path, &[&bearer]),
        // Malformed credentials: an error message must not quote them.
        request("GET", &path, &[&format!("Authorization: AWS4-HMAC-SHA256 Credential={seed}")]),
        request("GET", &path, &[&format!("Authorization: AWS4-HMAC-SHA256 {seed}/x/y, Signature=")]),
        request("GET", &path, &[&format!("Authorization: AWS {seed}:signature")]),
        request("GET", &path, &[&format!("Authorization: {SEED}")]),
        request("GET", &path, &[&format!("X-Hippius-Seed: {SEED}"), &format!("X-Hippius-Main-Account: {seed}")]),
        request(
            "GET",
            &path,
            &[&format!("Host: {seed}"), &format!("User-Agent: {SEED}"), &format!("Cookie: {HIP_KEY}")],
        ),
        request("GET", &format!("/{seed}/{OBJECT}?list-type=2&prefix={HIP_KEY}"), &[]),
        request(&seed.replace('=', ""), &path, &[]),
    ]
}

/// Everything the agent gives out of itself.
fn emitted(agent: &Agent) -> Result<Vec<(String, String)>> {
    let mut texts = vec![("its log".to_owned(), agent.log())];
    for page in ["/metrics", "/", "/healthz", "/readyz", "/metrics/redis/main", "/nowhere"] {
        texts.push((format!("page {page}"), agent.get(page)?.1));
    }
    for file in ["cmdline", "environ", "comm"] {
        let bytes = std::fs::read(format!("/proc/{}/{file}", agent.pid()))?;
        texts.push((format!("/proc/…/{file}"), String::from_utf8_lossy(&bytes).into_owned()));
    }
    Ok(texts)
}

/// An agent that saw nothing would leak nothing.
fn seen(lab: &Lab, agent: &Agent, count: u64) -> Result<()> {
    expect::counted(lab, agent, "api", &Expected::requests(count)).map(drop)
}

fn nothing_leaks(agent: &Agent) -> Result<()> {
    let mut leaks = Vec::new();
    for (place, text) in emitted(agent)? {
        leaks.extend(secrets().iter().enumerate().filter(|(_, secret)| text.contains(*secret)).map(|(number, _)| {
            // The secret itself must not get into the test's log either.
            format!("secret number {number} in {place}")
        }));
    }
    ensure!(leaks.is_empty(), "leaked: {leaks:#?}");
    Ok(())
}

fn config(lab: &Lab, port: u16, redis: &Redis) -> Result<Config> {
    let accounts = format!("[[account]]\naccess_key = {HIP_KEY:?}\nmain_account = \"team\"\n");
    let file = lab.workdir.write("accounts.toml", accounts)?.display().to_string();
    let sections = format!(
        "[attribution.static]\nfile = {file:?}\n[attribution.redis]\nauth_url = {url:?}\naccounts_url = {url:?}",
        url = redis.url()
    );
    Ok(Config::new().log("trace").service_with("api", &[port], "hippius-2025", "").section(&sections))
}

#[test]
fn secrets_in_requests_appear_in_nothing_that_the_agent_emits() {
    lab::with_agent("secrets", |lab| {
        let redis = Redis::start(&lab.workdir)?;
        let server = Syscall::start(&lab.workdir, "recv-send")?;
        let agent = lab.agent(&config(lab, server.server.port, &redis)?)?;
        let heads = heads();
        for head in &heads {
            let mut raw = Raw::connect(server.server.address())?;
            // Cut in the middle of the secret as well as whole.
            raw.send_cut(head.as_bytes(), head.len() / 2 + 1)?;
            raw.read_response()?;
        }
        seen(lab, &agent, heads.len() as u64)?;
        nothing_leaks(&agent)?;
        // Redis gone in the middle of a lookup: errors of the client library are a way out too.
        drop(redis);
        let mut raw = Raw::connect(server.server.address())?;
        raw.send(request("GET", "/a", &[&sigv4("hip_another_key")]) + &heads[1])?;
        raw.read_response()?;
        raw.read_response()?;
        seen(lab, &agent, heads.len() as u64 + 2)?;
        nothing_leaks(&agent)
    });
}

#[test]
fn secrets_in_signed_traffic_of_boto_appear_nowhere() {
    lab::with_agent("secrets-boto", |lab| {
        let redis = Redis::start(&lab.workdir)?;
        let keys = [KeyPair::new(&access_key(SEED), "x"), KeyPair::new(HIP_KEY, "y")];
        let server = s3::verified(&lab.workdir, &keys)?;
        let agent = lab.agent(&config(lab, server.port, &redis)?)?;
        for key in &keys {
            boto::drive(server.address(), key, "basic")?;
            boto::drive(server.address(), &KeyPair::new(&key.access, "wrong"), "put")?;
        }
        // Eleven calls and a refused one for each key.
        seen(lab, &agent, 24)?;
        nothing_leaks(&agent)
    });
}

#[test]
fn store_passwords_in_the_config_are_not_emitted() {
    lab::with_agent("store-password", |lab| {
        let server = Syscall::start(&lab.workdir, "recv-send")?;
        let urls = format!(
            "[attribution.redis]\nauth_url = \"redis://:{HIP_KEY}@127.0.0.1:1/0\"\n\
             [attribution.postgres]\nurl = \"postgresql://user:{BEARER}@127.0.0.1:1/db\""
        );
        let config = Config::new().log("trace").service_with("api", &[server.server.port], "s3", "").section(&urls);
        let agent = lab.agent(&config)?;
        let mut raw = Raw::connect(server.server.address())?;
        raw.send(request("GET", "/a", &[&sigv4("hip_looked_up")]))?;
        raw.read_response()?;
        seen(lab, &agent, 1)?;
        nothing_leaks(&agent)
    });
}

/// Unlimited core dumps are asked for, and the agent dies of a signal that makes one.
#[test]
fn dying_agent_leaves_no_core_dump() {
    lab::with_agent("core-dump", |lab| {
        let mut plain = Command::new("sh");
        unlimited_core(plain.args(["-c", "kill -ABRT $$"]).current_dir(lab.workdir.path()));
        let control = plain.status()?;
        let server = Syscall::start(&lab.workdir, "recv-send")?;
        let config = Config::new().service("api", server.server.port);
        let folder = lab.workdir.path().to_owned();
        let mut agent = Agent::start_with(config.text(), &lab.workdir, |command| {
            unlimited_core(command.current_dir(folder));
        })?;
        let (status, _) = agent.stop_with(libc::SIGABRT)?;
        if !control.core_dumped() {
            println!("skipped: this kernel writes no core dumps at all");
            return Ok(());
        }
        ensure!(!status.core_dumped(), "the agent left a core dump: {status}");
        Ok(())
    });
}

fn unlimited_core(command: &mut Command) {
    use std::os::unix::process::CommandExt as _;
    // SAFETY: setrlimit is async-signal-safe and changes only the child.
    unsafe {
        command.pre_exec(|| {
            let limit = libc::rlimit { rlim_cur: libc::RLIM_INFINITY, rlim_max: libc::RLIM_INFINITY };
            libc::setrlimit(libc::RLIMIT_CORE, &limit);
            Ok(())
        });
    }
}
