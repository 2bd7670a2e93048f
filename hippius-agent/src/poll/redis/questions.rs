//! The commands of one poll, sent together, and their answers.

use super::families as f;
use super::info::Info;
use super::link::Link;
use super::watched::Watched;
use super::{refused, values};
use crate::poll::draft::Draft;
use crate::poll::source::Reason;
use redis::{Cmd, Pipeline, Value};

/// All answers of a poll together. `INFO ALL` takes 7 KB on an ordinary server, 100 KB with many commands and replicas.
const MOST_BYTES: u64 = 2 * 1024 * 1024;
const MOST_EVENTS: usize = 64;

/// Questions that a server may not know or not allow; one that was refused is not asked again on this connection.
#[derive(Debug, Default)]
pub struct Extras {
    refused: Vec<What>,
    /// Whether the settings are to be asked.
    pub config_due: bool,
    /// Since Redis 7 `CONFIG GET` takes several names.
    since_7: bool,
    cluster: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum What {
    Info,
    SlowlogLength,
    SlowlogNewest,
    Latency,
    Config,
    Cluster,
    Watched(usize),
    Memory(usize),
    /// Goes to another database and back; nothing is read from the answer.
    Select,
}

impl What {
    /// One refusal speaks for all keys.
    fn family(self) -> Self {
        if let Self::Memory(_) = self { Self::Memory(0) } else { self }
    }
}

/// What came back, apart from what the watched keys keep themselves.
#[derive(Debug, Default)]
pub struct Answers {
    /// The reply to `INFO ALL`.
    pub info: Vec<u8>,
    /// Whether the settings were asked for, and what they are; none where that is not allowed.
    pub config_asked: bool,
    /// Name and value.
    pub config: Vec<(String, String)>,
    cluster: Option<String>,
    slowlog_length: Option<i64>,
    /// Number and microseconds of the newest entry.
    slowlog_newest: Option<(i64, i64)>,
    /// Name, time in seconds since 1970 and milliseconds of the last spike.
    spikes: Vec<(String, i64, i64)>,
}

impl Extras {
    /// What is worth asking from the next poll on.
    pub fn learn(&mut self, info: &Info<'_>) {
        self.cluster = info.number("cluster_enabled") == Some(1.0);
        let major = info.text("redis_version").split('.').next().and_then(|major| major.parse::<u32>().ok());
        self.since_7 = major.is_some_and(|major| major >= 7);
    }

    fn asks(&self, what: What) -> bool {
        !self.refused.contains(&what.family())
    }
}

#[derive(Default)]
struct Sheet {
    pipeline: Pipeline,
    questions: Vec<What>,
}

impl Sheet {
    fn add(&mut self, what: What, command: Cmd) {
        self.pipeline.add_command(command);
        self.questions.push(what);
    }

    /// A question about a key, in its database.
    fn add_at(&mut self, db: Option<u16>, home: i64, questions: impl IntoIterator<Item = (What, Cmd)>) {
        if let Some(db) = db {
            self.add(What::Select, words(&["SELECT", &db.to_string()]));
        }
        for (what, command) in questions {
            self.add(what, command);
        }
        if db.is_some() {
            self.add(What::Select, words(&["SELECT", &home.to_string()]));
        }
    }
}

/// Asks everything. Types that were not known are asked first, and what depends on them in a second round trip.
pub async fn ask(link: &mut Link, extras: &mut Extras, watched: &mut [Watched]) -> Result<Answers, Reason> {
    let home = link.db();
    let mut sheet = Sheet::default();
    sheet.add(What::Info, words(&["INFO", "ALL"]));
    for (what, text) in [
        (What::SlowlogLength, &["SLOWLOG", "LEN"][..]),
        (What::SlowlogNewest, &["SLOWLOG", "GET", "1"]),
        (What::Latency, &["LATENCY", "LATEST"]),
        (What::Config, &["CONFIG", "GET", "maxclients", "maxmemory", "databases"]),
        (What::Cluster, &["CLUSTER", "INFO"]),
    ] {
        let wanted = match what {
            What::Config => extras.config_due && extras.since_7,
            What::Cluster => extras.cluster,
            _ => true,
        };
        if wanted && extras.asks(what) {
            sheet.add(what, words(text));
        }
    }
    for (index, key) in watched.iter().enumerate() {
        let memory = (!key.queue && extras.asks(What::Memory(0))).then(|| (What::Memory(index), key.memory_question()));
        sheet.add_at(key.db, home, [(What::Watched(index), key.question())].into_iter().chain(memory));
    }
    let mut answers = Answers::default();
    let mut learnt = Vec::new();
    for (what, answer) in send(link, sheet).await? {
        if answers.take(what, answer, extras, watched)? {
            learnt.push(what);
        }
    }
    if !learnt.is_empty() {
        let mut sheet = Sheet::default();
        for what in learnt {
            if let What::Watched(index) = what
                && let Some(key) = watched.get(index)
            {
                sheet.add_at(key.db, home, [(what, key.question())]);
            }
        }
        for (what, answer) in send(link, sheet).await? {
            answers.take(what, answer, extras, watched)?;
        }
    }
    Ok(answers)
}

async fn send(link: &mut Link, sheet: Sheet) -> Result<impl Iterator<Item = (What, Value)>, Reason> {
    let answers = link.ask(&sheet.pipeline, MOST_BYTES).await?;
    Ok(sheet.questions.into_iter().zip(answers))
}

fn words(words: &[&str]) -> Cmd {
    let mut command = Cmd::new();
    for word in words {
        command.arg(*word);
    }
    command
}

impl Answers {
    /// True where a type was learnt and the size is to be asked.
    fn take(
        &mut self,
        what: What,
        answer: Value,
        extras: &mut Extras,
        watched: &mut [Watched],
    ) -> Result<bool, Reason> {
        if let Value::ServerError(error) = &answer {
            match what {
                What::Info | What::Select => return Err(refused(error)),
                What::Watched(_) => {}
                // Not known or not allowed; MEMORY USAGE of a key of another slot, for one, is only out of place.
                _ if matches!(error.code(), "NOPERM" | "ERR") => extras.refused.push(what.family()),
                _ => {}
            }
        }
        match (what, answer) {
            (What::Info, Value::BulkString(text)) => self.info = text,
            (What::Info, _) => return Err(Reason::Malformed),
            (What::SlowlogLength, Value::Int(length)) => self.slowlog_length = Some(length),
            (What::SlowlogNewest, Value::Array(entries)) => {
                self.slowlog_newest = Some(entries.first().map_or((0, 0), newest));
            }
            (What::Latency, Value::Array(events)) => {
                self.spikes = events.iter().take(MOST_EVENTS).filter_map(spike).collect();
            }
            (What::Config, answer) => {
                self.config_asked = true;
                self.config = pairs(answer);
            }
            (What::Cluster, Value::BulkString(text)) => {
                self.cluster = Some(String::from_utf8_lossy(&text).into_owned());
            }
            (What::Watched(index), answer) => {
                return Ok(watched.get_mut(index).is_some_and(|key| key.answer(&answer)));
            }
            (What::Memory(index), Value::Int(bytes)) => {
                if let Some(key) = watched.get_mut(index) {
                    key.memory = Some(bytes);
                }
            }
            _ => {}
        }
        Ok(false)
    }

    /// Adds everything but `INFO` and the settings.
    pub fn add(&self, out: &mut Draft) {
        if let Some(length) = self.slowlog_length {
            out.add(&f::SLOWLOG_LENGTH, &[], length as f64);
        }
        if let Some((id, usec)) = self.slowlog_newest {
            out.add(&f::SLOWLOG_LAST_ID, &[], id as f64);
            out.add(&f::SLOWLOG_LAST_DURATION, &[], usec as f64 / 1e6);
        }
        for (event, at_s, ms) in &self.spikes {
            out.add(&f::SPIKE_LAST, &[event], *at_s as f64);
            out.add(&f::SPIKE_DURATION, &[event], *ms as f64 / 1e3);
        }
        if let Some(text) = &self.cluster {
            values::add_cluster(out, text);
        }
    }
}

/// Number and duration of an entry of the slow log; what it was about is not looked at.
fn newest(entry: &Value) -> (i64, i64) {
    match entry {
        Value::Array(parts) => match &**parts {
            [Value::Int(id), Value::Int(_), Value::Int(usec), ..] => (*id, *usec),
            _ => (0, 0),
        },
        _ => (0, 0),
    }
}

fn spike(event: &Value) -> Option<(String, i64, i64)> {
    let Value::Array(parts) = event else { return None };
    let [Value::BulkString(name), Value::Int(at_s), Value::Int(ms), ..] = &**parts else { return None };
    Some((String::from_utf8_lossy(name).into_owned(), *at_s, *ms))
}

fn pairs(answer: Value) -> Vec<(String, String)> {
    let Value::Array(words) = answer else { return Vec::new() };
    let text = |value: &Value| match value {
        Value::BulkString(text) => Some(String::from_utf8_lossy(text).into_owned()),
        _ => None,
    };
    words.chunks_exact(2).filter_map(|pair| Some((text(pair.first()?)?, text(pair.get(1)?)?))).collect()
}
