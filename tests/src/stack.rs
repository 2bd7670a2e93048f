//! The whole stack under traffic: an S3 server with several accounts, Redis, the agent, and Prometheus with the shipped
//! configuration.

use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;

use anyhow::Result;

use crate::agent::Agent;
use crate::clients::{boto, curl};
use crate::config::Config;
use crate::lab::Lab;
use crate::process::Process;
use crate::prometheus::Prometheus;
use crate::servers::Server;
use crate::servers::redis::Redis;
use crate::servers::s3::{self, KeyPair};
use crate::wait;
use crate::workers::Workers;

/// The account of the static file; each account sends every kind of request.
pub const ACCOUNT: &str = "team-static";
const ADDRESS: &str = "5GrwvaEF5zXb26Fz9rcQpDWS57CtERHpNehXCPcNoHGKutQY";

pub struct Stack {
    pub prometheus: Prometheus,
    pub agent: Agent,
    stop: Arc<AtomicBool>,
    traffic: Option<JoinHandle<()>>,
    _work: Process,
    _workers: Workers,
    _server: Server,
    _redis: Arc<Redis>,
}

impl Stack {
    pub fn start(lab: &Lab) -> Result<Self> {
        let redis = Arc::new(Redis::start(&lab.workdir)?);
        fill(&redis)?;
        // The server knows all of them, the agent's sources not the last one.
        let keys = ["hip_stack_static", "hip_stack_redis", "hip_stack_unknown"]
            .map(|access| KeyPair::new(access, "stack-secret"));
        let server = s3::verified(&lab.workdir, &keys)?;
        let more = "profile = \"hippius-2025\"\nsweep_interval_s = 1";
        let main = polled("redis", "main", &redis.url(), more);
        // Nobody listens there: a source that is down.
        let away = polled("redis", "away", "redis://127.0.0.1:9/0", "");
        let workers = Workers::start(&lab.workdir, &redis, &format!("http://{}/no-bucket/no-key", server.address()))?;
        let more = "profile = \"hippius-2025\"\nslow_interval_s = 1\naccounts_interval_s = 1";
        let tables = polled("postgres", "main", &workers.postgres.url(), more);
        let config = config(lab, &server, &redis)?.section(&main).section(&away).section(&tables);
        let config = config.section(Workers::client());
        let agent = lab.agent(&config)?;
        agent.reload(config.text())?;
        // Their connections are seen from the first byte on.
        let work = workers.work(&lab.workdir)?;
        let prometheus = Prometheus::start("prometheus.yml", &agent.address(), &lab.workdir)?;
        let stop = Arc::new(AtomicBool::new(false));
        let traffic = Some(traffic(&server, keys.to_vec(), redis.clone(), stop.clone()));
        Ok(Self { prometheus, agent, stop, traffic, _work: work, _workers: workers, _server: server, _redis: redis })
    }
}

impl Drop for Stack {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        if let Some(traffic) = self.traffic.take() {
            // A client that fails shows in the metrics that the test waits for.
            let _ = traffic.join();
        }
    }
}

fn config(lab: &Lab, server: &Server, redis: &Redis) -> Result<Config> {
    let accounts = format!(
        "[[account]]\naccess_key = \"hip_stack_static\"\nmain_account = \"{ACCOUNT}\"\nsubaccount_id = \"stack\"\n"
    );
    let file = lab.workdir.write("accounts.toml", accounts)?.display().to_string();
    let url = redis.url();
    Ok(Config::new().service_with("s3", &[server.port], "s3", "").section(&format!(
        "[attribution]\npositive_ttl_s = 1\n[attribution.static]\nfile = {file:?}\n[attribution.redis]\nauth_url = {url:?}\naccounts_url = {url:?}"
    )))
}

/// A table of a polled server that is asked often.
fn polled(table: &str, name: &str, url: &str, more: &str) -> String {
    format!(
        "[[{table}]]\nname = {name:?}\nurl = {url:?}\ninterval_ms = 500\njitter_ms = 0\ntimeout_ms = 5000\n{more}\n"
    )
}

/// What the API of 2025 keeps in Redis: an account, queues, a part of an upload.
fn fill(redis: &Redis) -> Result<()> {
    let value = format!(
        r#"{{"valid":true,"status":"active","account_address":"{ADDRESS}","token_type":"master","encrypted_secret":"x","nonce":"y","detail":null}}"#
    );
    redis.command(&["SET", "hippius_auth:hip_stack_redis", &value])?;
    redis.command(&["LPUSH", "upload_requests", "a", "b"])?;
    redis.command(&["ZADD", "upload_retries", "1700000000", "c"])?;
    redis.command(&["SETEX", "obj:00000000-0000-4000-8000-000000000000:part:1", "3600", "bytes"]).map(drop)
}

/// Every account in turn with every kind of request, a forged signature, an anonymous read and no HTTP at all, until told
/// to stop.
fn traffic(server: &Server, keys: Vec<KeyPair>, redis: Arc<Redis>, stop: Arc<AtomicBool>) -> JoinHandle<()> {
    let address = server.address();
    std::thread::spawn(move || {
        while !stop.load(Ordering::Relaxed) {
            for (key, scenario) in keys.iter().zip(["everything", "everything", "put"]) {
                let _ = boto::drive(address, key, scenario);
            }
            let _ = boto::drive(address, &KeyPair::new(&keys[0].access, "guessed"), "put");
            let _ = curl::curl(&[&format!("http://{address}/no-bucket/no-key")]);
            let _ = no_http(address);
            let _ = redis.command(&["GET", "hippius_auth:hip_stack_redis"]);
        }
    })
}

/// A request line that no server can take, and the answer to it.
fn no_http(server: SocketAddr) -> std::io::Result<()> {
    let mut stream = TcpStream::connect(server)?;
    stream.write_all(b"GET / HTTP/9.9\r\n\r\n")?;
    stream.set_read_timeout(Some(wait::WIDE))?;
    stream.read_to_end(&mut Vec::new()).map(drop)
}
