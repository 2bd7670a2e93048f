//! What stands behind the API of 2025 besides Redis: Postgres, an IPFS node, a service behind TLS, and the workers that go
//! round between all of them.

use std::process::Command;

use anyhow::Result;

use crate::process::Process;
use crate::servers::ipfs::Ipfs;
use crate::servers::nginx::{Nginx, Options};
use crate::servers::postgres::Postgres;
use crate::servers::redis::Redis;
use crate::workdir::Workdir;
use crate::{paths, python};

pub struct Workers {
    pub postgres: Postgres,
    /// As JSON, for the program.
    settings: String,
    _ipfs: Ipfs,
    _tls: Nginx,
}

impl Workers {
    /// The servers; `other` is an HTTP service that is asked as well.
    pub fn start(workdir: &Workdir, redis: &Redis, other: &str) -> Result<Self> {
        let postgres = Postgres::start(workdir)?;
        postgres.sql(TABLES)?;
        let ipfs = Ipfs::start(workdir)?;
        let tls = Nginx::start_with(workdir, Options { tls: true, ..Options::default() })?;
        let settings = serde_json::json!({
            "redis": redis.server.port,
            "postgres": postgres.url(),
            "api": ipfs.server.port,
            "gateway": ipfs.gateway_port,
            "http": other,
            "tls": format!("https://localhost:{}/k1", tls.server.port),
        });
        Ok(Self { postgres, settings: settings.to_string(), _ipfs: ipfs, _tls: tls })
    }

    /// The program: so many items, or for ever.
    pub fn arguments(&self, items: Option<u64>) -> Vec<String> {
        let program = paths::apps().join("queue_worker.py").display().to_string();
        [program, self.settings.clone()].into_iter().chain(items.map(|items| items.to_string())).collect()
    }

    /// The same in the background, for ever.
    pub fn work(&self, workdir: &Workdir) -> Result<Process> {
        let mut command = Command::new(python::program("python")?);
        command.args(self.arguments(None));
        Process::spawn("workers", command, workdir)
    }

    /// The section of the configuration that means the program.
    pub fn client() -> &'static str {
        "[[client]]\nname = \"workers\"\ncommand = \"*queue_worker.py*\""
    }
}

/// The tables of 2025 that are asked for, with one account.
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
