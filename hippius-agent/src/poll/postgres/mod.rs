//! PostgreSQL servers, version 13 and newer.
//!
//! [`queries`] says what is asked and how the columns are called; [`collector`] asks one query when it is due;
//! [`link`] holds the connection. A query that the server refuses, for want of a right or a table, takes only its own
//! families with it. What reads whole tables of the service runs beside the polls ([`accounts`]).

pub mod accounts;
pub mod collector;
pub mod limits;
pub mod link;
pub mod probe;
pub mod queries;
pub mod query;
pub mod rows;

use super::family::{Families, Kind, Spec};
use super::source::{Reason, Source, Status};
use crate::config::{PostgresProfile, PostgresTarget};
use accounts::Accounts;
use collector::Collector;
use link::{Link, Manners, Session};
use query::Every;
use std::time::{Duration, Instant, SystemTime};

static UP: Spec = Spec { name: "pg_up", kind: Kind::Gauge, help: "1 when the last poll worked, else 0.", labels: &[] };
static LAST_DURATION: Spec = Spec {
    name: "pg_exporter_last_scrape_duration_seconds",
    kind: Kind::Gauge,
    help: "Time that the last poll took, in seconds.",
    labels: &[],
};
static LAST_ERROR: Spec = Spec {
    name: "pg_exporter_last_scrape_error",
    kind: Kind::Gauge,
    help: "1 when the last poll failed, else 0.",
    labels: &[],
};
static POLLS: Spec =
    Spec { name: "pg_exporter_scrapes_total", kind: Kind::Counter, help: "Polls of this server.", labels: &[] };

/// All families of a PostgreSQL server.
pub fn families() -> impl Iterator<Item = &'static Spec> {
    let own = [&UP, &LAST_DURATION, &LAST_ERROR, &POLLS].into_iter().chain(collector::SPECS);
    // The generations of the service differ in their tables, not in what is made of them.
    let accounts = queries::accounts(PostgresProfile::Hippius2026);
    let queries = queries::general().chain(queries::statements()).chain(accounts);
    own.chain(queries.flat_map(query::Query::specs))
}

/// One PostgreSQL server.
pub struct Postgres {
    link: Link,
    manners: Manners,
    /// No query begins later than this after the poll's own beginning.
    last_begin: Duration,
    slow_interval: Duration,
    /// When it was last looked at which extensions there are.
    looked: Option<Instant>,
    session: Option<Session>,
    general: Vec<Collector>,
    statements: Vec<Collector>,
    accounts: Accounts,
}

impl Postgres {
    /// Nothing is connected to yet.
    pub fn new(config: &PostgresTarget) -> Self {
        let link = Link::new(config);
        let collector = |query: &'static query::Query| {
            let pause = if query.every == Every::Poll { Duration::ZERO } else { config.slow_interval };
            Collector::new(query, pause)
        };
        let statements = if config.max_statements == 0 { &[] } else { queries::statements() };
        Self {
            // The server ends a slow query before the poll's time is over, so that the others have theirs.
            manners: Manners { statement_timeout: config.pace.timeout.mul_f64(0.4), catalogue_only: true },
            last_begin: config.pace.timeout / 2,
            slow_interval: config.slow_interval,
            looked: None,
            session: None,
            general: queries::general().map(collector).collect(),
            statements: statements.iter().map(collector).collect(),
            accounts: Accounts::new(config, &link),
            link,
        }
    }

    async fn connect(&mut self) -> Result<(), Reason> {
        if self.session.as_ref().is_some_and(Session::is_closed) {
            self.disconnect();
        }
        let now = Instant::now();
        if self.session.is_none() {
            self.looked = Some(now);
            self.session = Some(self.link.open(self.manners).await?);
        } else if self.looked.is_none_or(|looked| now.saturating_duration_since(looked) >= self.slow_interval)
            && let Some(session) = &mut self.session
        {
            self.looked = Some(now);
            session.look_around().await?;
        }
        Ok(())
    }
}

impl Source for Postgres {
    async fn poll(&mut self, _now: SystemTime) -> Result<Families, Reason> {
        let started = Instant::now();
        self.connect().await?;
        let session = self.session.as_ref().ok_or(Reason::Closed)?;
        let has_statements = session.has_statements();
        if !has_statements {
            self.statements.iter_mut().for_each(Collector::forget);
        }
        let statements = self.statements.iter_mut().filter(|_| has_statements);
        let mut out = Families::default();
        for collector in self.general.iter_mut().chain(statements) {
            if collector.is_due(started) {
                if started.elapsed() > self.last_begin {
                    collector.skip();
                } else {
                    collector.ask(session).await?;
                }
            }
            collector.add_to(&mut out);
        }
        self.accounts.step(started, &mut out).await;
        Ok(out)
    }

    /// What was asked on a connection that broke is asked anew on the next: the server may be another one by then.
    fn disconnect(&mut self) {
        self.session = None;
        self.general.iter_mut().chain(&mut self.statements).for_each(Collector::forget);
    }

    fn status(&self, status: &Status, out: &mut Families) {
        let bit = |is: bool| if is { 1.0 } else { 0.0 };
        out.add(&UP, &[], bit(status.up()));
        out.add(&LAST_DURATION, &[], status.took.as_secs_f64());
        out.add(&LAST_ERROR, &[], bit(status.failed.is_some()));
        out.add(&POLLS, &[], status.polls as f64);
    }
}
