//! Several quick queries in one message, so that a poll costs one round trip instead of one for each.
//!
//! The server works through the message statement by statement and sends all answers at once. Between two queries it is
//! asked for the time, which tells how long each one took. A statement that is refused ends the message; the answers
//! before it are good, and whoever asks goes on with the queries after it
//! (<https://www.postgresql.org/docs/current/protocol-flow.html#PROTOCOL-FLOW-MULTI-STATEMENT>).

use super::look::{self, Look};
use super::query::Query;
use super::rows::{self, Drafts, Malformed};
use crate::poll::family::Families;
use std::fmt::Write as _;
use std::time::Duration;
use tokio_postgres::{SimpleQueryMessage, SimpleQueryRow};

const CLOCK: &str = "SELECT extract(epoch FROM clock_timestamp())";

/// Writes the message. Since PostgreSQL 13 the time limit is that of each statement, not of the message; it ends with
/// the message. With `looks` it also asks for what the server has.
pub fn write<'t>(out: &mut String, each: Duration, looks: bool, queries: impl Iterator<Item = &'t str>) {
    out.clear();
    // What cannot be written to a string is written nowhere.
    let _ = write!(out, "SET LOCAL statement_timeout = {}; ", each.as_millis().max(1));
    if looks {
        out.push_str(look::SQL);
        out.push_str("; ");
    }
    out.push_str(CLOCK);
    for query in queries {
        for part in ["; ", query, "; ", CLOCK] {
            out.push_str(part);
        }
    }
}

/// The answer as far as it was read.
pub struct Reading<'q> {
    queries: &'q [&'static Query],
    looks: bool,
    look: Option<Look>,
    /// Statements that are done.
    done: usize,
    /// The server's clock before the query whose answer comes next, in seconds.
    clock: Option<f64>,
    /// What the clock says in the answer that is being read.
    now: Option<f64>,
    /// The query's answer, until it is known how long it took.
    answer: Option<Families>,
    answers: Vec<(Families, Duration)>,
}

enum Statement {
    Setting,
    Look,
    Clock,
    Query(&'static Query),
}

impl<'q> Reading<'q> {
    /// Of a message with these queries.
    pub fn new(queries: &'q [&'static Query], looks: bool) -> Self {
        let answers = Vec::with_capacity(queries.len());
        Self { queries, looks, look: None, done: 0, clock: None, now: None, answer: None, answers }
    }

    /// Takes the next part of the answer. Those of `drafts` that belong to its queries are empty at first, and are used
    /// for nothing else meanwhile.
    pub fn take(&mut self, message: &SimpleQueryMessage, drafts: &mut Drafts) -> Result<(), Malformed> {
        match message {
            SimpleQueryMessage::Row(row) => self.row(row, drafts),
            SimpleQueryMessage::CommandComplete(_) => self.end(drafts),
            _ => Ok(()),
        }
    }

    /// Whether the server works on the queries themselves, or has done so.
    pub fn has_begun(&self) -> bool {
        self.clock.is_some()
    }

    /// What the server has, where that was asked and answered.
    pub fn look(&mut self) -> Option<Look> {
        self.look.take()
    }

    /// The answers of the first queries, each with the time that it took.
    pub fn answers(self) -> Vec<(Families, Duration)> {
        self.answers
    }

    fn statement(&self) -> Option<Statement> {
        match self.done {
            0 => return Some(Statement::Setting),
            1 if self.looks => return Some(Statement::Look),
            _ => {}
        }
        match self.done - usize::from(self.looks) {
            odd if odd % 2 == 1 => Some(Statement::Clock),
            even => self.queries.get(even / 2 - 1).map(|query| Statement::Query(query)),
        }
    }

    fn row(&mut self, row: &SimpleQueryRow, drafts: &mut Drafts) -> Result<(), Malformed> {
        match self.statement() {
            Some(Statement::Query(query)) => {
                let draft = drafts.of(query);
                rows::add(query, |index| row.try_get(index).ok().flatten(), row.len(), draft)
            }
            Some(Statement::Look) => {
                self.look = Some(Look::read(row).ok_or(Malformed)?);
                Ok(())
            }
            Some(Statement::Clock) => {
                let text = row.try_get(0).ok().flatten().ok_or(Malformed)?;
                self.now = Some(text.parse().map_err(|_| Malformed)?);
                Ok(())
            }
            Some(Statement::Setting) | None => Err(Malformed),
        }
    }

    fn end(&mut self, drafts: &mut Drafts) -> Result<(), Malformed> {
        match self.statement().ok_or(Malformed)? {
            Statement::Setting => {}
            Statement::Look if self.look.is_none() => return Err(Malformed),
            Statement::Look => {}
            Statement::Query(query) => self.answer = Some(drafts.of(query).finish()),
            Statement::Clock => {
                let now = self.now.take().ok_or(Malformed)?;
                if let (Some(answer), Some(before)) = (self.answer.take(), self.clock) {
                    // A clock that was set back meanwhile has measured nothing.
                    let took = Duration::try_from_secs_f64(now - before).unwrap_or_default();
                    self.answers.push((answer, took));
                }
                self.clock = Some(now);
            }
        }
        self.done += 1;
        Ok(())
    }
}
