//! A connection to Redis or PostgreSQL: all requests, then all replies.

use hippius_agent::exchange::wire::queues::Queues;
use hippius_agent::exchange::wire::{Event, Session, Times};

use crate::pieces::Pieces;

/// What is told about it, and what is spoken. Every byte must be counted.
pub fn told(requests: &[u8], replies: &[u8], mut pieces: Pieces) -> (Vec<String>, String) {
    let mut queues = Queues::with_keys(&[4; 32]);
    queues.configure(["jobs", "retries"]);
    let times = Times { first_ns: 5, last_ns: 5 };
    let (mut session, mut events) = (Session::default(), Vec::new());
    let mut at = 0;
    while at < requests.len() {
        let end = at.saturating_add(pieces.next_len()).min(requests.len());
        session.request(at as u64, &requests[at..end], times, &queues, &mut events);
        at = end;
    }
    at = 0;
    while at < replies.len() {
        let end = at.saturating_add(pieces.next_len()).min(replies.len());
        session.response(at as u64, &replies[at..end], times, &queues, &mut events);
        at = end;
    }
    session.moved(requests.len() as u64, replies.len() as u64, &queues, &mut events);
    assert_eq!(session.take_bytes(), [requests.len() as u64, replies.len() as u64]);
    let system = format!("{:?}", session.system());
    session.close(&mut events);
    let told = events.iter().filter(|event| !matches!(event, Event::Lost(..))).map(|event| format!("{event:?}"));
    (told.collect(), system)
}
