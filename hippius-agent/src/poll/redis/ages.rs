//! How old the oldest item of a queue is.

use super::families as f;
use super::link::Link;
use super::oldest::Search;
use super::watched::{Form, Watched};
use crate::config::queues::Kind;
use crate::poll::draft::Draft;
use crate::poll::source::Reason;
use redis::{Pipeline, Value};
use serde::Deserialize;

/// Answers of one round trip: counts, or one queue item of Hippius 2026, which has a few KB.
const MOST_BYTES: u64 = 1024 * 1024;

/// The part of a queue item that is looked at.
#[derive(Deserialize)]
struct Item {
    first_enqueued_at: Option<f64>,
}

/// Adds the age of each queue that has one. An empty queue has age 0.
pub async fn add(out: &mut Draft, link: &mut Link, watched: &mut [Watched], now_s: f64) -> Result<(), Reason> {
    for key in watched.iter_mut().filter(|key| key.queue) {
        let (Some(form), Some(size)) = (key.form, key.size) else { continue };
        let age_s = match form {
            Form::Queue(Kind::SortedSet) if size > 0 => lowest_score(link, key, now_s).await?,
            Form::Queue(Kind::SortedSet) => Some(0.0),
            Form::Queue(Kind::List) if key.readable && size > 0 => last_item(link, key, now_s).await?,
            Form::Queue(Kind::List) if key.readable => Some(0.0),
            _ => None,
        };
        if let Some(age_s) = age_s {
            out.add(&f::QUEUE_OLDEST, &[&key.key], age_s);
        }
    }
    Ok(())
}

async fn lowest_score(link: &mut Link, key: &mut Watched, now_s: f64) -> Result<Option<f64>, Reason> {
    let mut search = Search::new(now_s, key.bracket);
    while !search.questions().is_empty() {
        let mut pipeline = Pipeline::new();
        for end in search.questions() {
            pipeline.cmd("ZCOUNT").arg(&*key.key).arg("-inf").arg(*end);
        }
        let mut counts = Vec::new();
        for answer in link.ask(&pipeline, MOST_BYTES).await? {
            // Not allowed, or no sorted set any more.
            let Value::Int(count) = answer else { return Ok(None) };
            counts.push(count);
        }
        search.answers(&counts);
    }
    key.bracket = search.bracket();
    Ok(Some(search.age_s()))
}

/// Queues are pushed to on the left and popped from on the right.
async fn last_item(link: &mut Link, key: &Watched, now_s: f64) -> Result<Option<f64>, Reason> {
    let mut pipeline = Pipeline::new();
    pipeline.cmd("LINDEX").arg(&*key.key).arg(-1);
    let answer = link.ask(&pipeline, MOST_BYTES).await?.into_iter().next();
    let Some(Value::BulkString(item)) = answer else { return Ok(None) };
    let enqueued_s = serde_json::from_slice::<Item>(&item).ok().and_then(|item| item.first_enqueued_at);
    Ok(enqueued_s.map(|enqueued_s| (now_s - enqueued_s).max(0.0)))
}
