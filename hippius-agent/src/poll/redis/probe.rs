//! One question to a server, for `check`: does it answer, and what may the user not do.

use super::info::Info;
use super::link::{Link, refusal};
use super::{refused, sweep, watched};
use crate::config::RedisTarget;
use crate::poll::source::Reason;
use redis::{Cmd, Pipeline, Value};

/// `INFO server` takes 1 KB, each of the other answers a line.
const MOST_BYTES: u64 = 256 * 1024;

/// What a server has answered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Found {
    /// `redis_version`
    pub version: String,
    /// Commands of polls and sweeps that the user may not send, with the key where it is about one.
    pub denied: Vec<String>,
}

/// The host and port, or the socket, of a target: what may be shown of its address.
pub fn address(config: &RedisTarget) -> String {
    use redis::IntoConnectionInfo;
    let info = config.url.expose().into_connection_info();
    info.map_or_else(|_| "?".to_owned(), |info| info.addr().to_string())
}

/// Connects, logs in, and sends what a poll would send, as far as it costs the server nothing.
pub async fn ask(config: &RedisTarget) -> Result<Found, Reason> {
    let mut link = Link::new(config);
    let questions = questions(config, link.db());
    let mut pipeline = Pipeline::new();
    for (_, command) in &questions {
        pipeline.add_command(command.clone());
    }
    let answers = link.ask(&pipeline, MOST_BYTES).await?;
    let version = match answers.first() {
        Some(Value::BulkString(text)) => {
            let text = String::from_utf8_lossy(text);
            Info::parse(&text).ok_or(Reason::Malformed)?.text("redis_version").to_owned()
        }
        Some(Value::ServerError(error)) => return Err(refused(error)),
        _ => return Err(Reason::Malformed),
    };
    let denied = questions.into_iter().zip(&answers).filter(|(_, answer)| is_denied(answer));
    Ok(Found { version, denied: denied.map(|((what, _), _)| what).collect() })
}

fn is_denied(answer: &Value) -> bool {
    let Value::ServerError(error) = answer else { return false };
    refusal(error.code(), error.details().unwrap_or_default()) == Reason::Denied
}

/// Name and command; `INFO` comes first.
fn questions(config: &RedisTarget, home: i64) -> Vec<(String, Cmd)> {
    let mut all: Vec<(String, Cmd)> = Vec::new();
    let mut add = |words: &[&str], shown: usize| {
        let mut command = Cmd::new();
        words.iter().for_each(|word| {
            command.arg(word);
        });
        all.push((words.get(..shown).unwrap_or(words).join(" "), command));
    };
    add(&["INFO", "server"], 1);
    add(&["SLOWLOG", "LEN"], 2);
    add(&["LATENCY", "LATEST"], 2);
    if sweep::is_wanted(config) {
        add(&["DBSIZE"], 1);
        add(&["SCAN", "0", "COUNT", "1"], 1);
    }
    for watched in watched::of(config, home).into_iter().filter(|watched| watched.db.is_none()) {
        let command = watched.question();
        let word = match command.args_iter().next() {
            Some(redis::Arg::Simple(word)) => String::from_utf8_lossy(word).into_owned(),
            _ => String::new(),
        };
        all.push((format!("{word} {}", watched.key), command));
    }
    all
}
