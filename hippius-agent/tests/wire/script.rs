//! A connection as a list of calls, and what is told about it as text.

use hippius_agent::exchange::wire::queues::{Item, Queues};
use hippius_agent::exchange::wire::{Event, Session, Times};

pub const MS: u64 = 1_000_000;

/// Names of queues, so that hashes can be told apart by what they were made of.
pub const QUEUES: [&str; 3] = ["jobs", "retries", "events"];

pub struct Wire {
    pub session: Session,
    pub queues: Queues,
    pub events: Vec<Event>,
    sent: u64,
    received: u64,
    pub now_ns: u64,
}

impl Wire {
    pub fn new() -> Self {
        Self::with(Session::default())
    }

    pub fn with(session: Session) -> Self {
        let mut queues = Queues::with_keys(&[5; 32]);
        queues.configure(QUEUES);
        Self { session, queues, events: Vec::new(), sent: 0, received: 0, now_ns: 0 }
    }

    /// A call that sends, 1 ms after the one before.
    pub fn sends(&mut self, bytes: impl AsRef<[u8]>) -> &mut Self {
        let bytes = bytes.as_ref();
        let times = self.tick();
        self.session.request(self.sent, bytes, times, &self.queues, &mut self.events);
        self.sent += bytes.len() as u64;
        self
    }

    pub fn receives(&mut self, bytes: impl AsRef<[u8]>) -> &mut Self {
        let bytes = bytes.as_ref();
        let times = self.tick();
        self.session.response(self.received, bytes, times, &self.queues, &mut self.events);
        self.received += bytes.len() as u64;
        self
    }

    /// Bytes that were sent and not seen.
    pub fn sends_unseen(&mut self, bytes: u64) -> &mut Self {
        self.sent += bytes;
        self
    }

    pub fn receives_unseen(&mut self, bytes: u64) -> &mut Self {
        self.received += bytes;
        self
    }

    pub fn waits_ms(&mut self, ms: u64) -> &mut Self {
        self.now_ns += ms * MS;
        self
    }

    pub fn closes(&mut self) -> &mut Self {
        self.session.moved(self.sent, self.received, &self.queues, &mut self.events);
        self.session.close(&mut self.events);
        self
    }

    pub fn moved(&self) -> [u64; 2] {
        [self.sent, self.received]
    }

    /// What was told since the last time, one word for each.
    pub fn told(&mut self) -> Vec<String> {
        let events = std::mem::take(&mut self.events);
        events.iter().map(|event| self.text(event)).collect()
    }

    fn tick(&mut self) -> Times {
        self.now_ns += MS;
        Times { first_ns: self.now_ns, last_ns: self.now_ns }
    }

    fn text(&self, event: &Event) -> String {
        let queue = |id: u16| self.queues.name(id).expect("a queue").to_string();
        let item = |item: Option<Item>| {
            let named = |item| {
                let known = ["a", "b", "c", "1-1", "1-2", "big"];
                known.into_iter().find(|text| self.queues.item(text.as_bytes()) == item).unwrap_or("?")
            };
            item.map_or("unseen", named)
        };
        match *event {
            Event::Operation(operation) => {
                let error = operation.error.map(|error| format!("!{error}")).unwrap_or_default();
                format!("{}{error} {}ms", operation.operation, operation.duration_ns / MS)
            }
            Event::Unanswered(_, operation) => format!("{operation} unanswered"),
            Event::Silent(operation) => format!("{operation} silent"),
            Event::Pushed(id, what, _) => format!("{}+{}", queue(id), item(what)),
            Event::Enqueued(id, count) => format!("{}+{count}", queue(id)),
            Event::Popped(id, what, _) => format!("{}-{}", queue(id), item(what)),
            Event::Dequeued(id, count) => format!("{}-{count}", queue(id)),
            Event::Lost(reason, pending) => format!("lost {} {pending}", reason.name()),
        }
    }
}

/// A command as clients frame it.
pub fn command(words: &str) -> Vec<u8> {
    let words: Vec<&str> = words.split(' ').collect();
    let mut bytes = format!("*{}\r\n", words.len());
    for word in words {
        bytes += &format!("${}\r\n{word}\r\n", word.len());
    }
    bytes.into_bytes()
}

/// A reply: `[a [b c] :1 nil]` with texts as bulk strings and everything else by its first character.
pub fn reply(text: &str) -> Vec<u8> {
    let text = text.replace('[', " [ ").replace(']', " ] ");
    let mut words = text.split_whitespace();
    let mut all = Vec::new();
    while let Some(word) = words.next() {
        all.extend(value(word, &mut words));
    }
    all
}

fn value<'a>(word: &str, words: &mut impl Iterator<Item = &'a str>) -> Vec<u8> {
    match word.chars().next() {
        // `>[…]` would be split: a push is `> [ … ]`.
        Some('>' | '%') => {
            let kind = word.as_bytes()[0];
            let opening = words.next().expect("[");
            let mut inner = value(opening, words);
            if kind == b'%' {
                let text = String::from_utf8(inner).expect("text");
                let (head, rest) = text[1..].split_once("\r\n").expect("a head");
                return format!("%{}\r\n{rest}", head.parse::<usize>().expect("a number") / 2).into_bytes();
            }
            inner[0] = kind;
            inner
        }
        Some('[') => {
            let (mut count, mut bytes) = (0, Vec::new());
            loop {
                let next = words.next().expect("]");
                if next == "]" {
                    break;
                }
                bytes.extend(value(next, words));
                count += 1;
            }
            [format!("*{count}\r\n").into_bytes(), bytes].concat()
        }
        Some('+' | '-' | ':' | ',' | '#' | '_') => format!("{}\r\n", word.replace('~', " ")).into_bytes(),
        _ if word == "nil" => b"$-1\r\n".to_vec(),
        _ if word == "none" => b"*-1\r\n".to_vec(),
        _ => format!("${}\r\n{word}\r\n", word.len()).into_bytes(),
    }
}

/// A message of PostgreSQL.
pub fn message(kind: char, content: impl AsRef<[u8]>) -> Vec<u8> {
    let content = content.as_ref();
    let length = (content.len() as u32 + 4).to_be_bytes();
    [&[kind as u8], &length[..], content].concat()
}
