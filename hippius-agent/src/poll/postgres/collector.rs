//! One query over time: when it is due, what it gave, and whether it worked.

use super::query::Query;
use super::session::{Failure, Session};
use crate::poll::draft::Draft;
use crate::poll::family::{Families, Kind, Spec};
use crate::poll::source::Reason;
use std::time::{Duration, Instant};

const LABELS: &[&str] = &["collector"];

static SUCCESS: Spec = Spec {
    name: "pg_scrape_collector_success",
    kind: Kind::Gauge,
    help: "1 when the query worked when it was last asked, else 0.",
    labels: LABELS,
};
static DURATION: Spec = Spec {
    name: "pg_scrape_collector_duration_seconds",
    kind: Kind::Gauge,
    help: "Time that the query took when it was last asked, in seconds.",
    labels: LABELS,
};

/// Families about the queries themselves.
pub static SPECS: [&Spec; 2] = [&SUCCESS, &DURATION];

/// One query and its last answer.
#[derive(Debug)]
pub struct Collector {
    query: &'static Query,
    pause: Duration,
    asked: Option<Instant>,
    outcome: Option<Outcome>,
}

#[derive(Debug)]
struct Outcome {
    took: Duration,
    /// SQLSTATE of the refusal.
    answer: Result<Families, String>,
}

impl Collector {
    /// A query that is asked at most once in `pause`.
    pub fn new(query: &'static Query, pause: Duration) -> Self {
        Self { query, pause, asked: None, outcome: None }
    }

    /// Whether it is time.
    pub fn is_due(&self, now: Instant) -> bool {
        self.asked.is_none_or(|asked| now.saturating_duration_since(asked) >= self.pause)
    }

    /// Forgets the last answer: it is of another connection, or the server has nothing of the kind any more.
    pub fn forget(&mut self) {
        self.asked = None;
        self.outcome = None;
    }

    /// There was no time left for it in this poll. What is asked at each poll has no value then; what is asked rarely
    /// keeps the last one and is due again.
    pub fn skip(&mut self) {
        if self.pause.is_zero() {
            self.fail();
        }
    }

    /// It could not be asked, and what is known is too old.
    pub fn fail(&mut self) {
        self.outcome = Some(Outcome { took: Duration::ZERO, answer: Err(String::new()) });
    }

    /// Whether it has worked, and took no longer than this: then it is no risk to ask it together with others.
    pub fn is_quick(&self, most: Duration) -> bool {
        self.outcome.as_ref().is_some_and(|outcome| outcome.answer.is_ok() && outcome.took <= most)
    }

    /// What it asks.
    pub fn query(&self) -> &'static Query {
        self.query
    }

    /// It was asked together with others.
    pub fn answered(&mut self, asked: Instant, answer: Families, took: Duration) {
        self.keep(asked, took, Ok(answer));
    }

    /// Asks it now.
    pub async fn ask(&mut self, session: &mut Session) -> Result<(), Reason> {
        let started = Instant::now();
        let answer = match session.ask(self.query).await {
            None => {
                self.forget();
                return Ok(());
            }
            Some(Ok(families)) => Ok(families),
            Some(Err(Failure::Refused(code))) => Err(code),
            Some(Err(Failure::Broken(reason))) => return Err(reason),
        };
        self.keep(started, started.elapsed(), answer);
        Ok(())
    }

    fn keep(&mut self, asked: Instant, took: Duration, answer: Result<Families, String>) {
        self.asked = Some(asked);
        self.note(&answer);
        self.outcome = Some(Outcome { took, answer });
    }

    /// Says once that a query does not work, and once that it does again.
    fn note(&self, answer: &Result<Families, String>) {
        let before = self.outcome.as_ref().map(|outcome| &outcome.answer);
        let collector = self.query.collector;
        match (before, answer) {
            (Some(Err(old)), Err(new)) if old == new => {}
            (_, Err(sqlstate)) => tracing::warn!(collector, sqlstate, "the server refuses a query"),
            (Some(Err(_)), Ok(_)) => tracing::info!(collector, "the server answers a query again"),
            (_, Ok(_)) => {}
        }
    }

    /// Adds the last answer and how asking went.
    pub fn add_to(&self, out: &mut Draft) {
        let Some(outcome) = &self.outcome else { return };
        let labels = [self.query.collector];
        out.add(&SUCCESS, &labels, if outcome.answer.is_ok() { 1.0 } else { 0.0 });
        out.add(&DURATION, &labels, outcome.took.as_secs_f64());
        if let Ok(families) = &outcome.answer {
            out.extend(families);
        }
    }
}
