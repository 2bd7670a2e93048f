//! The whole stack under traffic: an S3 server with several accounts, Redis, the agent, and Prometheus with the shipped
//! configuration.

use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;

use anyhow::Result;

use crate::agent::Agent;
use crate::clients::launched::{self, Launched};
use crate::clients::{boto, curl};
use crate::config::Config;
use crate::lab::Lab;
use crate::process::Process;
use crate::prometheus::Prometheus;
use crate::servers::Server;
use crate::servers::ipfs::Ipfs;
use crate::servers::postgres::Postgres;
use crate::servers::redis::Redis;
use crate::servers::s3::{self, KeyPair};
use crate::wait;

/// The account of the static file; each account sends every kind of request.
pub const ACCOUNT: &str = "team-static";
const ADDRESS: &str = "5GrwvaEF5zXb26Fz9rcQpDWS57CtERHpNehXCPcNoHGKutQY";

pub struct Stack {
    pub prometheus: Prometheus,
    pub agent: Agent,
    stop: Arc<AtomicBool>,
    traffic: Option<JoinHandle<()>>,
    _workers: [Process; 2],
    _ipfs: Ipfs,
    _server: Server,
    _redis: Arc<Redis>,
    _postgres: Postgres,
}

impl Stack {
    pub fn start(lab: &Lab) -> Result<Self> {
        let redis = Arc::new(Redis::start(&lab.workdir)?);
        fill(&redis)?;
        // The server knows all of them, the agent's sources not the last one.
        let keys = ["hip_stack_static", "hip_stack_redis", "hip_stack_unknown"]
            .map(|access| KeyPair::new(access, "stack-secret"));
        let server = s3::verified(&lab.workdir, &keys)?;
        let more = "profile = \"hippius-2025\"\nsweep_interval_s = 1\nqueues = [\"passing\"]";
        let main = polled("redis", "main", &redis.url(), more);
        // Nobody listens there: a source that is down.
        let away = polled("redis", "away", "redis://127.0.0.1:9/0", "");
        let postgres = postgres(lab)?;
        let more = "profile = \"hippius-2025\"\nslow_interval_s = 1\naccounts_interval_s = 1";
        let tables = polled("postgres", "main", &postgres.url(), more);
        let config = config(lab, &server, &redis)?.section(&main).section(&away).section(&tables);
        let ipfs = Ipfs::start(&lab.workdir)?;
        let other = format!("http://{}/no-bucket/no-key", server.address());
        let workers = [worker(lab, &redis, &postgres)?, ipfs.busy(&other, &lab.workdir)?];
        let config = config.section(&Launched::section()).section(Ipfs::client());
        let agent = lab.agent(&config)?;
        agent.reload(config.text())?;
        let prometheus = Prometheus::start("prometheus.yml", &agent.address(), &lab.workdir)?;
        let stop = Arc::new(AtomicBool::new(false));
        let traffic = Some(traffic(&server, keys.to_vec(), redis.clone(), stop.clone()));
        Ok(Self {
            prometheus,
            agent,
            stop,
            traffic,
            _workers: workers,
            _ipfs: ipfs,
            _server: server,
            _redis: redis,
            _postgres: postgres,
        })
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

/// What a worker does all day: items go through a queue, and the database is asked.
fn worker(lab: &Lab, redis: &Redis, postgres: &Postgres) -> Result<Process> {
    let redis_cli = format!("redis-cli -h 127.0.0.1 -p {}", redis.server.port);
    let turn =
        format!("{redis_cli} lpush passing item; {redis_cli} rpop passing; psql -X -c 'SELECT 1' {:?}", postgres.url());
    let mut command = Command::new("sh");
    command.args(["-c", &format!("while {turn}; do sleep 0.2; done"), launched::NAME]);
    Process::spawn("worker", command, &lab.workdir)
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

/// The tables of 2025 that are asked for, with one account.
fn postgres(lab: &Lab) -> Result<Postgres> {
    let postgres = Postgres::start(&lab.workdir)?;
    postgres.sql(TABLES)?;
    Ok(postgres)
}

const TABLES: &str = "
CREATE TABLE users (main_account_id text PRIMARY KEY, created_at timestamptz DEFAULT now());
CREATE TABLE buckets (bucket_id uuid PRIMARY KEY, bucket_name text, created_at timestamptz DEFAULT now(),
  is_public bool DEFAULT false, tags jsonb, main_account_id text NOT NULL REFERENCES users);
CREATE TABLE objects (object_id uuid PRIMARY KEY, bucket_id uuid REFERENCES buckets, object_key text, ipfs_cid text,
  size_bytes bigint, content_type text, created_at timestamptz DEFAULT now(), md5_hash text, multipart bool, status text);
CREATE TABLE multipart_uploads (upload_id uuid PRIMARY KEY, bucket_id uuid REFERENCES buckets, object_key text,
  initiated_at timestamptz DEFAULT now(), is_completed bool DEFAULT false, content_type text, object_id uuid);
CREATE TABLE parts (part_id uuid PRIMARY KEY, upload_id uuid REFERENCES multipart_uploads, part_number int, size_bytes bigint);
INSERT INTO users VALUES ('team-static');
INSERT INTO buckets (bucket_id, bucket_name, main_account_id)
  VALUES ('00000000-0000-4000-8000-000000000001', 'b', 'team-static');
INSERT INTO objects (object_id, bucket_id, object_key, size_bytes, status)
  VALUES ('00000000-0000-4000-8000-000000000002', '00000000-0000-4000-8000-000000000001', 'k', 1234, 'uploaded');
INSERT INTO multipart_uploads (upload_id, bucket_id, object_key, object_id)
  VALUES ('00000000-0000-4000-8000-000000000003', '00000000-0000-4000-8000-000000000001', 'm',
    '00000000-0000-4000-8000-000000000004');
DELETE FROM parts;
";

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
