//! PostgreSQL servers.

use super::family::{Families, Kind, Spec};
use super::source::{Reason, Source, Status};
use crate::config::PostgresTarget;
use std::time::SystemTime;

/// All families of a PostgreSQL server.
pub fn families() -> impl Iterator<Item = &'static Spec> {
    [&UP].into_iter()
}

static UP: Spec = Spec { name: "pg_up", kind: Kind::Gauge, help: "1 when the last poll worked, else 0.", labels: &[] };

/// One PostgreSQL server.
pub struct Postgres {}

impl Postgres {
    /// Nothing is connected to yet.
    pub fn new(_config: &PostgresTarget) -> Self {
        Self {}
    }
}

impl Source for Postgres {
    async fn poll(&mut self, _now: SystemTime) -> Result<Families, Reason> {
        Err(Reason::Connect)
    }

    fn disconnect(&mut self) {}

    fn status(&self, status: &Status, out: &mut Families) {
        out.add(&UP, &[], if status.up() { 1.0 } else { 0.0 });
    }
}
