//! The reply to `INFO`, read. Pure and bounded: whatever the bytes are, the result is small.
//!
//! Format: lines of `name:value` ended by CRLF, sections after `#`
//! (<https://redis.io/docs/latest/commands/info/>).

use super::fields;
use super::outline::{Line, Outline};
use std::cell::Cell;

/// Commands with their own series. Redis 8 has about 400 with sub-commands; modules add some.
const MOST_COMMANDS: usize = 800;
/// Errors with their own series: scripts can make up any.
pub const MOST_ERRORS: usize = 50;
const MOST_SLAVES: usize = 64;
const MOST_DATABASES: usize = 1024;
const MOST_FIELDS: usize = 1024;
/// Of Redis 7 and 8, about.
const ORDINARY_FIELDS: usize = 256;
const MOST_QUANTILES: usize = 8;

/// What `INFO` says.
#[derive(Debug, Default, PartialEq)]
pub struct Info<'a> {
    /// Those that are no list, in the order of the reply.
    pub fields: Vec<Field<'a>>,
    /// Where the field stands that was asked for last. Mostly the next one comes soon after it.
    cursor: Cell<usize>,
    /// The same for commands.
    command_cursor: Cell<usize>,
    /// From `cmdstat_…`.
    pub commands: Vec<Command<'a>>,
    /// From `errorstat_…`: the error's first word and how often it was given.
    pub errors: Vec<(&'a str, f64)>,
    /// From `latency_percentiles_usec_…`: command and quantiles in percent, as they are written, with microseconds.
    pub latencies: Vec<(&'a str, Vec<(&'a str, f64)>)>,
    /// From `slaveN`.
    pub slaves: Vec<Slave<'a>>,
    /// From `dbN`.
    pub databases: Vec<Database<'a>>,
}

/// A field that is no list.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Field<'a> {
    /// Its name.
    pub name: &'a str,
    /// Its text.
    pub value: &'a str,
    /// What it means.
    pub meaning: Meaning,
}

/// What a field means for the families.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Meaning {
    /// Places in [`FIELDS`](fields::FIELDS); mostly one, or none.
    pub places: &'static [usize],
    /// The number, where there is a place for it.
    pub number: Option<f64>,
}

/// How often a command ran, and for how long.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Command<'a> {
    /// Its name, sub-commands as `config|get`.
    pub name: &'a str,
    /// Calls.
    pub calls: f64,
    /// Microseconds in all.
    pub usec: f64,
    /// Calls that were refused before they ran (since Redis 6.2).
    pub rejected: Option<f64>,
    /// Calls that failed (since Redis 6.2).
    pub failed: Option<f64>,
}

/// A replica that is connected.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Slave<'a> {
    /// Address.
    pub ip: &'a str,
    /// Port.
    pub port: &'a str,
    /// `online`, `wait_bgsave`, `send_bulk`.
    pub state: &'a str,
    /// Bytes of the replication stream that it has acknowledged.
    pub offset: Option<f64>,
    /// Seconds since it last did so.
    pub lag: Option<f64>,
}

/// A database that is not empty.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Database<'a> {
    /// `db0`.
    pub name: &'a str,
    /// Keys.
    pub keys: f64,
    /// Keys that will expire.
    pub expires: f64,
    /// Their mean time to live, in milliseconds.
    pub avg_ttl_ms: Option<f64>,
}

impl<'a> Info<'a> {
    /// Reads a reply; lines that are not understood are left out. `None` where it is no reply to `INFO` at all.
    pub fn parse(text: &'a str) -> Option<Self> {
        Self::parse_like(text, &mut Outline::default())
    }

    /// The same, quicker where `outline` is that of a reply of the same server. Then it is that of this one.
    pub fn parse_like(text: &'a str, outline: &mut Outline) -> Option<Self> {
        let info = Self::parse_part_like(text, outline);
        info.field("redis_version").is_some().then_some(info)
    }

    /// Reads a reply that was asked for single sections.
    pub fn parse_part(text: &'a str) -> Self {
        Self::parse_part_like(text, &mut Outline::default())
    }

    /// The same with an outline.
    pub(super) fn parse_part_like(text: &'a str, outline: &mut Outline) -> Self {
        let mut info = Self { fields: Vec::with_capacity(ORDINARY_FIELDS), ..Self::default() };
        outline.read(text, |line, known| match known {
            Some(Line::Empty) => Line::Empty,
            Some(Line::Field { name, meaning }) => info.known_field(line, name, meaning),
            Some(Line::Other) | None => info.line(line),
        });
        info
    }

    /// The text of a field.
    pub fn text(&self, name: &str) -> &'a str {
        self.field(name).unwrap_or_default()
    }

    /// The number of a field; `ok` is 1 and `err` is 0.
    pub fn number(&self, name: &str) -> Option<f64> {
        number(self.field(name)?)
    }

    fn field(&self, name: &str) -> Option<&'a str> {
        find(&self.fields, &self.cursor, |field| field.name == name).map(|field| field.value)
    }

    /// The statistics of a command.
    pub fn command(&self, name: &str) -> Option<&Command<'a>> {
        find(&self.commands, &self.command_cursor, |command| command.name == name)
    }

    /// Reads a line, without its end.
    fn line(&mut self, line: &'a str) -> Line {
        let Some((name, value)) = cut(line, b':').filter(|_| !line.starts_with('#')) else { return Line::Empty };
        if let Some(command) = name.strip_prefix("cmdstat_") {
            push(&mut self.commands, MOST_COMMANDS, Command::parse(command, value));
        } else if let Some(error) = name.strip_prefix("errorstat_") {
            push(&mut self.errors, MOST_ERRORS, part(value, "count").and_then(number).map(|count| (error, count)));
        } else if let Some(command) = name.strip_prefix("latency_percentiles_usec_") {
            let quantiles = parts(value).filter_map(|(name, usec)| Some((name.strip_prefix('p')?, usec)));
            let quantiles = quantiles.filter_map(|(quantile, usec)| {
                number(quantile)?;
                Some((quantile, number(usec)?))
            });
            push(&mut self.latencies, MOST_COMMANDS, Some((command, quantiles.take(MOST_QUANTILES).collect())));
        } else if is_numbered(name, "slave") {
            push(&mut self.slaves, MOST_SLAVES, Slave::parse(value));
        } else if is_numbered(name, "db") {
            push(&mut self.databases, MOST_DATABASES, Database::parse(name, value));
        } else {
            let places = fields::places(name);
            let number = if places.is_empty() { None } else { number(value) };
            let meaning = Meaning { places, number };
            self.push_field(Field { name, value, meaning });
            return Line::Field { name: name.len(), meaning };
        }
        Line::Other
    }

    /// A line that is a field, whose name has this length, and means what it meant.
    fn known_field(&mut self, line: &'a str, name: usize, meaning: Meaning) -> Line {
        if let (Some(name), Some(value)) = (line.get(..name), line.get(name + 1..)) {
            self.push_field(Field { name, value, meaning });
        }
        Line::Field { name, meaning }
    }

    fn push_field(&mut self, field: Field<'a>) {
        if self.fields.len() < MOST_FIELDS {
            self.fields.push(field);
        }
    }
}

impl<'a> Command<'a> {
    /// There are dozens, each with the same few parts: they are gone through once.
    fn parse(name: &'a str, value: &str) -> Option<Self> {
        let (mut calls, mut usec, mut rejected, mut failed) = (None, None, None, None);
        for (key, value) in parts(value) {
            let place = match key {
                "calls" => &mut calls,
                "usec" => &mut usec,
                "rejected_calls" => &mut rejected,
                "failed_calls" => &mut failed,
                _ => continue,
            };
            *place = place.or_else(|| number(value));
        }
        Some(Self { name, calls: calls?, usec: usec?, rejected, failed })
    }
}

impl<'a> Slave<'a> {
    fn parse(value: &'a str) -> Option<Self> {
        let (ip, port, state) = (part(value, "ip")?, part(value, "port")?, part(value, "state")?);
        let field = |key| part(value, key).and_then(number);
        Some(Self { ip, port, state, offset: field("offset"), lag: field("lag") })
    }
}

impl<'a> Database<'a> {
    fn parse(name: &'a str, value: &str) -> Option<Self> {
        let field = |key| part(value, key).and_then(number);
        Some(Self { name, keys: field("keys")?, expires: field("expires")?, avg_ttl_ms: field("avg_ttl") })
    }
}

fn push<T>(list: &mut Vec<T>, most: usize, item: Option<T>) {
    if list.len() < most {
        list.extend(item);
    }
}

/// The first item that is meant at `cursor` or, in a circle, behind it. What is looked for next mostly comes soon.
fn find<'l, T>(list: &'l [T], cursor: &Cell<usize>, is_meant: impl Fn(&T) -> bool) -> Option<&'l T> {
    let (before, after) = list.split_at_checked(cursor.get())?;
    let found = after.iter().chain(before).position(is_meant)?;
    cursor.set((before.len() + found) % list.len());
    list.get(cursor.get())
}

/// The value of `key` in `a=1,b=2`.
fn part<'a>(list: &'a str, key: &str) -> Option<&'a str> {
    parts(list).find(|(name, _)| *name == key).map(|(_, value)| value)
}

/// `a` with `1` and `b` with `2` of `a=1,b=2`.
fn parts(list: &str) -> impl Iterator<Item = (&str, &str)> {
    list.split(',').filter_map(|part| part.split_once('='))
}

fn is_numbered(name: &str, word: &str) -> bool {
    let number = name.strip_prefix(word).unwrap_or_default();
    !number.is_empty() && number.bytes().all(|byte| byte.is_ascii_digit())
}

/// What stands before and behind the first `byte`, which is ASCII.
fn cut(text: &str, byte: u8) -> Option<(&str, &str)> {
    let at = memchr::memchr(byte, text.as_bytes())?;
    Some((text.get(..at)?, text.get(at + 1..)?))
}

/// A finite number as Redis writes it, or one of its words for yes and no.
pub fn number(text: &str) -> Option<f64> {
    if let Some(whole) = whole(text) {
        return Some(whole);
    }
    match text.trim() {
        "ok" => Some(1.0),
        "err" | "fail" => Some(0.0),
        text => {
            let plain = text.bytes().all(|byte| byte.is_ascii_digit() || matches!(byte, b'.' | b'-' | b'+' | b'e'));
            text.parse().ok().filter(|number: &f64| plain && number.is_finite())
        }
    }
}

/// A number of up to 15 digits and nothing else, which a float holds exactly: most of them are.
fn whole(text: &str) -> Option<f64> {
    if text.is_empty() || text.len() > 15 {
        return None;
    }
    let digits = text.bytes().map(|byte| byte.wrapping_sub(b'0'));
    let sum = digits.into_iter().try_fold(0, |sum: u64, digit| (digit < 10).then(|| sum * 10 + u64::from(digit)));
    sum.map(|sum| sum as f64)
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = "# Server\r\nredis_version:7.0.15\r\nos:Linux 6.1\r\n\r\n# Persistence\r\n\
        rdb_last_bgsave_status:ok\r\naof_last_write_status:err\r\nrdb_last_bgsave_time_sec:-1\r\n\
        # Commandstats\r\ncmdstat_client|setname:calls=2,usec=9,usec_per_call=4.50,rejected_calls=1,failed_calls=0\r\n\
        cmdstat_get:calls=1,usec=5,usec_per_call=5.00\r\ncmdstat_bad:calls=x,usec=5\r\n\
        # Errorstats\r\nerrorstat_WRONGTYPE:count=3\r\n# Latencystats\r\n\
        latency_percentiles_usec_get:p50=1.003,p99=2,p99.9=nan\r\n# Replication\r\n\
        slave0:ip=10.0.0.1,port=6379,state=online,offset=12,lag=0\r\nslave_read_only:1\r\n# Keyspace\r\n\
        db0:keys=10,expires=1,avg_ttl=500\r\n";

    #[test]
    fn a_reply_is_taken_apart() {
        let info = Info::parse(TEXT).expect("a reply");
        assert_eq!((info.text("os"), info.text("nothing")), ("Linux 6.1", ""));
        let statuses = ["rdb_last_bgsave_status", "aof_last_write_status", "rdb_last_bgsave_time_sec", "os"];
        assert_eq!(statuses.map(|name| info.number(name)), [Some(1.0), Some(0.0), Some(-1.0), None]);
        let set = Command { name: "client|setname", calls: 2.0, usec: 9.0, rejected: Some(1.0), failed: Some(0.0) };
        let get = Command { name: "get", calls: 1.0, usec: 5.0, rejected: None, failed: None };
        assert_eq!(info.commands, [set, get]);
        assert_eq!(info.errors, [("WRONGTYPE", 3.0)]);
        assert_eq!(info.latencies, [("get", vec![("50", 1.003), ("99", 2.0)])]);
        let slave = Slave { ip: "10.0.0.1", port: "6379", state: "online", offset: Some(12.0), lag: Some(0.0) };
        assert_eq!(info.slaves, [slave]);
        assert_eq!(info.databases, [Database { name: "db0", keys: 10.0, expires: 1.0, avg_ttl_ms: Some(500.0) }]);
        assert_eq!(info.number("slave_read_only"), Some(1.0));
    }

    #[test]
    fn numbers_are_what_the_standard_library_reads() {
        for text in ["0", "7", "-1", "+1", "0.25", "999999999999999", "1000000000000000", "18446744073709551615", "1e3"]
        {
            assert_eq!(number(text), text.parse().ok(), "{text}");
        }
        assert_eq!(["", " ", "x", "1x", ":", "/", "nan", "inf", "0x1", "1_0"].map(number), [None; 10]);
        assert_eq!([" 7 ", "ok", "err", "fail"].map(number), [Some(7.0), Some(1.0), Some(0.0), Some(0.0)]);
    }

    #[test]
    fn what_clients_can_make_up_is_bounded() {
        let errors: String = (0..1000).map(|index| format!("errorstat_E{index}:count=1\r\n")).collect();
        let text = format!("redis_version:7\r\n{errors}");
        assert_eq!(Info::parse(&text).expect("a reply").errors.len(), MOST_ERRORS);
        assert!(Info::parse("hello:world\r\n").is_none());
    }
}
