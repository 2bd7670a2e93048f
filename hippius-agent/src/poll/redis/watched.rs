//! Queues and single keys: what is asked about each, and what the answers mean.

use super::families as f;
use super::oldest::Bracket;
use super::profile;
use crate::config::RedisTarget;
use crate::config::queues::{Kind, queues};
use crate::poll::draft::Draft;
use redis::{Cmd, Value};

/// A key that is looked at in every poll.
#[derive(Debug)]
pub struct Watched {
    /// Database, where it is not the address's.
    pub db: Option<u16>,
    /// The key.
    pub key: Box<str>,
    /// What it is; learnt by `TYPE`, and again when it turned out to be something else.
    pub form: Option<Form>,
    /// Whether it is a queue, or a key whose size is shown.
    pub queue: bool,
    /// Whether an item of it may be read for its age.
    pub readable: bool,
    /// Where the lowest score of a sorted set was last time.
    pub bracket: Option<Bracket>,
    /// What the current poll has found.
    pub size: Option<i64>,
    /// Bytes in memory, likewise.
    pub memory: Option<i64>,
}

/// What a key holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Form {
    /// A list, sorted set or stream.
    Queue(Kind),
    /// A set.
    Set,
    /// A hash.
    Hash,
    /// A string.
    Text,
}

/// The keys of a target: the profile's queues, the configured queues, the configured keys.
pub fn of(config: &RedisTarget, home: i64) -> Vec<Watched> {
    let watched = |key: &str, form, queue, readable, db| Watched {
        db,
        key: key.into(),
        form,
        queue,
        readable,
        bracket: None,
        size: None,
        memory: None,
    };
    let known = queues(config.profile);
    let mut all: Vec<Watched> = known
        .iter()
        .map(|&(key, kind)| {
            let readable = profile::has_readable_age(config.profile, key, kind);
            watched(key, Some(Form::Queue(kind)), true, readable, None)
        })
        .collect();
    for key in config.queues.iter().filter(|key| known.iter().all(|(name, _)| *name != &***key)) {
        all.push(watched(key, None, true, false, None));
    }
    for key in &config.keys {
        let db = (i64::from(key.db) != home).then_some(key.db);
        all.push(watched(&key.key, None, false, false, db));
    }
    all
}

impl Watched {
    /// What to ask first: the size where the form is known, else the type.
    pub fn question(&self) -> Cmd {
        match self.form {
            Some(form) => self.size_question(form),
            None => command("TYPE", &self.key),
        }
    }

    /// Takes the answer to [`question`](Self::question). True where the type is known now and the size is to be asked.
    pub fn answer(&mut self, answer: &Value) -> bool {
        match (self.form, answer) {
            (Some(_), Value::Int(size)) => self.size = Some(*size),
            // Another kind of key has come in its place; the next poll asks what it is.
            (Some(_), Value::ServerError(error)) if error.code() == "WRONGTYPE" => self.form = None,
            (None, Value::SimpleString(name)) if name == "none" => self.size = Some(0),
            (None, Value::SimpleString(name)) => {
                self.form = form(name);
                return self.form.is_some();
            }
            _ => {}
        }
        false
    }

    fn size_question(&self, form: Form) -> Cmd {
        let name = match form {
            Form::Queue(Kind::List) => "LLEN",
            Form::Queue(Kind::SortedSet) => "ZCARD",
            Form::Queue(Kind::Stream) => "XLEN",
            Form::Set => "SCARD",
            Form::Hash => "HLEN",
            Form::Text => "STRLEN",
        };
        command(name, &self.key)
    }

    /// Bytes that the key takes.
    pub fn memory_question(&self) -> Cmd {
        let mut command = redis::cmd("MEMORY");
        command.arg("USAGE").arg(&*self.key);
        command
    }

    /// Adds what the poll has found, and forgets it.
    pub fn add(&mut self, out: &mut Draft, home: i64) {
        let (size, memory) = (self.size.take(), self.memory.take());
        if self.queue {
            if let Some(size) = size {
                out.add(&f::QUEUE_LENGTH, &[&self.key], size as f64);
                out.add(&f::HIPPIUS_QUEUE_LENGTH, &[&self.key], size as f64);
            }
            return;
        }
        let db = format!("db{}", self.db.map_or(home, i64::from));
        for (family, value) in [(&f::KEY_SIZE, size), (&f::KEY_MEMORY, memory)] {
            if let Some(value) = value {
                out.add(family, &[&db, &self.key], value as f64);
            }
        }
    }
}

fn command(name: &str, key: &str) -> Cmd {
    let mut command = redis::cmd(name);
    command.arg(key);
    command
}

fn form(name: &str) -> Option<Form> {
    match name {
        "list" => Some(Form::Queue(Kind::List)),
        "zset" => Some(Form::Queue(Kind::SortedSet)),
        "stream" => Some(Form::Queue(Kind::Stream)),
        "set" => Some(Form::Set),
        "hash" => Some(Form::Hash),
        "string" => Some(Form::Text),
        // Types of modules have no size that could be asked.
        _ => None,
    }
}
