//! The running tasks, one per target of the configuration.

use super::postgres::Postgres;
use super::redis::Redis;
use super::target::{Server, Target, Targets};
use super::task;
use crate::config::{PostgresTarget, RedisTarget};
use arc_swap::ArcSwap;
use std::sync::Arc;
use std::time::Instant;
use tokio::runtime::Handle;
use tokio::task::AbortHandle;

/// Starts and ends tasks as the configuration says.
#[derive(Debug)]
pub struct Poller {
    runtime: Handle,
    running: Vec<Running>,
    targets: Arc<ArcSwap<Targets>>,
}

#[derive(Debug)]
struct Running {
    settings: Settings,
    target: Arc<Target>,
    task: AbortHandle,
}

#[derive(Debug, Clone, PartialEq)]
enum Settings {
    Redis(RedisTarget),
    Postgres(PostgresTarget),
}

impl Poller {
    /// No target yet. Tasks run on `runtime`.
    pub fn new(runtime: Handle) -> Self {
        Self { runtime, running: Vec::new(), targets: Arc::default() }
    }

    /// The targets, for readers that stay: each `load` gives the newest ones.
    pub fn targets(&self) -> Arc<ArcSwap<Targets>> {
        Arc::clone(&self.targets)
    }

    /// Starts what is new, ends what is gone; a target whose settings are the same goes on as it is.
    pub fn configure(&mut self, redis: &[RedisTarget], postgres: &[PostgresTarget]) {
        let wanted = redis.iter().cloned().map(Settings::Redis);
        let wanted = wanted.chain(postgres.iter().cloned().map(Settings::Postgres));
        let begin = Instant::now();
        let mut before = std::mem::take(&mut self.running);
        for settings in wanted {
            let same = before.iter().position(|running| running.settings == settings);
            let running = same.map_or_else(|| self.start(settings, begin), |at| before.swap_remove(at));
            self.running.push(running);
        }
        let targets = self.running.iter().map(|running| Arc::clone(&running.target)).collect();
        self.targets.store(Arc::new(targets));
    }

    fn start(&self, settings: Settings, begin: Instant) -> Running {
        let (target, task) = match &settings {
            Settings::Redis(config) => {
                let target = Arc::new(Target::new(Server::Redis, Arc::clone(&config.name)));
                let polling = task::run(Redis::new(config), Arc::clone(&target), config.pace.clone(), begin);
                (target, self.runtime.spawn(polling))
            }
            Settings::Postgres(config) => {
                let target = Arc::new(Target::new(Server::Postgres, Arc::clone(&config.name)));
                let polling = task::run(Postgres::new(config), Arc::clone(&target), config.pace.clone(), begin);
                (target, self.runtime.spawn(polling))
            }
        };
        Running { settings, target, task: task.abort_handle() }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.task.abort();
    }
}
