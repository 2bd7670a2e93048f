//! PostgreSQL: statements with their results, in order.
//!
//! Each `CommandComplete` ends an operation; so do errors, empty queries and portals that pause. A statement of the
//! simple protocol counts alone even where one `Query` carries several. An `Execute` begins with the first message
//! of its kind before it (`Parse`, `Bind`, `Describe`), because that is what the client waits for.
//!
//! The verb is that of the command tag, which the server writes; where there is none (errors, pauses), that of the
//! statement's `Parse` or of the `Query`.

mod answers;
mod ending;
mod statements;

use std::collections::VecDeque;

use ending::{Ending, Last};
use statements::Statements;

use super::held::Held;
use super::queues::Queues;
use super::{Event, MAX_PENDING, Reason, System, Times};
use crate::decode::postgres::{Fields, First, Message, PostgresError, Reader, Role, Verb, Whole};

/// What opening a connection counts as: from the startup message to the first `ReadyForQuery`.
const CONNECT: &str = "CONNECT";
/// Another part of a portal's rows: an `Execute` before had a limit.
const FETCH: &str = "FETCH";
/// A statement without a command.
const EMPTY: &str = "EMPTY";
/// A call by the function protocol.
const FUNCTION: &str = "FUNCTION";
/// The end of an implicit transaction failed.
const COMMIT: &str = "COMMIT";

/// What waits for the server.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Ask {
    Startup,
    Parse,
    Bind,
    Describe,
    Execute,
    Close,
    Sync,
    Query,
    Function,
}

#[derive(Debug, Clone, Copy)]
struct Pending {
    ask: Ask,
    verb: Verb,
    first_ns: u64,
    bytes: u64,
    /// A statement of this `Query` is over.
    done: bool,
    /// The portal was run before.
    again: bool,
}

/// A connection to PostgreSQL.
#[derive(Debug)]
pub(super) struct Postgres {
    requests: Reader,
    replies: Reader,
    pending: VecDeque<Pending>,
    statements: Statements,
    /// When the message under way began, and the first one of the statement under way.
    message_ns: Option<u64>,
    group_ns: Option<u64>,
    group_bytes: u64,
    /// Bytes of results since the last operation.
    reply_bytes: u64,
    /// The server drops what comes until `Sync`.
    skips: bool,
    /// A request for encryption waits for its byte.
    encryption: bool,
    held: Held,
    last_ns: u64,
    settled: bool,
    /// A part of the results was not seen, and only their end can tell where they end.
    blind: Option<Ending>,
}

impl From<PostgresError> for Reason {
    fn from(error: PostgresError) -> Self {
        match error {
            PostgresError::Malformed => Self::Malformed,
            PostgresError::Gap => Self::Gap,
        }
    }
}

impl Postgres {
    /// At the beginning of a connection, with what was received before the first request was seen.
    pub(super) fn new(held: Held) -> Self {
        Self {
            requests: Reader::first(Role::Frontend),
            replies: Reader::first(Role::Backend),
            pending: VecDeque::new(),
            statements: Statements::default(),
            message_ns: None,
            group_ns: None,
            group_bytes: 0,
            reply_bytes: 0,
            skips: false,
            encryption: false,
            held,
            last_ns: 0,
            settled: false,
            blind: None,
        }
    }

    /// Later, where nothing is under way.
    pub(super) fn picked_up() -> Self {
        Self { requests: Reader::typed(Role::Frontend), settled: true, ..Self::new(Held::default()) }
    }

    pub(super) fn is_settled(&self) -> bool {
        self.settled
    }

    /// Operations that wait for their result.
    pub(super) fn pending(&self) -> usize {
        let asks = [Ask::Startup, Ask::Execute, Ask::Query, Ask::Function];
        self.pending.iter().filter(|pending| asks.contains(&pending.ask) && !pending.done).count()
    }

    pub(super) fn request(
        &mut self,
        bytes: &[u8],
        times: Times,
        queues: &Queues,
        events: &mut Vec<Event>,
    ) -> Result<(), Reason> {
        if self.blind.as_ref().is_some_and(Ending::is_ready) {
            // The server has said that it waits, so nothing is under way.
            (self.blind, self.replies) = (None, Reader::typed(Role::Backend));
        }
        let mut rest = bytes;
        while !rest.is_empty() {
            let progress = self.requests.read(rest, queues.statements())?;
            let first_ns = *self.message_ns.get_or_insert(times.first_ns);
            rest = rest.get(progress.used..).unwrap_or_default();
            if let Some(whole) = progress.whole {
                self.message_ns = None;
                self.asked(whole, first_ns)?;
            }
        }
        if self.held.is_empty() || (self.pending.is_empty() && !self.encryption) {
            return Ok(());
        }
        let (held, times) = self.held.take();
        self.response(&held, times, queues, events)
    }

    pub(super) fn skip_request(&mut self, count: u64) -> Result<(), Reason> {
        match self.requests.skip(count)? {
            Some(whole) => {
                let first_ns = self.message_ns.take().unwrap_or_default();
                self.asked(whole, first_ns)
            }
            None => Ok(()),
        }
    }

    pub(super) fn response(
        &mut self,
        bytes: &[u8],
        times: Times,
        queues: &Queues,
        events: &mut Vec<Event>,
    ) -> Result<(), Reason> {
        self.last_ns = times.last_ns;
        if self.blind.is_some() {
            return self.look(bytes, events);
        }
        let mut rest = bytes;
        while !rest.is_empty() {
            if self.replies.is_between() && self.is_early(rest) {
                return self.held.add(rest, times);
            }
            let progress = self.replies.read(rest, queues.statements())?;
            self.reply_bytes += progress.used as u64;
            rest = rest.get(progress.used..).unwrap_or_default();
            if let Some(whole) = progress.whole {
                self.answered(whole, events)?;
            }
        }
        Ok(())
    }

    pub(super) fn skip_response(&mut self, count: u64, events: &mut Vec<Event>) -> Result<(), Reason> {
        self.reply_bytes += count;
        if let Some(ending) = &mut self.blind {
            ending.forget();
            return Ok(());
        }
        match self.replies.skip(count) {
            Ok(whole) => whole.map_or(Ok(()), |whole| self.answered(whole, events)),
            // Requests are read on: what they prepare is known when results can be read again.
            Err(_) if self.settled && !self.encryption => {
                self.blind = Some(Ending::default());
                Ok(())
            }
            Err(error) => Err(error.into()),
        }
    }

    /// The only operation that is under way, where the next `ReadyForQuery` can only be its end.
    fn one_operation(&self) -> Option<Pending> {
        let (last, before) = self.pending.iter().rev().fold((None, 0), |(last, count), pending| {
            let ends = matches!(pending.ask, Ask::Sync | Ask::Query | Ask::Function | Ask::Startup);
            (last.or(Some(pending.ask)), count + u32::from(ends))
        });
        let mut executes = self.pending.iter().filter(|pending| matches!(pending.ask, Ask::Execute | Ask::Query));
        match (last, before, executes.next(), executes.next()) {
            (Some(Ask::Sync | Ask::Query), 1, Some(only), None) => Some(*only),
            _ => None,
        }
    }

    /// Results go by whose boundaries are not known, until they end.
    fn look(&mut self, bytes: &[u8], events: &mut Vec<Event>) -> Result<(), Reason> {
        self.reply_bytes += bytes.len() as u64;
        let Some(last) = self.blind.as_mut().and_then(|ending| ending.take(bytes)) else { return Ok(()) };
        let only = self.one_operation();
        let operation = only.and_then(|only| match last {
            Last::Unknown => None,
            _ if only.again => Some(FETCH),
            Last::Complete(tag) if tag != Verb::OTHER => Some(tag.name()),
            Last::Complete(_) | Last::Suspended => Some(only.verb.name()),
        });
        match only.zip(operation) {
            Some((only, operation)) => self.tell(&only, operation, None, events),
            None => events.push(Event::Lost(Reason::Gap, self.pending() as u64)),
        }
        self.pending.clear();
        self.reply_bytes = 0;
        Ok(())
    }

    /// The connection is over. What waits for `Sync` alone is no operation.
    pub(super) fn close(&mut self, events: &mut Vec<Event>) {
        let operations = self.pending.iter().filter_map(|pending| match pending.ask {
            Ask::Startup => Some(CONNECT),
            Ask::Execute => Some(pending.verb.name()),
            Ask::Query if !pending.done => Some(pending.verb.name()),
            Ask::Function => Some(FUNCTION),
            _ => None,
        });
        events.extend(operations.map(|operation| Event::Unanswered(System::Postgres, operation)));
    }

    /// Whether these bytes answer something that was not seen yet. Notices, notifications and changed settings come at any
    /// time.
    fn is_early(&self, bytes: &[u8]) -> bool {
        let awaited = !self.pending.is_empty() || self.encryption;
        !awaited && !bytes.first().is_some_and(|kind| b"NAS".contains(kind))
    }

    /// A message of the client is whole.
    fn asked(&mut self, whole: Whole, first_ns: u64) -> Result<(), Reason> {
        let mut again = false;
        let (ask, verb) = match whole.message {
            Message::First(First::Startup) => (Ask::Startup, Verb::OTHER),
            Message::First(First::Encryption) => {
                self.encryption = true;
                self.replies.expect_one_byte();
                self.requests.expect_first();
                return Ok(());
            }
            Message::First(First::Cancel) | Message::Encryption(_) => return Ok(()),
            Message::Typed(b'Q', Fields::Verb(verb)) => (Ask::Query, verb),
            Message::Typed(b'P', Fields::Statement(name, verb)) => {
                self.statements.parsed(name, verb);
                (Ask::Parse, verb)
            }
            Message::Typed(b'B', Fields::Bind(portal, name)) => (Ask::Bind, self.statements.bound(portal, name)),
            Message::Typed(b'E', Fields::Portal(portal)) => {
                let (verb, begun) = self.statements.executed(portal);
                again = begun;
                (Ask::Execute, verb)
            }
            Message::Typed(b'D', Fields::Target(kind, name)) => (Ask::Describe, self.statements.of(kind, name)),
            Message::Typed(b'C', Fields::Target(kind, name)) => {
                self.statements.closed(kind, name);
                (Ask::Close, Verb::OTHER)
            }
            Message::Typed(b'S', _) => (Ask::Sync, Verb::OTHER),
            Message::Typed(b'F', _) => (Ask::Function, Verb::OTHER),
            Message::Typed(b'H', _) => {
                // The client waits for what is sent so far; what comes later is another wait.
                (self.group_ns, self.group_bytes) = (None, 0);
                return Ok(());
            }
            // Parts of COPY, passwords, Terminate: nothing answers them.
            Message::Typed(..) => return Ok(()),
        };
        let first_ns = match ask {
            Ask::Parse | Ask::Bind | Ask::Describe => {
                self.group_bytes += whole.bytes;
                *self.group_ns.get_or_insert(first_ns)
            }
            Ask::Execute => self.group_ns.take().unwrap_or(first_ns),
            _ => first_ns,
        };
        let before = if ask == Ask::Execute { std::mem::take(&mut self.group_bytes) } else { 0 };
        if matches!(ask, Ask::Sync | Ask::Query) {
            (self.group_ns, self.group_bytes) = (None, 0);
        }
        if self.skips {
            if ask != Ask::Sync {
                return Ok(());
            }
            self.skips = false;
        }
        if self.pending.len() >= MAX_PENDING {
            return Err(Reason::TooManyPending);
        }
        self.pending.push_back(Pending { ask, verb, first_ns, bytes: whole.bytes + before, done: false, again });
        Ok(())
    }
}
