//! What the server's messages mean for what waits.

use super::statements::class;
use super::{Ask, COMMIT, CONNECT, EMPTY, FETCH, FUNCTION, Pending, Postgres};
use crate::decode::postgres::{Fields, Message, Verb, Whole};
use crate::exchange::wire::{Event, Operation, Reason, System};

impl Postgres {
    /// A message of the server is whole.
    pub(super) fn answered(&mut self, whole: Whole, events: &mut Vec<Event>) -> Result<(), Reason> {
        let (kind, fields) = match whole.message {
            Message::Encryption(answer) => return self.encryption_answered(answer),
            Message::First(_) => return Err(Reason::Malformed),
            Message::Typed(kind, fields) => (kind, fields),
        };
        match kind {
            b'1' => self.expect(&[Ask::Parse]).map(drop),
            b'2' => self.expect(&[Ask::Bind]).map(drop),
            b'3' => self.expect(&[Ask::Close]).map(drop),
            b'n' => self.expect(&[Ask::Describe]).map(drop),
            // Rows of a Query are described unasked.
            b'T' if self.front() == Some(Ask::Query) => Ok(()),
            b'T' => self.expect(&[Ask::Describe]).map(drop),
            b'C' => {
                let tag = if let Fields::Verb(verb) = fields { verb } else { Verb::OTHER };
                self.completed(|verb| if tag == Verb::OTHER { verb.name() } else { tag.name() }, events)
            }
            b'I' => self.completed(|_| EMPTY, events),
            // The client has what it asked for: drivers ask for one row this way.
            b's' => self.completed(Verb::name, events),
            b'E' => {
                let state = if let Fields::SqlState(state) = fields { state } else { [0; 5] };
                self.failed(class(&state), events)
            }
            b'V' => self.function_returned(events),
            b'Z' => self.ready(events),
            b'G' => {
                // What comes with the Execute of COPY is read as part of the data, and ignored.
                while self.pending.get(1).is_some_and(|next| next.ask == Ask::Sync) {
                    self.pending.remove(1);
                }
                Ok(())
            }
            _ => Ok(()),
        }
    }

    fn encryption_answered(&mut self, answer: u8) -> Result<(), Reason> {
        self.encryption = false;
        match answer {
            b'N' => Ok(()),
            // The server is known by its answer.
            b'S' | b'G' => {
                self.settled = true;
                Err(Reason::Opaque)
            }
            _ => Err(Reason::Malformed),
        }
    }

    fn front(&self) -> Option<Ask> {
        self.pending.front().map(|pending| pending.ask)
    }

    /// Takes the first of what waits, which must be one of these.
    fn expect(&mut self, asks: &[Ask]) -> Result<Pending, Reason> {
        let front = self.pending.pop_front_if(|pending| asks.contains(&pending.ask));
        front.ok_or(Reason::Unpaired)
    }

    /// A statement is over, or paused.
    fn completed(&mut self, name: impl Fn(Verb) -> &'static str, events: &mut Vec<Event>) -> Result<(), Reason> {
        let pending = match self.pending.front_mut() {
            Some(front) if front.ask == Ask::Query => {
                let pending = *front;
                // Its bytes and its beginning belong to the first of its statements; another begins where this one ended.
                (front.done, front.bytes, front.first_ns, front.verb) = (true, 0, self.last_ns, Verb::OTHER);
                pending
            }
            _ => self.expect(&[Ask::Execute])?,
        };
        let operation = if pending.again { FETCH } else { name(pending.verb) };
        self.tell(&pending, operation, None, events);
        Ok(())
    }

    fn failed(&mut self, error: &'static str, events: &mut Vec<Event>) -> Result<(), Reason> {
        let Some(front) = self.pending.front().copied() else { return Ok(()) };
        let operation = match front.ask {
            Ask::Startup => CONNECT,
            Ask::Function => FUNCTION,
            Ask::Sync => COMMIT,
            Ask::Execute if front.again => FETCH,
            _ => front.verb.name(),
        };
        self.tell(&front, operation, Some(error), events);
        match front.ask {
            // The server closes.
            Ask::Startup => self.pending.clear(),
            Ask::Query | Ask::Function | Ask::Sync => {
                if let Some(front) = self.pending.front_mut() {
                    front.done = true;
                }
            }
            _ => {
                while self.pending.pop_front_if(|pending| pending.ask != Ask::Sync).is_some() {}
                self.skips = self.pending.is_empty();
            }
        }
        Ok(())
    }

    fn function_returned(&mut self, events: &mut Vec<Event>) -> Result<(), Reason> {
        let front = self.pending.front_mut().filter(|front| front.ask == Ask::Function).ok_or(Reason::Unpaired)?;
        front.done = true;
        let pending = *front;
        self.tell(&pending, FUNCTION, None, events);
        Ok(())
    }

    fn ready(&mut self, events: &mut Vec<Event>) -> Result<(), Reason> {
        let pending = self.expect(&[Ask::Startup, Ask::Sync, Ask::Query, Ask::Function])?;
        if pending.ask == Ask::Startup {
            self.tell(&pending, CONNECT, None, events);
        }
        self.settled = true;
        self.reply_bytes = 0;
        Ok(())
    }

    pub(super) fn tell(
        &mut self,
        pending: &Pending,
        operation: &'static str,
        error: Option<&'static str>,
        events: &mut Vec<Event>,
    ) {
        self.settled = true;
        events.push(Event::Operation(Operation {
            system: System::Postgres,
            operation,
            duration_ns: self.last_ns.saturating_sub(pending.first_ns),
            error,
            request_bytes: pending.bytes,
            response_bytes: std::mem::take(&mut self.reply_bytes),
        }));
    }
}
