//! One connection of a client: what is spoken on it, and where each direction stands.

use super::held::Held;
use super::postgres::Postgres;
use super::queues::Queues;
use super::resp::{self, Redis};
use super::{Event, QUIET_NS, Reason, System, Times};
use crate::decode::postgres::{self as messages, Role};

/// A connection that carries no HTTP.
#[derive(Debug, Default)]
pub struct Session {
    talk: Talk,
    /// Position of the next byte, of requests and of responses.
    next: [u64; 2],
    /// Bytes of both directions that nobody was told of yet.
    untold: [u64; 2],
    /// Where the last bytes went and when.
    last: Option<(Way, u64)>,
    /// The last bytes of the responses.
    tail: [u8; 6],
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Way {
    Request = 0,
    Response = 1,
}

#[derive(Debug, Default)]
enum Talk {
    /// Nothing was sent yet.
    #[default]
    New,
    /// A reply was seen before any request.
    Early(Box<Held>),
    Redis(Box<Redis>),
    Postgres(Box<Postgres>),
    /// Not followed; the system, where it is known.
    Lost(Option<System>),
    /// Known, and no longer readable.
    Opaque(System),
    /// Another protocol.
    Unknown,
}

impl Session {
    /// A connection that was open before it was watched.
    pub fn before_start() -> Self {
        Self { talk: Talk::Lost(None), ..Self::default() }
    }

    /// `bytes` were sent, the first of them at position `at`. What was seen before is left out, what lies between was not
    /// seen.
    pub fn request(&mut self, at: u64, bytes: &[u8], times: Times, queues: &Queues, events: &mut Vec<Event>) {
        let Some(bytes) = self.arrive(Way::Request, at, bytes, queues, events) else { return };
        match &self.talk {
            Talk::New | Talk::Early(_) => self.begin(bytes),
            Talk::Lost(system) => self.pick_up(*system, bytes, times, events),
            _ => {}
        }
        let result = match &mut self.talk {
            Talk::Redis(commands) => commands.request(bytes, times, queues, events),
            Talk::Postgres(postgres) => postgres.request(bytes, times, queues, events),
            _ => Ok(()),
        };
        self.settle(result, events);
        self.last = Some((Way::Request, times.last_ns));
    }

    /// `bytes` were received, the first of them at position `at`.
    pub fn response(&mut self, at: u64, bytes: &[u8], times: Times, queues: &Queues, events: &mut Vec<Event>) {
        let Some(bytes) = self.arrive(Way::Response, at, bytes, queues, events) else { return };
        if matches!(self.talk, Talk::New) {
            self.talk = Talk::Early(Box::default());
        }
        let result = match &mut self.talk {
            Talk::Redis(commands) => commands.response(bytes, times, queues, events),
            Talk::Postgres(postgres) => postgres.response(bytes, times, queues, events),
            Talk::Early(held) => held.add(bytes, times),
            _ => Ok(()),
        };
        self.settle(result, events);
        self.last = Some((Way::Response, times.last_ns));
        let keep = bytes.len().min(self.tail.len());
        self.tail.rotate_left(keep);
        let (places, ends) = (self.tail.iter_mut().rev(), bytes.iter().rev());
        places.zip(ends).for_each(|(to, from)| *to = *from);
    }

    /// The connection has moved so many bytes in all: what is beyond the last bytes was not seen.
    pub fn moved(&mut self, sent: u64, received: u64, queues: &Queues, events: &mut Vec<Event>) {
        self.pass(Way::Request, sent, queues, events);
        self.pass(Way::Response, received, queues, events);
    }

    /// The connection is over.
    pub fn close(&mut self, events: &mut Vec<Event>) {
        match &mut self.talk {
            Talk::Redis(commands) => commands.close(events),
            Talk::Postgres(postgres) => postgres.close(events),
            _ => {}
        }
        self.talk = match (&self.talk, self.system()) {
            (Talk::Lost(system), _) => Talk::Lost(*system),
            (_, None) => Talk::Unknown,
            (_, system) => Talk::Lost(system),
        };
    }

    /// What is spoken, once both sides have shown it.
    pub fn system(&self) -> Option<System> {
        match &self.talk {
            Talk::Redis(commands) => commands.is_settled().then_some(System::Redis),
            Talk::Postgres(postgres) => postgres.is_settled().then_some(System::Postgres),
            Talk::Lost(system) => *system,
            Talk::Opaque(system) => Some(*system),
            Talk::New | Talk::Early(_) | Talk::Unknown => None,
        }
    }

    /// Whether it is known that nothing of this connection can be read.
    pub fn is_unknown(&self) -> bool {
        matches!(self.talk, Talk::Unknown)
    }

    /// Bytes sent and received since the last call, those that were not seen included.
    pub fn take_bytes(&mut self) -> [u64; 2] {
        std::mem::take(&mut self.untold)
    }

    /// Requests that wait for their reply.
    pub fn pending(&self) -> usize {
        match &self.talk {
            Talk::Redis(commands) => commands.pending(),
            Talk::Postgres(postgres) => postgres.pending(),
            _ => 0,
        }
    }

    /// Goes over what lies before `at` and gives those of `bytes` that are new.
    fn arrive<'a>(
        &mut self,
        way: Way,
        at: u64,
        bytes: &'a [u8],
        queues: &Queues,
        events: &mut Vec<Event>,
    ) -> Option<&'a [u8]> {
        self.pass(way, at, queues, events);
        let [sent, received] = &mut self.next;
        let next = if way == Way::Request { sent } else { received };
        let known = usize::try_from(next.saturating_sub(at)).unwrap_or(usize::MAX);
        let bytes = bytes.get(known..).filter(|bytes| !bytes.is_empty())?;
        *next = next.saturating_add(bytes.len() as u64);
        self.count(way, bytes.len() as u64);
        Some(bytes)
    }

    /// Goes to position `to` over bytes that were not seen.
    fn pass(&mut self, way: Way, to: u64, queues: &Queues, events: &mut Vec<Event>) {
        let [sent, received] = &mut self.next;
        let next = if way == Way::Request { sent } else { received };
        let Some(gap) = to.checked_sub(*next).filter(|gap| *gap > 0) else { return };
        *next = to;
        self.count(way, gap);
        if way == Way::Response {
            self.tail = [0; 6];
        }
        let result = match (&mut self.talk, way) {
            (Talk::New | Talk::Early(_), _) => Err(Reason::Gap),
            (Talk::Redis(commands), Way::Request) => commands.skip_request(gap, queues, events),
            (Talk::Redis(commands), Way::Response) => commands.skip_response(gap, queues, events),
            (Talk::Postgres(postgres), Way::Request) => postgres.skip_request(gap),
            (Talk::Postgres(postgres), Way::Response) => postgres.skip_response(gap, events),
            _ => Ok(()),
        };
        self.settle(result, events);
    }

    fn count(&mut self, way: Way, bytes: u64) {
        let [sent, received] = &mut self.untold;
        let untold = if way == Way::Request { sent } else { received };
        *untold = untold.saturating_add(bytes);
    }

    /// The first byte of a connection tells the two apart; whether it is one of them is for their readers to say.
    fn begin(&mut self, bytes: &[u8]) {
        let held = match &mut self.talk {
            Talk::Early(held) => std::mem::take(&mut **held),
            _ => Held::default(),
        };
        self.talk = match bytes.first() {
            Some(b'*' | b'A'..=b'Z' | b'a'..=b'z') => Talk::Redis(Box::new(Redis::new(held))),
            // The length of a first message: its first byte is zero.
            Some(0) => Talk::Postgres(Box::new(Postgres::new(held))),
            _ => Talk::Unknown,
        };
    }

    /// Begins again where nothing is under way (see the module).
    fn pick_up(&mut self, system: Option<System>, bytes: &[u8], times: Times, events: &mut Vec<Event>) {
        let turned = self.last.is_none_or(|(way, _)| way == Way::Response);
        if !turned {
            return;
        }
        let [a, b, c, d, e, status] = self.tail;
        let ready = [a, b, c, d, e] == *b"Z\0\0\0\x05" && b"ITE".contains(&status);
        let quiet = self.last.is_some_and(|(_, last_ns)| times.first_ns.saturating_sub(last_ns) >= QUIET_NS);
        if system != Some(System::Redis) && ready && messages::begins_message(Role::Frontend, bytes) {
            self.talk = Talk::Postgres(Box::new(Postgres::picked_up()));
        } else if system != Some(System::Postgres) && quiet && resp::begins_command(bytes) {
            self.talk = Talk::Redis(Box::new(Redis::picked_up(system.is_some())));
        } else {
            return;
        }
        if system.is_none() {
            events.push(Event::Lost(Reason::BeforeStart, 0));
        }
    }

    fn settle(&mut self, result: Result<(), Reason>, events: &mut Vec<Event>) {
        let Err(reason) = result else { return };
        let (system, pending) = (self.system(), self.pending() as u64);
        self.talk = match (reason, system, &self.talk) {
            (Reason::Opaque, _, Talk::Redis(_)) => Talk::Opaque(System::Redis),
            (Reason::Opaque, _, Talk::Postgres(_)) => Talk::Opaque(System::Postgres),
            // It never was what its first bytes looked like.
            (Reason::Malformed | Reason::Unpaired, None, _) => Talk::Unknown,
            _ => Talk::Lost(system),
        };
        if !self.is_unknown() {
            events.push(Event::Lost(reason, pending));
        }
    }
}
