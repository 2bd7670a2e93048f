//! Redis: commands with their replies, in order.
//!
//! What comes without being asked for is told apart by what the connection has asked before: pushes of RESP3 by their
//! kind, messages of subscriptions while there are some, lines of `MONITOR`. Commands in a transaction are operations when
//! `EXEC` has run them; what was dropped with `DISCARD` or by `WATCH` never ran and is none.

mod action;
mod answering;
mod asking;
pub mod commands;
mod errors;

use std::collections::VecDeque;

use action::Pending;
use answering::{Answering, Message, Shape};
use asking::{Asked, Asking, Reply};
use commands::{Command, Plan};

use super::held::Held;
use super::queues::Queues;
use super::{Event, MAX_PENDING, Reason, System, Times};
use crate::decode::resp::{Reader, RespError, Role};

/// A connection to Redis.
#[derive(Debug)]
pub(super) struct Redis {
    requests: Reader,
    asking: Asking,
    reply: Reply,
    pending: VecDeque<Pending>,
    replies: Reader,
    answering: Answering,
    reply_bytes: u64,
    /// Commands that wait for `EXEC`.
    transaction: Option<VecDeque<Pending>>,
    subscriptions: Subscriptions,
    monitors: bool,
    held: Held,
    last_ns: u64,
    settled: bool,
    /// What the connection listens to is not known: it was picked up.
    unsure: bool,
    /// A replication stream follows.
    opaque: bool,
}

/// How much the connection listens to.
#[derive(Debug, Default)]
struct Subscriptions {
    /// Of channels, patterns and shard channels.
    by_kind: [u64; 3],
    /// Channels and patterns together, and shard channels, as the server counts them.
    told: [u64; 2],
}

impl From<RespError> for Reason {
    fn from(error: RespError) -> Self {
        match error {
            RespError::Malformed | RespError::TooDeep => Self::Malformed,
            RespError::Gap => Self::Gap,
        }
    }
}

/// Whether a call begins with the whole name of a known command, framed as clients frame it.
pub(super) fn begins_command(bytes: &[u8]) -> bool {
    let mut lines = bytes.split(|byte| *byte == b'\n');
    let mut line = || lines.next().and_then(|line| line.strip_suffix(b"\r"));
    let number = |line: &[u8]| -> Option<usize> { std::str::from_utf8(line).ok()?.parse().ok() };
    let mut begins = || -> Option<bool> {
        number(line()?.strip_prefix(b"*")?).filter(|words| *words > 0)?;
        let length = number(line()?.strip_prefix(b"$")?)?;
        let word = line()?;
        Some(word.len() == length && Command::find(word).is_some())
    };
    begins().unwrap_or(false)
}

impl Redis {
    /// At the beginning of a connection, with what was received before the first request was seen.
    pub(super) fn new(held: Held) -> Self {
        Self {
            requests: Reader::new(Role::Requests),
            asking: Asking::default(),
            reply: Reply::On,
            pending: VecDeque::new(),
            replies: Reader::new(Role::Replies),
            answering: Answering::default(),
            reply_bytes: 0,
            transaction: None,
            subscriptions: Subscriptions::default(),
            monitors: false,
            held,
            last_ns: 0,
            settled: false,
            unsure: false,
            opaque: false,
        }
    }

    /// Later, where nothing is under way.
    pub(super) fn picked_up(settled: bool) -> Self {
        Self { settled, unsure: true, ..Self::new(Held::default()) }
    }

    pub(super) fn is_settled(&self) -> bool {
        self.settled
    }

    pub(super) fn pending(&self) -> usize {
        self.pending.len() + self.transaction.as_ref().map_or(0, VecDeque::len)
    }

    pub(super) fn request(
        &mut self,
        bytes: &[u8],
        times: Times,
        queues: &Queues,
        events: &mut Vec<Event>,
    ) -> Result<(), Reason> {
        let mut rest = bytes;
        while !rest.is_empty() {
            let asking = &mut self.asking;
            let progress = self.requests.read(rest, &mut |place, token| asking.token(place, token, queues))?;
            self.asking.moved(progress.used as u64, times);
            rest = rest.get(progress.used..).unwrap_or_default();
            if progress.ended {
                self.asked(times, events)?;
            }
            if self.asking.is_malformed() {
                return Err(Reason::Malformed);
            }
        }
        if self.held.is_empty() || self.pending.is_empty() {
            return Ok(());
        }
        let (held, times) = self.held.take();
        self.response(&held, times, queues, events)
    }

    pub(super) fn skip_request(&mut self, count: u64, queues: &Queues, events: &mut Vec<Event>) -> Result<(), Reason> {
        let asking = &mut self.asking;
        let ended = self.requests.skip(count, &mut |place, token| asking.token(place, token, queues))?;
        self.asking.hidden(count);
        if ended { self.asked(self.asking.times(), events) } else { Ok(()) }
    }

    /// A command is whole.
    fn asked(&mut self, times: Times, events: &mut Vec<Event>) -> Result<(), Reason> {
        if self.asking.is_malformed() {
            return Err(Reason::Malformed);
        }
        let Some(Asked { pending, reply, inline }) = self.asking.finish(times) else { return Ok(()) };
        if pending.plan == Plan::Replicate {
            self.opaque = true;
        }
        let silent = match (self.reply, reply) {
            (_, Some(Reply::On)) => {
                self.reply = Reply::On;
                false
            }
            (_, Some(reply)) => {
                self.reply = if self.reply == Reply::Off { Reply::Off } else { reply };
                true
            }
            (Reply::Skip, None) => {
                self.reply = Reply::On;
                true
            }
            (reply, None) => reply == Reply::Off,
        };
        if silent {
            events.push(Event::Silent(pending.operation));
            return Ok(());
        }
        // Without the table any line of letters would do.
        if inline && !self.settled && self.pending.is_empty() && pending.operation == "other" {
            return Err(Reason::Malformed);
        }
        if self.pending() >= MAX_PENDING {
            return Err(Reason::TooManyPending);
        }
        self.pending.push_back(pending);
        Ok(())
    }

    pub(super) fn response(
        &mut self,
        bytes: &[u8],
        times: Times,
        queues: &Queues,
        events: &mut Vec<Event>,
    ) -> Result<(), Reason> {
        self.last_ns = times.last_ns;
        let mut rest = bytes;
        while !rest.is_empty() {
            if self.replies.is_between() {
                if self.is_early(rest) {
                    return self.held.add(rest, times);
                }
                self.answer_begins();
            }
            let (answering, transaction) = (&mut self.answering, &mut self.transaction);
            let progress = self.replies.read(rest, &mut |place, token| {
                answering.token(place, token, times.last_ns, transaction, queues, events);
            })?;
            self.reply_bytes += progress.used as u64;
            rest = rest.get(progress.used..).unwrap_or_default();
            if progress.ended {
                self.answered(events)?;
            }
        }
        Ok(())
    }

    pub(super) fn skip_response(&mut self, count: u64, queues: &Queues, events: &mut Vec<Event>) -> Result<(), Reason> {
        let (answering, transaction, at_ns) = (&mut self.answering, &mut self.transaction, self.last_ns);
        let ended = self.replies.skip(count, &mut |place, token| {
            answering.token(place, token, at_ns, transaction, queues, events);
        })?;
        self.reply_bytes += count;
        if ended { self.answered(events) } else { Ok(()) }
    }

    /// Whether these bytes answer something that was not seen yet.
    fn is_early(&self, bytes: &[u8]) -> bool {
        let awaited = !self.pending.is_empty() || self.subscriptions.any() || self.monitors;
        !awaited && bytes.first() != Some(&b'>')
    }

    fn answer_begins(&mut self) {
        let front = self.pending.front();
        let subscribes = front.is_some_and(|front| matches!(front.plan, Plan::Subscribe | Plan::Unsubscribe));
        let shape =
            Shape { listens: self.subscriptions.any() || subscribes, unsure: self.unsure, monitors: self.monitors };
        self.answering = Answering::new(shape, front);
    }

    /// A reply is whole.
    fn answered(&mut self, events: &mut Vec<Event>) -> Result<(), Reason> {
        let bytes = std::mem::take(&mut self.reply_bytes);
        match self.answering.message() {
            Message::Pushed => return Ok(()),
            Message::Subscription(word, count) => {
                if !self.confirmed(&word, count) {
                    return Ok(());
                }
            }
            Message::Heard if self.unsure && !self.subscriptions.any() => return Err(Reason::Unpaired),
            Message::Heard => return Ok(()),
            Message::Answer => {}
        }
        let mut pending = self.pending.pop_front().ok_or(Reason::Unpaired)?;
        self.settled = true;
        pending.response_bytes += bytes;
        let observer = self.answering.observer();
        if observer.queued
            && let Some(transaction) = &mut self.transaction
        {
            transaction.push_back(pending);
            return Ok(());
        }
        match pending.plan {
            Plan::Multi if observer.error.is_none() => self.transaction = Some(VecDeque::new()),
            Plan::Exec | Plan::Discard => self.transaction = None,
            Plan::Monitor => self.monitors |= observer.error.is_none(),
            Plan::Reset if observer.error.is_none() => {
                (self.transaction, self.subscriptions, self.monitors) = (None, Subscriptions::default(), false);
            }
            _ => {}
        }
        observer.finish(&pending, events);
        events.push(Event::Operation(pending.operation(observer.error, self.last_ns)));
        if self.opaque && self.pending.is_empty() { Err(Reason::Opaque) } else { Ok(()) }
    }

    /// One subscription began or ended. True where that is the last word about the command that asked for it.
    fn confirmed(&mut self, word: &[u8], count: u64) -> bool {
        let before = self.subscriptions.of(word);
        self.subscriptions.confirm(word, count);
        let Some(front) = self.pending.front_mut() else { return false };
        if !front.operation.as_bytes().eq_ignore_ascii_case(word) {
            return false;
        }
        let replies = front.replies.get_or_insert(if front.words > 0 { front.words } else { before.max(1) });
        *replies -= 1;
        *replies == 0
    }

    /// The connection is over.
    pub(super) fn close(&mut self, events: &mut Vec<Event>) {
        let waits = |pending: &&Pending| Command::is_blocking(pending.operation);
        let left = self.pending.iter().filter(|pending| !waits(pending));
        events.extend(left.map(|pending| Event::Unanswered(System::Redis, pending.operation)));
    }
}

impl Subscriptions {
    fn any(&self) -> bool {
        self.by_kind.iter().any(|count| *count > 0)
    }

    fn kind(word: &[u8]) -> usize {
        match word.strip_prefix(b"un").unwrap_or(word) {
            b"psubscribe" | b"punsubscribe" => 1,
            b"ssubscribe" | b"sunsubscribe" => 2,
            _ => 0,
        }
    }

    fn of(&self, word: &[u8]) -> u64 {
        self.by_kind.get(Self::kind(word)).copied().unwrap_or_default()
    }

    /// `count`: how many there are now, as the server says.
    fn confirm(&mut self, word: &[u8], count: u64) {
        let kind = Self::kind(word);
        let Some(told) = self.told.get_mut(usize::from(kind == 2)) else { return };
        let before = std::mem::replace(told, count);
        let Some(own) = self.by_kind.get_mut(kind) else { return };
        match count.cmp(&before) {
            std::cmp::Ordering::Greater => *own += 1,
            std::cmp::Ordering::Less => *own = own.saturating_sub(1),
            std::cmp::Ordering::Equal => {}
        }
        if count == 0 && kind != 2 {
            let [channels, patterns, _] = &mut self.by_kind;
            (*channels, *patterns) = (0, 0);
        }
    }
}
