//! An open connection: what is asked on it, and why there is no answer.

use super::limits::Limits;
use super::link::Manners;
use super::look::{self, Look, OLDEST};
use super::query::Query;
use super::rows::{self, Drafts};
use super::together::{self, Reading};
use crate::poll::family::Families;
use crate::poll::net::Allowance;
use crate::poll::source::Reason;
use ahash::AHashMap;
use futures_core::Stream as _;
use std::future::poll_fn;
use std::io;
use std::pin::pin;
use std::time::Duration;
use tokio::task::AbortHandle;
use tokio_postgres::error::SqlState;
use tokio_postgres::{Client, Error, SimpleQueryMessage};

/// An open connection. It is closed when this is dropped, whatever state it is in.
pub struct Session {
    client: Client,
    driver: AbortHandle,
    allowance: Allowance,
    limits: Limits,
    /// Major version of the server.
    major: u32,
    /// Schema of `pg_stat_statements`, quoted, where it is installed.
    statements_schema: Option<String>,
    /// The SQL of queries by their collectors, made for this server; `None` where it has nothing of the kind.
    texts: AHashMap<&'static str, Option<String>>,
    /// Whether it takes several queries in one message.
    takes_several: bool,
    /// The last such message.
    message: String,
    /// Where rows are gathered; empty between answers.
    drafts: Drafts,
}

const MALFORMED: Failure = Failure::Broken(Reason::Malformed);

/// Why one query has no answer while the connection is good.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Failure {
    /// The server says so: its SQLSTATE. Its message is not kept, it could quote anything.
    Refused(String),
    /// The connection is of no use any more.
    Broken(Reason),
}

impl Session {
    /// For a client that has logged in, whose connection is served by `driver`.
    pub(super) fn new(client: Client, driver: AbortHandle, allowance: Allowance, limits: Limits) -> Self {
        Self {
            client,
            driver,
            allowance,
            limits,
            major: OLDEST,
            statements_schema: None,
            texts: AHashMap::new(),
            takes_several: true,
            message: String::new(),
            drafts: Drafts::default(),
        }
    }

    /// Sets the session's limits, and looks at what the server has.
    pub(super) async fn introduce(&mut self, manners: Manners) -> Result<(), Reason> {
        let limits = format!(
            "SET default_transaction_read_only = on; SET statement_timeout = {timeout}; SET lock_timeout = {timeout}; \
             SET max_parallel_workers_per_gather = 0{path}",
            timeout = manners.statement_timeout.as_millis(),
            path = if manners.catalogue_only { "; SET search_path = pg_catalog" } else { "" },
        );
        self.client.batch_execute(&limits).await.map_err(|error| reason(&error))?;
        self.look_around().await
    }

    /// Asks for what decides which queries there are.
    pub async fn look_around(&mut self) -> Result<(), Reason> {
        self.allowance.set(self.limits.answer_bytes());
        let messages = self.client.simple_query(look::SQL).await.map_err(|error| reason(&error))?;
        let look = messages.iter().find_map(row).and_then(Look::read).ok_or(Reason::Malformed)?;
        self.learn(look);
        Ok(())
    }

    fn learn(&mut self, look: Look) {
        self.major = look.major;
        if look.statements_schema != self.statements_schema {
            self.texts.clear();
            self.statements_schema = look.statements_schema;
        }
    }

    /// The columns of the first row of an answer.
    pub async fn first_row(&self, sql: &str) -> Result<Vec<Option<String>>, Reason> {
        self.allowance.set(self.limits.answer_bytes());
        let messages = self.client.simple_query(sql).await.map_err(|error| reason(&error))?;
        let row = messages.iter().find_map(row).ok_or(Reason::Malformed)?;
        let column = |index| row.try_get(index).map(|text| text.map(str::to_owned)).map_err(|_| Reason::Malformed);
        (0..row.len()).map(column).collect()
    }

    /// Whether the connection ended.
    pub fn is_closed(&self) -> bool {
        self.client.is_closed()
    }

    /// Whether `pg_stat_statements` is installed in the database.
    pub fn has_statements(&self) -> bool {
        self.statements_schema.is_some()
    }

    /// Asks one query; `None` where a server of this version has nothing of the kind.
    pub async fn ask(&mut self, query: &'static Query) -> Option<Result<Families, Failure>> {
        self.prepare(query);
        let sql = self.texts.get(query.collector)?.as_deref()?;
        self.allowance.set(self.limits.answer_bytes());
        let answer = self.client.simple_query(sql).await;
        Some(self.read(query, answer))
    }

    fn read(&mut self, query: &Query, answer: Result<Vec<SimpleQueryMessage>, Error>) -> Result<Families, Failure> {
        let messages = answer.map_err(|error| self.failure(&error))?;
        let draft = self.drafts.of(query);
        draft.clear();
        for row in messages.iter().filter_map(row) {
            rows::add(query, |index| row.try_get(index).ok().flatten(), row.len(), draft)
                .map_err(|rows::Malformed| MALFORMED)?;
        }
        Ok(draft.finish())
    }

    /// Whether the server takes several queries in one message.
    pub fn takes_several(&self) -> bool {
        self.takes_several
    }

    /// Asks several queries in one message, none of which may take longer than `each`. They must be known to this
    /// server, as [`ask`](Self::ask) has shown. Gives the answers of the first ones, each with the time that it took,
    /// and why the next one has none. With `look` it also looks around, and `look` is false when that is done.
    pub async fn ask_together(
        &mut self,
        queries: &[&'static Query],
        each: Duration,
        look: &mut bool,
    ) -> (Vec<(Families, Duration)>, Option<Failure>) {
        queries.iter().for_each(|query| self.prepare(query));
        let texts = queries.iter().filter_map(|query| self.texts.get(query.collector)?.as_deref());
        together::write(&mut self.message, each, *look, texts);
        self.allowance.set(self.limits.answer_bytes());
        self.drafts.clear();
        let mut reading = Reading::new(queries, *look);
        let failure = match self.client.simple_query_raw(&self.message).await {
            Err(error) => Some(self.failure(&error)),
            Ok(answer) => {
                let mut answer = pin!(answer);
                loop {
                    match poll_fn(|context| answer.as_mut().poll_next(context)).await {
                        Some(Ok(message)) => {
                            if reading.take(&message, &mut self.drafts).is_err() {
                                break Some(MALFORMED);
                            }
                        }
                        Some(Err(error)) => break Some(self.failure(&error)),
                        None => break None,
                    }
                }
            }
        };
        self.takes_several = reading.has_begun();
        if let Some(found) = reading.look() {
            self.learn(found);
            *look = false;
        }
        (reading.answers(), failure)
    }

    /// Makes the SQL of a query where that was not done yet.
    fn prepare(&mut self, query: &'static Query) {
        let (limits, major, schema) = (self.limits, self.major, self.statements_schema.as_deref());
        self.texts
            .entry(query.collector)
            .or_insert_with(|| query.sql_for(major).map(|sql| limits.put_into(sql, schema.unwrap_or("pg_catalog"))));
    }

    fn failure(&self, error: &Error) -> Failure {
        if self.allowance.is_spent() { MALFORMED } else { failure(error) }
    }
}

impl Drop for Session {
    fn drop(&mut self) {
        // A farewell to a server that does not read would keep the socket.
        self.driver.abort();
    }
}

fn row(message: &SimpleQueryMessage) -> Option<&tokio_postgres::SimpleQueryRow> {
    match message {
        SimpleQueryMessage::Row(row) => Some(row),
        _ => None,
    }
}

/// A statement that was refused leaves the connection as it was; but a server that shuts down says so by an error too.
fn failure(error: &Error) -> Failure {
    match (error.code(), reason(error)) {
        (Some(_), broken @ (Reason::Starting | Reason::Full | Reason::Auth)) => Failure::Broken(broken),
        (Some(code), _) => Failure::Refused(code.code().to_owned()),
        (None, reason) => Failure::Broken(reason),
    }
}

/// The library does not say of what kind its errors are, but by their fixed texts.
pub(super) fn reason(error: &Error) -> Reason {
    if let Some(code) = error.code() {
        return match *code {
            SqlState::INVALID_PASSWORD | SqlState::INVALID_AUTHORIZATION_SPECIFICATION => Reason::Auth,
            SqlState::TOO_MANY_CONNECTIONS => Reason::Full,
            SqlState::CANNOT_CONNECT_NOW | SqlState::ADMIN_SHUTDOWN | SqlState::CRASH_SHUTDOWN => Reason::Starting,
            SqlState::INSUFFICIENT_PRIVILEGE => Reason::Denied,
            SqlState::QUERY_CANCELED | SqlState::LOCK_NOT_AVAILABLE => Reason::Timeout,
            _ => Reason::Error,
        };
    }
    let io = std::error::Error::source(error).and_then(|source| source.downcast_ref::<io::Error>());
    match (error.to_string().as_str(), io.map(io::Error::kind)) {
        (text, _) if text.starts_with("error performing TLS handshake") => Reason::Tls,
        (text, _) if text.starts_with("authentication error") => Reason::Auth,
        (text, _) if text.starts_with("connection closed") => Reason::Closed,
        (text, _) if text.starts_with("error parsing response") => Reason::Malformed,
        (text, _) if text.starts_with("unexpected message") => Reason::Malformed,
        (_, Some(io::ErrorKind::InvalidData | io::ErrorKind::InvalidInput)) => Reason::Malformed,
        (_, Some(io::ErrorKind::TimedOut)) => Reason::Timeout,
        (_, Some(_)) => Reason::Closed,
        (_, None) => Reason::Error,
    }
}
