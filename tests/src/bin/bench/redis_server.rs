//! What a Redis server says of its commands, and the exporter that is compared with.

use std::collections::BTreeMap;
use std::process::Command;

use anyhow::{Context, Result};
use hippius_tests::ports;
use hippius_tests::process::Process;
use hippius_tests::servers::redis::Redis;
use hippius_tests::workdir::Workdir;

/// Calls of a command so far, and the time that the server was in them.
#[derive(Clone, Copy, Default)]
pub struct Calls {
    pub calls: f64,
    pub usec: f64,
}

/// `INFO commandstats`: by command in small letters, those of sub-commands apart (`config|get`).
pub struct Stats(BTreeMap<String, Calls>);

impl Stats {
    pub fn of(redis: &Redis) -> Result<Self> {
        let mut stats = BTreeMap::new();
        for (name, text) in redis.client()?.info()? {
            let Some(command) = name.strip_prefix("cmdstat_") else { continue };
            let number = |name: &str| -> Result<f64> {
                let value = text.split(',').find_map(|part| part.strip_prefix(name)?.strip_prefix('='));
                Ok(value.with_context(|| format!("{name} in {text}"))?.parse()?)
            };
            stats.insert(command.to_owned(), Calls { calls: number("calls")?, usec: number("usec")? });
        }
        Ok(Self(stats))
    }

    /// Nothing, where it was never called.
    pub fn of_command(&self, name: &str) -> Calls {
        self.0.get(name).copied().unwrap_or_default()
    }

    /// Microseconds in all commands.
    pub fn usec(&self) -> f64 {
        self.0.values().map(|calls| calls.usec).sum()
    }
}

/// redis_exporter for this server, and its port.
pub fn exporter(redis: &Redis, workdir: &Workdir, more: &[&str]) -> Result<(Process, u16)> {
    let port = ports::free();
    let mut command = Command::new("prometheus-redis-exporter");
    command.args(["-redis.addr", &format!("redis://127.0.0.1:{}", redis.server.port)]);
    command.args(["-web.listen-address", &format!("127.0.0.1:{port}")]).args(more);
    let mut process = Process::spawn(&format!("exporter-{port}"), command, workdir)?;
    process.wait_for_port(port)?;
    Ok((process, port))
}
