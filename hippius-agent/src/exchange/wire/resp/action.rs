//! What a command means for queues, and what its reply says about that.

use super::commands::Plan;
use super::errors;
use crate::decode::resp::{Aggregate, Place, Token};
use crate::exchange::wire::queues::{Item, ItemHasher, QueueId, Queues};
use crate::exchange::wire::{Event, Operation, System};

/// How the number in a reply is meant.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) enum Form {
    #[default]
    Any,
    /// `XREADGROUP` for entries that nobody has got yet.
    New,
    /// `ZADD CH`: changed members are in the number. `XREADGROUP`: entries that were delivered before.
    Changed,
}

/// What a command asks of queues.
#[derive(Debug, Default)]
pub(super) struct Action {
    pub(super) queue: Option<QueueId>,
    /// Where the item goes to.
    pub(super) other: Option<QueueId>,
    /// Number of items in the command.
    pub(super) items: u64,
    /// Those of them that are followed.
    pub(super) tracked: Vec<Item>,
    pub(super) form: Form,
    pub(super) sent_ns: u64,
}

/// A command that waits for its reply.
#[derive(Debug)]
pub(super) struct Pending {
    pub(super) operation: &'static str,
    pub(super) plan: Plan,
    pub(super) first_ns: u64,
    pub(super) request_bytes: u64,
    pub(super) response_bytes: u64,
    /// Words after the name.
    pub(super) words: u64,
    /// Confirmations of subscriptions to come, once the first has.
    pub(super) replies: Option<u64>,
    pub(super) action: Option<Box<Action>>,
}

impl Pending {
    /// The operation that its reply ends.
    pub(super) fn operation(&self, error: Option<&'static str>, at_ns: u64) -> Operation {
        Operation {
            system: System::Redis,
            operation: self.operation,
            duration_ns: at_ns.saturating_sub(self.first_ns),
            error,
            request_bytes: self.request_bytes,
            response_bytes: self.response_bytes,
        }
    }
}

/// What a text in a reply is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Part {
    Nothing,
    Key,
    Item,
    Error,
}

/// Reads one reply as it goes by.
#[derive(Debug)]
pub(super) struct Observer {
    base: usize,
    plan: Plan,
    queue: Option<QueueId>,
    other: Option<QueueId>,
    sent_ns: u64,
    part: Part,
    hasher: Option<ItemHasher>,
    hidden: bool,
    map: bool,
    word: [u8; 16],
    word_length: usize,
    /// What kind of error it is.
    pub(super) error: Option<&'static str>,
    /// Whether it is nothing.
    pub(super) null: bool,
    /// Whether it is `+QUEUED`.
    pub(super) queued: bool,
    integer: Option<i64>,
}

impl Observer {
    /// Of the reply at depth `base` to this command.
    pub(super) fn new(base: usize, pending: Option<&Pending>) -> Self {
        let action = pending.and_then(|pending| pending.action.as_deref());
        Self {
            base,
            plan: pending.filter(|_| action.is_some()).map_or(Plan::None, |pending| pending.plan),
            queue: action.and_then(|action| action.queue),
            other: action.and_then(|action| action.other),
            sent_ns: action.map_or(0, |action| action.sent_ns),
            part: Part::Nothing,
            hasher: None,
            hidden: false,
            map: false,
            word: [0; 16],
            word_length: 0,
            error: None,
            null: false,
            queued: false,
            integer: None,
        }
    }

    /// Takes a part of the reply.
    pub(super) fn token(
        &mut self,
        place: Place,
        token: Token<'_>,
        at_ns: u64,
        queues: &Queues,
        events: &mut Vec<Event>,
    ) {
        let Some(depth) = place.depth.checked_sub(self.base) else { return };
        match token {
            Token::Line(b'-', text) if depth == 0 => self.error = Some(errors::class(text)),
            Token::Line(b'+', text) if depth == 0 => self.queued = text == b"QUEUED",
            Token::Line(b':', digits) if depth == 0 => {
                self.integer = std::str::from_utf8(digits).ok().and_then(|digits| digits.parse().ok());
            }
            Token::Null if depth == 0 => self.null = true,
            Token::Open(kind, _) if depth == 0 => self.map = kind == Aggregate::Map,
            Token::Text(kind, _) => self.text_begins(depth, place.index, kind, queues),
            Token::Piece(bytes) => self.piece(bytes),
            Token::Hidden(_) => self.hidden = true,
            Token::Ended if self.part != Part::Nothing => self.text_ends(at_ns, queues, events),
            _ => {}
        }
    }

    /// What the whole reply means for what the command had in it.
    pub(super) fn finish(&self, pending: &Pending, events: &mut Vec<Event>) {
        let Some(action) = pending.action.as_deref().filter(|_| self.error.is_none()) else { return };
        let (Some(queue), Some(number)) = (action.queue, self.integer.and_then(|number| u64::try_from(number).ok()))
        else {
            return;
        };
        let tracked = action.tracked.iter().map(|item| Some(*item));
        match self.plan {
            Plan::Push if number > 0 => {
                events.extend(tracked.map(|item| Event::Pushed(queue, item, action.sent_ns)));
                rest(action, action.items, |count| Event::Enqueued(queue, count), events);
            }
            Plan::SortedAdd if number == action.items => {
                events.extend(tracked.map(|item| Event::Pushed(queue, item, action.sent_ns)));
                rest(action, number, |count| Event::Enqueued(queue, count), events);
            }
            // Which of them are new is not known.
            Plan::SortedAdd if number > 0 => events.push(Event::Enqueued(queue, number)),
            Plan::Remove if number == action.items => {
                events.extend(tracked.map(|item| Event::Popped(queue, item, action.sent_ns)));
                rest(action, number, |count| Event::Dequeued(queue, count), events);
            }
            Plan::RemoveValue if number == 1 && action.tracked.len() == 1 => {
                events.extend(tracked.map(|item| Event::Popped(queue, item, action.sent_ns)));
            }
            Plan::Remove | Plan::RemoveValue if number > 0 => events.push(Event::Dequeued(queue, number)),
            _ => {}
        }
    }

    fn text_begins(&mut self, depth: usize, index: u64, kind: u8, queues: &Queues) {
        self.part = if kind == b'!' && depth == 0 { Part::Error } else { self.part_at(depth, index) };
        self.hasher = matches!(self.part, Part::Key | Part::Item).then(|| queues.hasher());
        (self.hidden, self.word_length) = (false, 0);
    }

    /// Where keys and items stand in replies, in both versions of the protocol.
    fn part_at(&self, depth: usize, index: u64) -> Part {
        let is_item = match (self.plan, depth, index) {
            (Plan::KeyedPop, 1, 0) | (Plan::MultiPop | Plan::SortedMultiPop, 1, 0) => return Part::Key,
            (Plan::GroupRead, 1, index) if self.map && index % 2 == 0 => return Part::Key,
            (Plan::GroupRead, 2, 0) if !self.map => return Part::Key,
            (Plan::GroupRead, 3, 0) => self.map,
            (Plan::GroupRead, 4, 0) => !self.map,
            (Plan::StreamAdd | Plan::Move, 0, _) | (Plan::Pop, 0 | 1, _) => true,
            (Plan::SortedPop, 1, index) => index % 2 == 0,
            (Plan::SortedPop, 2, 0) | (Plan::KeyedPop, 1, 1) => true,
            (Plan::MultiPop, 2, _) | (Plan::SortedMultiPop, 3, 0) => true,
            _ => false,
        };
        if is_item && (self.queue.is_some() || self.other.is_some()) { Part::Item } else { Part::Nothing }
    }

    fn piece(&mut self, bytes: &[u8]) {
        match (self.part, &mut self.hasher) {
            (Part::Key | Part::Item, Some(hasher)) => hasher.add(bytes),
            (Part::Error, _) => {
                let room = self.word.get_mut(self.word_length..).unwrap_or_default();
                let count = room.len().min(bytes.len());
                room.iter_mut().zip(bytes).for_each(|(to, from)| *to = *from);
                self.word_length += count;
            }
            _ => {}
        }
    }

    fn text_ends(&mut self, at_ns: u64, queues: &Queues, events: &mut Vec<Event>) {
        let hash = self.hasher.take().filter(|_| !self.hidden).map(|hasher| hasher.finish());
        match std::mem::replace(&mut self.part, Part::Nothing) {
            Part::Nothing => {}
            Part::Error => self.error = Some(errors::class(self.word.get(..self.word_length).unwrap_or_default())),
            Part::Key => self.queue = hash.and_then(|hash| queues.find(hash)),
            Part::Item if self.plan == Plan::StreamAdd => {
                events.extend(self.queue.map(|queue| Event::Pushed(queue, hash, self.sent_ns)));
            }
            Part::Item => {
                events.extend(self.queue.map(|queue| Event::Popped(queue, hash, at_ns)));
                events.extend(self.other.map(|other| Event::Pushed(other, hash, at_ns)));
            }
        }
    }
}

/// Items beyond those that are followed.
fn rest(action: &Action, items: u64, event: impl Fn(u64) -> Event, events: &mut Vec<Event>) {
    let count = items.saturating_sub(action.tracked.len() as u64);
    if count > 0 {
        events.push(event(count));
    }
}
