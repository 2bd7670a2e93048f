//! A command as it goes by: its name, and the words that queues and the connection need.

use super::action::{Action, Form, Pending};
use super::commands::{Command, OTHER, Plan};
use crate::decode::resp::{Aggregate, Place, Token};
use crate::exchange::wire::queues::{Item, ItemHasher, Queues};
use crate::exchange::wire::{MAX_TRACKED_ITEMS, Times};

/// Longest word that is looked at as text, in bytes: names of commands and options.
const WORD_BYTES: usize = 24;

/// Whether the server answers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Reply {
    On,
    Off,
    /// `CLIENT REPLY SKIP`: neither it nor the next command.
    Skip,
}

/// A whole command.
pub(super) struct Asked {
    pub(super) pending: Pending,
    /// What it says about replies.
    pub(super) reply: Option<Reply>,
    /// It came in a line of its own, without framing.
    pub(super) inline: bool,
}

/// A command under way.
#[derive(Debug)]
pub(super) struct Asking {
    times: Option<Times>,
    inline: bool,
    bytes: u64,
    words: u64,
    command: &'static Command,
    word: Word,
    draft: Draft,
    malformed: bool,
}

/// What is wanted of a word.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Want {
    Nothing,
    Text,
    Key,
    Item,
}

#[derive(Debug)]
struct Word {
    want: Want,
    text: [u8; WORD_BYTES],
    length: usize,
    hidden: bool,
    hasher: Option<ItemHasher>,
}

/// What the words have said so far.
#[derive(Debug, Default)]
struct Draft {
    action: Action,
    /// Where the score of `ZADD`, or the first key after `STREAMS`, stands.
    from: Option<u64>,
    /// Value of the option before: not an option itself.
    skip: bool,
    blocks: bool,
    reply: Option<Reply>,
    client_reply: bool,
    /// The words were not all seen or cannot be told apart.
    vague: bool,
}

impl Default for Asking {
    fn default() -> Self {
        let word = Word { want: Want::Nothing, text: [0; WORD_BYTES], length: 0, hidden: false, hasher: None };
        Self {
            times: None,
            inline: false,
            bytes: 0,
            words: 0,
            command: &OTHER,
            word,
            draft: Draft::default(),
            malformed: false,
        }
    }
}

impl Asking {
    /// Bytes of the command went by.
    pub(super) fn moved(&mut self, bytes: u64, times: Times) {
        self.times.get_or_insert(times).last_ns = times.last_ns;
        self.bytes += bytes;
    }

    /// When the bytes so far went by.
    pub(super) fn times(&self) -> Times {
        self.times.unwrap_or(Times { first_ns: 0, last_ns: 0 })
    }

    pub(super) fn hidden(&mut self, bytes: u64) {
        self.bytes += bytes;
    }

    /// Whether something stood in it that no command has.
    pub(super) fn is_malformed(&self) -> bool {
        self.malformed
    }

    /// Takes a part of the command.
    pub(super) fn token(&mut self, place: Place, token: Token<'_>, queues: &Queues) {
        match (place.depth, token) {
            (0, Token::Open(Aggregate::Array, words)) => self.words = words,
            (1, Token::Text(b'$', _)) => self.word_begins(place.index, queues),
            (1, Token::Piece(bytes)) => self.word.add(bytes),
            (1, Token::Hidden(_)) => self.word.hidden = true,
            (1, Token::Ended) => self.word_ends(place.index, queues),
            (0, Token::Inline(line, whole)) => self.inline(line, whole, queues),
            // `*-1` and `*0` are no command.
            (0, Token::Ended | Token::Null) => {}
            _ => self.malformed = true,
        }
    }

    /// The whole command, if it was one. Ready for the next.
    pub(super) fn finish(&mut self, times: Times) -> Option<Asked> {
        let first_ns = self.times.unwrap_or(times).first_ns;
        let Self { bytes, words, command, draft, inline, .. } = std::mem::take(self);
        if words == 0 {
            return None;
        }
        let operation = if draft.blocks { command.blocking_name() } else { command.name };
        let mut action = draft.action;
        action.sent_ns = times.last_ns;
        let plan = if draft.vague { Plan::None } else { command.plan };
        // What the reply means for queues is only looked at where it may mean something.
        let wanted = match plan {
            Plan::Push | Plan::SortedAdd | Plan::StreamAdd | Plan::Pop | Plan::SortedPop => action.queue.is_some(),
            Plan::Remove | Plan::RemoveValue => action.queue.is_some(),
            Plan::Move => action.queue.is_some() || action.other.is_some(),
            Plan::KeyedPop | Plan::MultiPop | Plan::SortedMultiPop => true,
            Plan::GroupRead => action.form == Form::New,
            _ => false,
        };
        let pending = Pending {
            operation,
            plan: command.plan,
            first_ns,
            request_bytes: bytes,
            response_bytes: 0,
            words: words - 1,
            replies: None,
            action: wanted.then(|| Box::new(action)),
        };
        Some(Asked { pending, reply: draft.reply, inline })
    }

    fn inline(&mut self, line: &[u8], whole: bool, queues: &Queues) {
        let words = line.split(u8::is_ascii_whitespace).filter(|word| !word.is_empty());
        self.words = words.clone().count() as u64;
        self.inline = true;
        for (word, index) in words.zip(0..) {
            self.word_begins(index, queues);
            self.word.add(word);
            self.word_ends(index, queues);
        }
        // Quotes may hold white space.
        self.draft.vague |= !whole || line.contains(&b'"') || line.contains(&b'\'');
    }

    fn word_begins(&mut self, index: u64, queues: &Queues) {
        let want = self.want(index, queues);
        let hasher = matches!(want, Want::Key | Want::Item).then(|| queues.hasher());
        self.word = Word { want, text: [0; WORD_BYTES], length: 0, hidden: false, hasher };
    }

    fn want(&self, index: u64, queues: &Queues) -> Want {
        if index == 0 {
            return Want::Text;
        }
        let (known, room) = (self.draft.action.queue.is_some(), self.draft.action.tracked.len() < MAX_TRACKED_ITEMS);
        let item = if known && room { Want::Item } else { Want::Nothing };
        match (self.command.plan, index) {
            (Plan::Client, 1 | 2) | (Plan::StreamRead | Plan::GroupRead, _) => Want::Text,
            _ if queues.is_empty() => Want::Nothing,
            (Plan::Move, 1 | 2) => Want::Key,
            (Plan::Push | Plan::SortedAdd | Plan::StreamAdd | Plan::Pop | Plan::SortedPop, 1) => Want::Key,
            (Plan::Remove | Plan::RemoveValue, 1) => Want::Key,
            (Plan::Push | Plan::Remove, _) | (Plan::RemoveValue, 3) => item,
            (Plan::SortedAdd, _) => match self.draft.from {
                None if known => Want::Text,
                Some(from) if (index - from) % 2 == 1 => item,
                _ => Want::Nothing,
            },
            _ => Want::Nothing,
        }
    }

    fn word_ends(&mut self, index: u64, queues: &Queues) {
        let word = &self.word;
        let hash = word.hasher.as_ref().filter(|_| !word.hidden).map(ItemHasher::finish);
        match word.want {
            Want::Nothing => {}
            Want::Text if index == 0 => self.command = word.text().and_then(Command::find).unwrap_or(&OTHER),
            Want::Text => self.option(index),
            Want::Key => self.key(index, hash, queues),
            Want::Item => self.draft.action.tracked.extend(hash),
        }
        if self.command.plan == Plan::Push && index > 1 {
            self.draft.action.items += 1;
        }
        if self.command.plan == Plan::Remove && index > 1 {
            self.draft.action.items += 1;
        }
    }

    fn key(&mut self, index: u64, hash: Option<Item>, queues: &Queues) {
        // A key that was not seen may be that of a queue.
        let queue = hash.and_then(|hash| queues.find(hash));
        if index == 1 {
            self.draft.action.queue = queue;
        } else {
            self.draft.action.other = queue;
        }
    }

    /// Options of `ZADD`, `XREAD`, `XREADGROUP` and `CLIENT REPLY`.
    fn option(&mut self, index: u64) {
        let Some(text) = self.word.text() else {
            if matches!(self.command.plan, Plan::SortedAdd) && self.draft.from.is_none() {
                // A number of more digits than that is a score.
                self.draft.from = Some(index);
            }
            return;
        };
        let is = |option: &str| text.eq_ignore_ascii_case(option.as_bytes());
        let draft = &mut self.draft;
        match self.command.plan {
            Plan::SortedAdd if is("CH") => draft.action.form = Form::Changed,
            Plan::SortedAdd if is("INCR") => draft.vague = true,
            Plan::SortedAdd if ["NX", "XX", "GT", "LT"].iter().any(|option| is(option)) => {}
            Plan::SortedAdd => {
                draft.from = Some(index);
                draft.action.items = self.words.saturating_sub(index) / 2;
            }
            Plan::Client if index == 1 => draft.client_reply = is("REPLY"),
            Plan::Client if draft.client_reply => {
                draft.reply = [("ON", Reply::On), ("OFF", Reply::Off), ("SKIP", Reply::Skip)]
                    .into_iter()
                    .find_map(|(word, reply)| is(word).then_some(reply));
            }
            Plan::StreamRead | Plan::GroupRead => {
                let options = if self.command.plan == Plan::GroupRead { 4 } else { 1 };
                match draft.from {
                    Some(from) if index >= from + (self.words - from) / 2 => {
                        // Another id reads again what was delivered before.
                        draft.action.form = match draft.action.form {
                            Form::Any | Form::New if text == b">" => Form::New,
                            _ => Form::Changed,
                        };
                    }
                    Some(_) => {}
                    None if index < options || std::mem::take(&mut draft.skip) => {}
                    None if is("STREAMS") => draft.from = Some(index + 1),
                    None => {
                        draft.blocks |= is("BLOCK");
                        draft.skip = ["BLOCK", "COUNT", "CLAIM"].iter().any(|option| is(option));
                    }
                }
            }
            _ => {}
        }
    }
}

impl Word {
    fn add(&mut self, bytes: &[u8]) {
        match self.want {
            Want::Nothing => {}
            Want::Text => {
                let room = self.text.get_mut(self.length..).unwrap_or_default();
                room.iter_mut().zip(bytes).for_each(|(to, from)| *to = *from);
                self.length = self.length.saturating_add(bytes.len());
            }
            Want::Key | Want::Item => {
                if let Some(hasher) = &mut self.hasher {
                    hasher.add(bytes);
                }
            }
        }
    }

    /// All of it, if it is short enough.
    fn text(&self) -> Option<&[u8]> {
        self.text.get(..self.length).filter(|_| !self.hidden)
    }
}
