//! A reply as it goes by: whether it answers a command, and which.

use std::collections::VecDeque;

use super::action::{Observer, Pending};
use super::commands::Plan;
use crate::decode::resp::{Aggregate, Place, Token};
use crate::exchange::wire::Event;
use crate::exchange::wire::queues::Queues;

/// Longest first word of what comes out of band: `punsubscribe`.
const WORD_BYTES: usize = 12;

/// What may come without being asked for.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Shape {
    /// Messages of subscriptions, as arrays.
    pub(super) listens: bool,
    /// Likewise, maybe.
    pub(super) unsure: bool,
    /// Lines of `MONITOR`.
    pub(super) monitors: bool,
}

/// What a whole reply was.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Message {
    /// It answers the first command that waits.
    Answer,
    /// A subscription began or ended: the word for it, and how many there are.
    Subscription(Vec<u8>, u64),
    /// A message of a subscription.
    Heard,
    /// Something else that nothing asked for.
    Pushed,
}

/// A reply under way.
#[derive(Debug)]
pub(super) struct Answering {
    shape: Shape,
    observer: Observer,
    exec: bool,
    /// It is in the form of a message.
    told: bool,
    push: bool,
    monitored: bool,
    word: [u8; WORD_BYTES],
    word_length: usize,
    count: u64,
    /// The command of a transaction whose reply is at hand.
    inner: Option<(Pending, Observer)>,
}

impl Default for Answering {
    fn default() -> Self {
        Self::new(Shape::default(), None)
    }
}

impl Answering {
    /// The next reply; `front` is the first command that waits.
    pub(super) fn new(shape: Shape, front: Option<&Pending>) -> Self {
        Self {
            shape,
            observer: Observer::new(0, front),
            exec: front.is_some_and(|front| front.plan == Plan::Exec),
            told: false,
            push: false,
            monitored: false,
            word: [0; WORD_BYTES],
            word_length: 0,
            count: 0,
            inner: None,
        }
    }

    /// What the reply itself says.
    pub(super) fn observer(&self) -> &Observer {
        &self.observer
    }

    /// Takes a part of the reply. Those of `EXEC` are the replies of the transaction's commands.
    pub(super) fn token(
        &mut self,
        place: Place,
        token: Token<'_>,
        at_ns: u64,
        transaction: &mut Option<VecDeque<Pending>>,
        queues: &Queues,
        events: &mut Vec<Event>,
    ) {
        match (place.depth, token) {
            (0, Token::Open(kind, elements)) => {
                self.push = kind == Aggregate::Push;
                let message = kind == Aggregate::Array && (3..=4).contains(&elements);
                self.told = self.push || self.shape.listens || (self.shape.unsure && message);
                self.exec &= kind == Aggregate::Array;
            }
            (0, Token::Line(b'+', text)) => {
                self.monitored = self.shape.monitors && text.first().is_some_and(u8::is_ascii_digit);
            }
            (1, Token::Piece(bytes)) if self.told && place.index == 0 => self.keep(bytes),
            (1, Token::Line(b'+', text)) if self.told && place.index == 0 => self.keep(text),
            (1, Token::Line(b':', digits)) => {
                self.count = std::str::from_utf8(digits).ok().and_then(|digits| digits.parse().ok()).unwrap_or(0);
            }
            _ => {}
        }
        if self.exec && place.depth > 0 {
            self.inner(place, token, at_ns, transaction, queues, events);
        } else if !self.push {
            self.observer.token(place, token, at_ns, queues, events);
        }
    }

    /// What it was, when it is whole.
    pub(super) fn message(&self) -> Message {
        if self.monitored {
            return Message::Pushed;
        }
        let word = self.word.get(..self.word_length).unwrap_or_default();
        match word {
            _ if !self.told => Message::Answer,
            b"subscribe" | b"psubscribe" | b"ssubscribe" | b"unsubscribe" | b"punsubscribe" | b"sunsubscribe" => {
                Message::Subscription(word.to_vec(), self.count)
            }
            _ if self.push => Message::Pushed,
            b"message" | b"pmessage" | b"smessage" => Message::Heard,
            _ => Message::Answer,
        }
    }

    fn keep(&mut self, bytes: &[u8]) {
        let room = self.word.get_mut(self.word_length..).unwrap_or_default();
        room.iter_mut().zip(bytes).for_each(|(to, from)| *to = *from);
        // Longer than any of the words: none of them.
        self.word_length = self.word_length.saturating_add(bytes.len());
    }

    /// A part of the reply to `EXEC`.
    fn inner(
        &mut self,
        place: Place,
        token: Token<'_>,
        at_ns: u64,
        transaction: &mut Option<VecDeque<Pending>>,
        queues: &Queues,
        events: &mut Vec<Event>,
    ) {
        if self.inner.is_none() {
            let Some(pending) = transaction.as_mut().and_then(VecDeque::pop_front) else { return };
            let observer = Observer::new(1, Some(&pending));
            self.inner = Some((pending, observer));
        }
        let Some((_, observer)) = &mut self.inner else { return };
        observer.token(place, token, at_ns, queues, events);
        if place.depth == 1
            && token == Token::Ended
            && let Some((pending, observer)) = self.inner.take()
        {
            observer.finish(&pending, events);
            events.push(Event::Operation(pending.operation(observer.error, at_ns)));
        }
    }
}
