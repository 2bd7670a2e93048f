//! What is known of one polled server, for whoever prints it.

use super::family::Families;
use super::source::Status;
use arc_swap::ArcSwap;
use std::sync::Arc;
use std::time::Instant;

/// Kind of a polled server.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Server {
    /// Redis.
    Redis,
    /// PostgreSQL.
    Postgres,
}

impl Server {
    /// The part of a path, and the beginning of the `source` label.
    pub fn word(self) -> &'static str {
        match self {
            Self::Redis => "redis",
            Self::Postgres => "postgres",
        }
    }

    /// Label that tells the targets apart where several stand on one page.
    pub fn label(self) -> &'static str {
        match self {
            Self::Redis => "redis_instance",
            Self::Postgres => "pg_instance",
        }
    }
}

/// One polled server. Its task writes, scrapes read.
#[derive(Debug)]
pub struct Target {
    server: Server,
    name: Arc<str>,
    state: ArcSwap<State>,
}

/// What the last polls gave.
#[derive(Debug, Clone, Default)]
pub struct State {
    /// How polling goes.
    pub status: Status,
    /// What is always shown.
    pub always: Arc<Families>,
    /// The values of the last poll that worked.
    pub values: Arc<Families>,
    /// When they are too old to be shown.
    pub values_until: Option<Instant>,
}

impl Target {
    /// A target that was not asked yet.
    pub fn new(server: Server, name: Arc<str>) -> Self {
        Self { server, name, state: ArcSwap::default() }
    }

    /// Its kind.
    pub fn server(&self) -> Server {
        self.server
    }

    /// Its name in the configuration.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Its own page.
    pub fn path(&self) -> String {
        format!("/metrics/{}/{}", self.server.word(), self.name)
    }

    /// The `source` label of the agent's families about it.
    pub fn source(&self) -> String {
        format!("{}/{}", self.server.word(), self.name)
    }

    /// What is known now.
    pub fn state(&self) -> Arc<State> {
        self.state.load_full()
    }

    /// Replaces what is known.
    pub fn publish(&self, state: State) {
        self.state.store(Arc::new(state));
    }
}

impl State {
    /// The families to print at `now`: values that are too old are left out.
    pub fn shown(&self, now: Instant) -> impl Iterator<Item = &Arc<Families>> {
        let fresh = self.values_until.is_some_and(|until| now <= until);
        [Some(&self.always), fresh.then_some(&self.values)].into_iter().flatten()
    }
}

/// All polled servers at one moment, in the order of the configuration: Redis first.
pub type Targets = Vec<Arc<Target>>;
