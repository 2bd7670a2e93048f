//! PostgreSQL servers, version 13 and newer.
//!
//! [`queries`] says what is asked and how the columns are called; [`collector`] asks one query when it is due;
//! [`together`] asks those in one message that are known to be quick; [`link`] makes the
//! connection, [`session`] holds it. A query that the server refuses, for want of a right or a table, takes only its own
//! families with it. What reads whole tables of the service runs beside the polls ([`accounts`]).

pub mod accounts;
pub mod collector;
pub mod limits;
pub mod link;
pub mod look;
pub mod probe;
pub mod queries;
pub mod query;
pub mod rows;
pub mod session;
pub mod together;

use super::draft::Draft;
use super::family::{Kind, Spec};
use super::source::{Reason, Source, Status};
use crate::config::{PostgresProfile, PostgresTarget};
use accounts::Accounts;
use collector::Collector;
use link::{Link, Manners};
use query::Every;
use session::{Failure, Session};
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
        if self.session.is_none() {
            self.looked = Some(Instant::now());
            self.session = Some(self.link.open(self.manners).await?);
        }
        Ok(())
    }
}

/// Asks those together that were quick the last time, and gives back the others, to be asked alone: among them the ones
/// that failed this time.
async fn ask_quick<'c>(
    session: &mut Session,
    due: Vec<&'c mut Collector>,
    last_begin: Instant,
    most: Duration,
    look: &mut bool,
) -> Result<Vec<&'c mut Collector>, Reason> {
    // Whatever the server does, all of them together are done in time. Ordinarily they take a small part of it.
    let each = most / u32::try_from(due.len()).unwrap_or(u32::MAX).max(1);
    let (mut quick, mut alone): (Vec<_>, Vec<_>) = due.into_iter().partition(|collector| collector.is_quick(each / 4));
    while quick.len() > 1 && session.takes_several() && Instant::now() <= last_begin {
        let queries: Vec<_> = quick.iter().map(|collector| collector.query()).collect();
        let asked = Instant::now();
        let (answers, failure) = session.ask_together(&queries, each, look).await;
        let mut left = quick.into_iter();
        for ((answer, took), collector) in answers.into_iter().zip(left.by_ref()) {
            collector.answered(asked, answer, took);
        }
        match failure {
            Some(Failure::Broken(reason)) => return Err(reason),
            Some(Failure::Refused(_)) => alone.extend(left.next()),
            None => {}
        }
        quick = left.collect();
    }
    alone.extend(quick);
    Ok(alone)
}

impl Source for Postgres {
    async fn poll(&mut self, _now: SystemTime, out: &mut Draft) -> Result<(), Reason> {
        let started = Instant::now();
        self.connect().await?;
        let session = self.session.as_mut().ok_or(Reason::Closed)?;
        let mut look = self.looked.is_none_or(|looked| started.saturating_duration_since(looked) >= self.slow_interval);
        if look {
            self.looked = Some(started);
        }
        let has_statements = session.has_statements();
        if !has_statements {
            self.statements.iter_mut().for_each(Collector::forget);
        }
        let last_begin = started + self.last_begin;
        let statements = self.statements.iter_mut().filter(|_| has_statements);
        let due = self.general.iter_mut().chain(statements).filter(|collector| collector.is_due(started)).collect();
        let alone = ask_quick(session, due, last_begin, self.manners.statement_timeout, &mut look).await?;
        if look {
            session.look_around().await?;
        }
        for collector in alone {
            if Instant::now() > last_begin {
                collector.skip();
            } else {
                collector.ask(session).await?;
            }
        }
        self.general.iter().chain(&self.statements).for_each(|collector| collector.add_to(out));
        self.accounts.step(started, out).await;
        Ok(())
    }

    /// What was asked on a connection that broke is asked anew on the next: the server may be another one by then.
    fn disconnect(&mut self) {
        self.session = None;
        self.general.iter_mut().chain(&mut self.statements).for_each(Collector::forget);
    }

    fn status(&self, status: &Status, out: &mut Draft) {
        let bit = |is: bool| if is { 1.0 } else { 0.0 };
        out.add(&UP, &[], bit(status.up()));
        out.add(&LAST_DURATION, &[], status.took.as_secs_f64());
        out.add(&LAST_ERROR, &[], bit(status.failed.is_some()));
        out.add(&POLLS, &[], status.polls as f64);
    }
}
