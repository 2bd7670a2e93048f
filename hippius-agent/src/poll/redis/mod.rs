//! Redis servers.
//!
//! A poll is one `INFO ALL` and a handful of constant-time commands, sent together ([`questions`]); counting keys is a
//! task of its own with its own connection ([`sweep`]). Only the commands of [`COMMANDS`] are ever sent; `KEYS`,
//! `MONITOR` and `CONFIG GET *` are not among them, and no value is read that could hold a secret.

pub mod fields;
pub mod glob;
pub mod info;
pub mod oldest;
pub mod probe;

mod ages;
mod families;
mod link;
mod outline;
mod profile;
mod questions;
mod step;
mod sweep;
mod values;
mod watched;

use self::families as f;
use super::draft::Draft;
use super::family::Spec;
use super::source::{Reason, Source, Status};
use crate::config::RedisTarget;
use crate::version;
use info::Info;
use link::{Link, refusal};
use outline::Outline;
use questions::{Answers, Extras};
use std::borrow::Cow;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};
use tokio::task::AbortHandle;
use watched::Watched;

/// Every command that polls and sweeps send, as an ACL rule names it. `AUTH` needs no right, `SELECT` is sent where the
/// address names a database, `GET` only for `account_credits`, `LINDEX` only in the profile `hippius-2026`.
pub const COMMANDS: &[&str] = &[
    "info",
    "slowlog|len",
    "slowlog|get",
    "latency|latest",
    "config|get",
    "cluster|info",
    "type",
    "llen",
    "zcard",
    "zcount",
    "xlen",
    "scard",
    "hlen",
    "strlen",
    "memory|usage",
    "lindex",
    "dbsize",
    "scan",
    "get",
    "select",
];

/// `CONFIG GET` of three settings changes rarely and takes longer than the rest.
const CONFIG_INTERVAL: Duration = Duration::from_secs(300);

/// All families of a Redis server.
pub fn families() -> impl Iterator<Item = &'static Spec> {
    f::ALL.iter().copied().chain(fields::FIELDS.iter().map(|field| &field.spec))
}

/// One Redis server.
pub struct Redis {
    link: Link,
    watched: Vec<Watched>,
    extras: Extras,
    outline: Outline,
    settings: Option<Settings>,
    /// Start of the server by its run id: computed once, so that it does not waver by a second.
    started: Option<(String, f64)>,
    sweep_interval: Duration,
    results: sweep::Results,
    /// Waits for the first poll: tasks start in the runtime.
    sweeper: Option<RedisTarget>,
    sweeping: Option<Sweeping>,
}

/// What `CONFIG GET` has told.
#[derive(Debug, Clone, Copy, Default)]
struct Settings {
    asked: Option<Instant>,
    maxclients: Option<f64>,
    maxmemory: Option<f64>,
    databases: Option<u64>,
}

/// Ends the sweeping task with its target.
struct Sweeping(AbortHandle);

impl Drop for Sweeping {
    fn drop(&mut self) {
        self.0.abort();
    }
}

impl Redis {
    /// Nothing is connected to yet.
    pub fn new(config: &RedisTarget) -> Self {
        let link = Link::new(config);
        Self {
            watched: watched::of(config, link.db()),
            link,
            extras: Extras::default(),
            outline: Outline::default(),
            settings: None,
            started: None,
            sweep_interval: config.sweep.interval,
            results: sweep::Results::default(),
            sweeper: sweep::is_wanted(config).then(|| config.clone()),
            sweeping: None,
        }
    }

    /// `now − uptime`, kept as long as the same process answers.
    fn start_time(&mut self, info: &Info<'_>, now: SystemTime) -> f64 {
        let run_id = info.text("run_id");
        match &self.started {
            Some((known, at)) if known == run_id => *at,
            _ => {
                let now_s = now.duration_since(UNIX_EPOCH).unwrap_or_default().as_secs_f64();
                let at = (now_s - info.number("uptime_in_seconds").unwrap_or(0.0)).floor();
                self.started = Some((run_id.to_owned(), at));
                at
            }
        }
    }

    fn add_settings(&mut self, out: &mut Draft, answers: &Answers) {
        if answers.config_asked {
            let number = |name| answers.config.iter().find(|(key, _)| key == name)?.1.parse::<f64>().ok();
            self.settings = Some(Settings {
                asked: Some(Instant::now()),
                maxclients: number("maxclients"),
                maxmemory: number("maxmemory"),
                databases: number("databases").map(|count| count as u64),
            });
        }
        let known = self.settings.unwrap_or_default();
        for (family, value) in [(&f::CONFIG_MAXCLIENTS, known.maxclients), (&f::CONFIG_MAXMEMORY, known.maxmemory)] {
            if let Some(value) = value {
                out.add(family, &[], value);
            }
        }
    }

    fn add_swept(&self, out: &mut Draft) {
        if self.sweeping.is_none() {
            return;
        }
        let swept = self.results.get();
        for (result, count) in sweep::RESULTS.iter().zip(swept.sweeps) {
            out.add(&f::SWEEPS, &[result], count as f64);
        }
        let Some(last) = swept.last else { return };
        let age = last.ended.elapsed();
        // A count that could not be repeated for long says nothing any more.
        if age > self.sweep_interval * 4 + last.took * 10 {
            return;
        }
        out.add(&f::SWEEP_AGE, &[], age.as_secs_f64());
        out.add(&f::SWEEP_DURATION, &[], last.took.as_secs_f64());
        out.add(&f::SWEEP_KEYS, &[], last.keys as f64);
        let db = format!("db{}", self.link.db());
        for (pattern, count) in last.patterns.iter() {
            out.add(&f::KEYS_COUNT, &[&db, pattern], *count as f64);
        }
        let is_chunk = |pattern: &str| profile::CHUNK_PATTERNS.contains(&pattern);
        let mut chunks = last.patterns.iter().filter(|(pattern, _)| is_chunk(pattern)).peekable();
        if chunks.peek().is_some() {
            let count: u64 = chunks.map(|(_, count)| count).sum();
            out.add(&f::CHUNKS_TOTAL, &["multipart_chunks"], count as f64);
            out.add(&f::CHUNKS, &["multipart_chunks"], count as f64);
        }
        for (account, has_credits) in last.credits.iter() {
            out.add(&f::HAS_CREDITS, &[account], f64::from(u8::from(*has_credits)));
        }
    }
}

impl Source for Redis {
    async fn poll(&mut self, now: SystemTime, out: &mut Draft) -> Result<(), Reason> {
        if let Some(config) = self.sweeper.take() {
            let task = tokio::spawn(sweep::run(config, self.results.clone()));
            self.sweeping = Some(Sweeping(task.abort_handle()));
        }
        let asked = self.settings.and_then(|settings| settings.asked);
        self.extras.config_due = asked.is_none_or(|asked| asked.elapsed() > CONFIG_INTERVAL);
        let answers = questions::ask(&mut self.link, &mut self.extras, &mut self.watched).await?;
        // The check alone is much faster than the search for what is no text, of which there is hardly ever any.
        let text =
            std::str::from_utf8(&answers.info).map_or_else(|_| String::from_utf8_lossy(&answers.info), Cow::Borrowed);
        let info = Info::parse_like(&text, &mut self.outline).ok_or(Reason::Malformed)?;
        self.extras.learn(&info);

        self.add_settings(out, &answers);
        let start_time = self.start_time(&info, now);
        let databases = self.settings.and_then(|settings| settings.databases);
        values::add_info(out, &info, start_time, databases);
        answers.add(out);
        let now_s = now.duration_since(UNIX_EPOCH).unwrap_or_default().as_secs_f64();
        ages::add(out, &mut self.link, &mut self.watched, now_s).await?;
        let home = self.link.db();
        for watched in &mut self.watched {
            watched.add(out, home);
        }
        self.add_swept(out);
        Ok(())
    }

    fn disconnect(&mut self) {
        self.link.close();
        // Another server may stand at the same address, with other rights.
        self.extras = Extras::default();
        self.settings = None;
    }

    fn status(&self, status: &Status, out: &mut Draft) {
        out.add(&f::UP, &[], f64::from(u8::from(status.up())));
        let reason = status.failed.map_or("", Reason::as_str);
        out.add(&f::LAST_ERROR, &[reason], f64::from(u8::from(status.failed.is_some())));
        out.add(&f::LAST_DURATION, &[], status.took.as_secs_f64());
        out.add(&f::SCRAPES, &[], status.polls as f64);
        out.add(&f::BUILD_INFO, &[version::VERSION, version::REVISION, "", ""], 1.0);
    }
}

/// What an error of the server means for the poll.
fn refused(error: &redis::ServerError) -> Reason {
    refusal(error.code(), error.details().unwrap_or_default())
}
