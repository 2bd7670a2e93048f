//! The agent's stages for one connection, in the order of `pipeline.rs`, and what they said.

use std::collections::BTreeMap;

use hippius_agent::connection::{Connection, RequestTaken, ResponseTaken};
use hippius_agent::decode::http1::HeadBuffer;
use hippius_agent::exchange::{Direction, Event, Exchanges, Finished};
use hippius_agent::kernel::record::Record;
use hippius_common::flow::{Side, kind};

/// What became of one request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Seen {
    pub method: String,
    pub target: String,
    /// Status codes of interim responses.
    pub interim: Vec<u16>,
    /// What was captured of the response's body.
    pub body: Vec<u8>,
    /// Bytes told as they moved, in and out.
    pub moved: [u64; 2],
    pub finished: Option<Finished>,
    pub released: bool,
}

/// Connection and exchange stage of one socket, and a journal of everything that they said.
#[derive(Default)]
pub struct Agent {
    connection: Connection,
    exchanges: Exchanges,
    heads: HeadBuffer,
    pub seen: Vec<Seen>,
    pub unattributed: BTreeMap<&'static str, u64>,
    pub desynced: BTreeMap<&'static str, u32>,
    /// Requests that the numbers of heads show, and that were never seen.
    pub lost: u32,
    pub malformed: u32,
    /// Every event as it came, one a line.
    pub journal: Vec<String>,
}

impl Agent {
    /// Takes a record of the ring, or a sweep's view of the flow.
    pub fn take(&mut self, bytes: &[u8], is_sweep: bool) {
        let record = Record::parse(bytes).expect("the record is whole");
        let header = &record.header;
        if is_sweep && !self.connection.accepts(header) {
            return;
        }
        let mut events = Vec::new();
        self.missed(&record, &mut events);
        self.request(&record, is_sweep, &mut events);
        self.response(&record, is_sweep, &mut events);
        let mut sink = |event| events.push(event);
        match header.kind {
            kind::CLOSE => self.exchanges.close(header, &mut sink),
            kind::END => self.exchanges.end_of_output(header, &mut sink),
            _ => self.exchanges.advance(header, &mut sink),
        }
        for event in events {
            self.apply(event);
        }
    }

    fn missed(&mut self, record: &Record<'_>, events: &mut Vec<Event>) {
        let header = &record.header;
        let whole = |len: u16, side: &Side| len != 0 && side.head_len == 0;
        let requests = self.connection.inbound.missed(&header.inbound, whole(header.in_len, &header.inbound));
        let responses = self.connection.outbound.missed(&header.outbound, whole(header.out_len, &header.outbound));
        if requests + responses > 0 {
            self.lost += requests;
            self.exchanges.abandon(&mut |event| events.push(event));
        }
    }

    fn request(&mut self, record: &Record<'_>, whole: bool, events: &mut Vec<Event>) {
        let header = &record.header;
        let stream = &mut self.connection.inbound;
        match stream.request(&mut self.heads, &header.inbound, header.in_at, record.inbound, whole) {
            RequestTaken::Nothing => {}
            RequestTaken::Malformed => self.malformed += 1,
            RequestTaken::Head(at, head) => {
                let id = self.seen.len() as u32;
                self.journal.push(format!("request {id} at {at}: {} {}", head.method, head.target));
                self.seen.push(Seen {
                    method: head.method.into(),
                    target: head.target.into(),
                    interim: Vec::new(),
                    body: Vec::new(),
                    moved: [0, 0],
                    finished: None,
                    released: false,
                });
                self.exchanges.request(id, at, &head, header, &mut |event| events.push(event));
            }
        }
    }

    fn response(&mut self, record: &Record<'_>, whole: bool, events: &mut Vec<Event>) {
        let header = &record.header;
        let stream = &mut self.connection.outbound;
        match stream.response(&mut self.heads, &header.outbound, header.out_at, record.outbound, whole) {
            ResponseTaken::Nothing => {}
            ResponseTaken::Malformed => self.malformed += 1,
            ResponseTaken::Head(at, head, body) => {
                let answered = self.exchanges.response(at, &head, header, &mut |event| events.push(event));
                self.journal.push(format!("response at {at}: {} answers {answered:?}", head.status));
                if let Some((id, is_final)) = answered {
                    let seen = &mut self.seen[id as usize];
                    if is_final {
                        seen.body = body.to_vec();
                    } else {
                        seen.interim.push(head.status);
                    }
                }
            }
        }
    }

    fn apply(&mut self, event: Event) {
        self.journal.push(format!("{event:?}"));
        match event {
            Event::Transfer(id, way, bytes) => {
                let seen = &mut self.seen[id as usize];
                assert!(!seen.released, "bytes of exchange {id} after its release");
                seen.moved[usize::from(way == Direction::Out)] += bytes;
            }
            Event::Unattributed(reason, bytes) => *self.unattributed.entry(reason).or_default() += bytes,
            Event::Desynced(reason) => *self.desynced.entry(reason).or_default() += 1,
            Event::RequestLost => *self.desynced.entry("request_lost").or_default() += 1,
            Event::Finished(id, finished) => {
                let earlier = self.seen[id as usize].finished.replace(finished);
                assert_eq!(earlier, None, "exchange {id} finished twice");
            }
            Event::Released(id) => {
                let seen = &mut self.seen[id as usize];
                assert!(seen.finished.is_some(), "exchange {id} released before its end");
                assert!(!seen.released, "exchange {id} released twice");
                seen.released = true;
            }
        }
    }
}
