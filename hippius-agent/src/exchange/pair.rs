//! Requests and responses of one connection, first in, first out (RFC 9112 section 9.3.2).

use std::collections::VecDeque;

use hippius_common::flow::{FlowHeader, Side, flag, phase};
use hippius_common::loss;

use super::message::Message;
use super::{Answers, Direction, Event, ExchangeId, Finished, Framing, Outcome, Stage};
use crate::decode::http1::{RequestHead, ResponseHead};

/// Most requests that wait on one connection; a client that pipelines more is not answered in order by any server.
const MAX_WAITING: usize = 1024;

/// The exchanges of one connection.
#[derive(Debug, Default)]
pub struct Exchanges {
    waiting: VecDeque<Exchange>,
    /// Position up to which request bytes were given out.
    accounted_in: u64,
    /// Likewise for response bytes.
    accounted_out: u64,
    /// Whose request bytes come now, and up to which position.
    owner_in: Option<Owner>,
    /// Whose response bytes come now.
    owner_out: Option<Owner>,
}

/// Whose bytes a direction carries at present.
#[derive(Debug, Clone, Copy)]
struct Owner {
    id: ExchangeId,
    end: Option<u64>,
    /// The exchange is over; these bytes come late.
    finished: bool,
}

/// A request, and the response as far as it was seen.
#[derive(Debug)]
pub(super) struct Exchange {
    pub(super) id: ExchangeId,
    pub(super) request: Message,
    pub(super) response: Option<Message>,
    /// Bytes of interim responses.
    pub(super) interim: u64,
    pub(super) status: u16,
    answers: Answers,
}

impl Exchanges {
    /// Whether nothing is under way.
    pub fn is_idle(&self) -> bool {
        self.waiting.is_empty()
    }

    /// What the oldest exchange is waiting for.
    pub fn stage(&self) -> Stage {
        match self.waiting.front() {
            None => Stage::Idle,
            Some(front) if front.response.is_some() => Stage::Send,
            Some(front) if front.request.complete => Stage::Process,
            Some(_) => Stage::Receive,
        }
    }

    /// A request head was seen at position `at`.
    pub fn request(
        &mut self,
        id: ExchangeId,
        at: u64,
        head: &RequestHead<'_>,
        header: &FlowHeader,
        sink: &mut impl FnMut(Event),
    ) {
        self.account_in(at, &header.inbound, sink);
        if let Some(last) = self.waiting.back_mut() {
            last.request.update(&header.inbound, at);
            last.request.complete = true;
        }
        self.release_in(sink);
        if self.waiting.len() >= MAX_WAITING {
            self.drop_front(sink, "too_many_waiting");
        }
        let framing = Framing::of_request(head);
        let request = Message::new(at, head.len, framing, &header.inbound);
        self.owner_in = Some(Owner { id, end: request.end(), finished: false });
        let answers = Answers::to(head.method);
        self.waiting.push_back(Exchange { id, request, response: None, interim: 0, status: 0, answers });
    }

    /// A response head was seen at position `at`. Returns the exchange that it answers, and whether it is final.
    pub fn response(
        &mut self,
        at: u64,
        head: &ResponseHead<'_>,
        header: &FlowHeader,
        sink: &mut impl FnMut(Event),
    ) -> Option<(ExchangeId, bool)> {
        self.account_out(at, &header.outbound, sink);
        self.finish_complete(header, sink);
        self.owner_out = None;
        let interim = (100..200).contains(&head.status) && head.status != 101;
        // How many the kernel side knows to wait still, this one included unless it is interim.
        let unanswered = header.unanswered as usize + usize::from(!interim);
        while self.waiting.front().is_some_and(|front| front.response.is_some()) || self.waiting.len() > unanswered {
            self.drop_front(sink, "response_lost");
        }
        if self.waiting.len() < unanswered {
            // It answers a request that was never seen: sent before the agent began, or lost.
            if header.inbound.messages != 0 {
                sink(Event::RequestLost);
            }
            return None;
        }
        let front = self.waiting.front_mut()?;
        if interim {
            self.owner_out =
                Some(Owner { id: front.id, end: Some(at.saturating_add(head.len as u64)), finished: false });
            return Some((front.id, false));
        }
        let framing = Framing::of_response(head.status, &head.fields, head.version, front.answers);
        let response = Message::new(at, head.len, framing, &header.outbound);
        self.owner_out = Some(Owner { id: front.id, end: response.end(), finished: false });
        front.status = head.status;
        front.response = Some(response);
        Some((front.id, true))
    }

    /// Gives out all bytes that the record shows, and ends what is complete.
    pub fn advance(&mut self, header: &FlowHeader, sink: &mut impl FnMut(Event)) {
        self.note_failure(header);
        self.account_in(settled_total(&header.inbound), &header.inbound, sink);
        self.account_out(settled_total(&header.outbound), &header.outbound, sink);
        if let Some(last) = self.waiting.back_mut() {
            last.request.update(&header.inbound, self.accounted_in);
        }
        self.finish_complete(header, sink);
    }

    /// The connection is over: everything that waits ends.
    pub fn close(&mut self, header: &FlowHeader, sink: &mut impl FnMut(Event)) {
        self.note_failure(header);
        self.account_in(header.inbound.total, &header.inbound, sink);
        self.account_out(header.outbound.total, &header.outbound, sink);
        while let Some(mut front) = self.waiting.pop_front() {
            front.request.update(&header.inbound, self.accounted_in);
            if let Some(response) = &mut front.response {
                response.update(&header.outbound, self.accounted_out);
            }
            let outcome = super::close::outcome(&front, header);
            sink(Event::Finished(front.id, front.finished(outcome)));
            if self.owner_in.is_some_and(|owner| owner.id == front.id) {
                self.owner_in = None;
            }
            sink(Event::Released(front.id));
        }
        if let Some(owner) = self.owner_in.take() {
            sink(Event::Released(owner.id));
        }
    }

    /// The server sent its FIN: a body that ends with the connection is complete.
    pub fn end_of_output(&mut self, header: &FlowHeader, sink: &mut impl FnMut(Event)) {
        self.advance(header, sink);
        if let Some(response) = self.waiting.front_mut().and_then(|front| front.response.as_mut())
            && response.framing == Framing::UntilClose
        {
            response.update(&header.outbound, self.accounted_out);
            response.complete = true;
        }
        self.finish_complete(header, sink);
    }

    /// Records of this connection were lost: what waits cannot be followed to its end.
    pub fn abandon(&mut self, sink: &mut impl FnMut(Event)) {
        while !self.waiting.is_empty() {
            self.drop_front(sink, "record_lost");
        }
        self.release_in(sink);
        self.owner_out = None;
    }

    /// A record says that the response whose head came last failed in the middle.
    fn note_failure(&mut self, header: &FlowHeader) {
        if header.flags & flag::STREAM_ERROR == 0 {
            return;
        }
        let responses = self.waiting.iter_mut().filter_map(|exchange| exchange.response.as_mut());
        for response in responses.filter(|response| response.at == header.outbound.head_at) {
            response.failed = true;
        }
    }

    fn finish_complete(&mut self, header: &FlowHeader, sink: &mut impl FnMut(Event)) {
        while let Some(front) = self.waiting.front_mut() {
            let Some(response) = front.response.as_mut() else { return };
            response.update(&header.outbound, self.accounted_out);
            if !response.complete {
                return;
            }
            let outcome = if response.lost { Outcome::Unobserved } else { Outcome::Complete };
            let Some(mut front) = self.waiting.pop_front() else { return };
            if self.owner_in.is_some_and(|owner| owner.id == front.id) {
                front.request.update(&header.inbound, self.accounted_in);
            }
            sink(Event::Finished(front.id, front.finished(outcome)));
            self.retire(front.id, front.request.complete, sink);
        }
    }

    /// Ends the oldest exchange without knowing how it went.
    fn drop_front(&mut self, sink: &mut impl FnMut(Event), reason: &'static str) {
        let Some(front) = self.waiting.pop_front() else { return };
        sink(Event::Desynced(reason));
        sink(Event::Finished(front.id, front.finished(Outcome::Unobserved)));
        self.retire(front.id, front.request.complete, sink);
    }

    /// An exchange is over; while its request goes on, its bytes are still its own.
    fn retire(&mut self, id: ExchangeId, request_complete: bool, sink: &mut impl FnMut(Event)) {
        match &mut self.owner_in {
            Some(owner) if owner.id == id && !request_complete => owner.finished = true,
            Some(owner) if owner.id == id => {
                self.owner_in = None;
                sink(Event::Released(id));
            }
            _ => sink(Event::Released(id)),
        }
    }

    fn release_in(&mut self, sink: &mut impl FnMut(Event)) {
        if let Some(owner) = self.owner_in.take()
            && owner.finished
        {
            sink(Event::Released(owner.id));
        }
    }

    fn account_in(&mut self, until: u64, side: &Side, sink: &mut impl FnMut(Event)) {
        let from = self.accounted_in;
        if until <= from {
            return;
        }
        self.accounted_in = until;
        let given = give(self.owner_in, from, until, side, Direction::In, sink);
        if let Some(owner) = self.owner_in
            && let Some(exchange) = self.waiting.iter_mut().rev().find(|exchange| exchange.id == owner.id)
        {
            exchange.request.bytes += given;
        }
    }

    fn account_out(&mut self, until: u64, side: &Side, sink: &mut impl FnMut(Event)) {
        let from = self.accounted_out;
        if until <= from {
            return;
        }
        self.accounted_out = until;
        let given = give(self.owner_out, from, until, side, Direction::Out, sink);
        if let Some(front) = self.waiting.front_mut().filter(|front| self.owner_out.is_some_and(|o| o.id == front.id)) {
            match &mut front.response {
                Some(response) => response.bytes += given,
                None => front.interim += given,
            }
        }
    }
}

/// While a head is being collected, its bytes belong to a message that is still to be seen.
fn settled_total(side: &Side) -> u64 {
    if side.phase == phase::HEAD && side.head_len != 0 { side.head_at } else { side.total }
}

/// Gives bytes to their owner, and what lies beyond its end to nobody. Returns the owner's share.
fn give(
    owner: Option<Owner>,
    from: u64,
    until: u64,
    side: &Side,
    direction: Direction,
    sink: &mut impl FnMut(Event),
) -> u64 {
    let limit = match owner {
        Some(owner) => owner.end.unwrap_or(u64::MAX).clamp(from, until),
        None => from,
    };
    let given = limit - from;
    if let (Some(owner), true) = (owner, given > 0) {
        sink(Event::Transfer(owner.id, direction, given));
    }
    if until > limit {
        sink(Event::Unattributed(reason(side), until - limit));
    }
    given
}

fn reason(side: &Side) -> &'static str {
    match (side.loss(), side.phase) {
        (loss::NONE, phase::OPAQUE) => "opaque",
        (loss::NONE, _) => "unpaired",
        (lost, _) => loss::label(lost),
    }
}

impl Exchange {
    /// The result, as far as it was seen.
    pub(super) fn finished(&self, outcome: Outcome) -> Finished {
        let request = self.request;
        let mut sizes = self.response.map(|response| response.sizes()).unwrap_or_default();
        sizes.head += self.interim;
        let last_ns = self.response.map_or(request.last_ns, |response| response.last_ns);
        Finished {
            status: self.response.map(|_| self.status),
            outcome,
            request: request.sizes(),
            response: sizes,
            failed: self.response.is_some_and(|response| response.failed),
            receive_ns: request.last_ns.saturating_sub(request.first_ns),
            process_ns: self.response.map(|response| response.first_ns.saturating_sub(request.last_ns)),
            send_ns: self.response.map(|response| response.last_ns.saturating_sub(response.first_ns)),
            total_ns: last_ns.saturating_sub(request.first_ns),
        }
    }
}
