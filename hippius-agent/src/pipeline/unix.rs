//! Connections over Unix sockets: whose they are, and their end where the kernel does not tell it.

use hashbrown::{HashMap, HashSet};
use hippius_common::flow::{FlowHeader, Named, flag, kind};

use super::Pipeline;
use crate::kernel::record::socket_name;
use crate::record::series::Batch;

/// Unix sockets that are followed, by cookie.
#[derive(Debug, Default)]
pub struct UnixSockets {
    known: HashMap<u64, Known, ahash::RandomState>,
}

#[derive(Debug)]
struct Known {
    name: Box<str>,
    /// The flow as it was last seen.
    last: Option<Box<FlowHeader>>,
    /// The last look found it closed. One more has to, because a look may pass a socket by.
    missed: bool,
}

impl UnixSockets {
    /// What the socket was accepted under; empty if nobody told.
    pub fn name(&self, cookie: u64) -> &str {
        self.known.get(&cookie).map_or("", |known| &known.name)
    }

    /// A record has come through.
    pub fn moved(&mut self, header: &FlowHeader) {
        if header.kind == kind::CLOSE {
            self.known.remove(&header.cookie);
        } else if header.flags & flag::UNIX != 0 {
            let known = self.known.entry(header.cookie);
            let known = known.or_insert_with(|| Known { name: "".into(), last: None, missed: false });
            match &mut known.last {
                Some(last) => **last = *header,
                None => known.last = Some(Box::new(*header)),
            }
        }
    }

    /// Takes out those that are closed: that are not among the open ones for the second time.
    fn closed(&mut self, open: &HashSet<u64>) -> Vec<FlowHeader> {
        let mut closed = Vec::new();
        self.known.retain(|cookie, known| {
            let was_missed = known.missed;
            known.missed = !open.contains(cookie);
            let stays = !(was_missed && known.missed);
            if !stays {
                closed.extend(known.last.take().map(|last| *last));
            }
            stays
        });
        closed
    }
}

impl Pipeline {
    /// A Unix socket is watched from now on.
    pub fn named(&mut self, named: &Named) {
        if self.unix.known.len() >= self.config.capture.max_connections as usize {
            self.metrics.events_lost.with_label_values(&["table_full"]).inc();
            return;
        }
        let known = Known { name: socket_name(named).into(), last: None, missed: false };
        self.unix.known.insert(named.cookie, known);
    }

    /// Whether any Unix socket is followed.
    pub fn has_unix_sockets(&self) -> bool {
        !self.unix.known.is_empty()
    }

    /// These Unix sockets are open; connections over others have ended. Of those the last that was seen is all there is to
    /// know: the server has closed, and the client before it only if a call of the server's said so.
    pub fn open_unix_sockets(&mut self, batch: &mut Batch<'_>, open: &HashSet<u64>, now_ns: u64) {
        for mut header in self.unix.closed(open) {
            let Some(Some(mut watched)) = self.connections.remove(&header.cookie) else { continue };
            header.kind = kind::CLOSE;
            header.flags |= flag::SERVER_FIN | flag::CLOSED;
            watched.framed.close(&header, &mut self.events);
            self.apply(batch, now_ns);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn header(cookie: u64) -> FlowHeader {
        FlowHeader { kind: kind::CAPTURE, flags: flag::UNIX, cookie, ..FlowHeader::default() }
    }

    #[test]
    fn a_socket_is_closed_when_it_is_missed_twice_in_a_row() {
        let mut sockets = UnixSockets::default();
        for cookie in [1, 2] {
            sockets.moved(&header(cookie));
        }
        let (both, first): (HashSet<u64>, HashSet<u64>) = ([1, 2].into(), [1].into());
        for open in [&both, &first, &both, &first] {
            assert!(sockets.closed(open).is_empty());
        }
        let closed: Vec<u64> = sockets.closed(&first).iter().map(|header| header.cookie).collect();
        assert_eq!(closed, [2]);
        assert!(sockets.closed(&first).is_empty());
    }
}
