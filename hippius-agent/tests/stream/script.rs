//! What happens on one socket, and a run of it through both sides.

use std::collections::BTreeMap;

use hippius_agent::exchange::{Finished, MessageBytes, Outcome};

use crate::agent::{Agent, Seen};
use crate::socket::Socket;

/// Time between two calls, unless the script says otherwise.
const TICK_NS: u64 = 1_000;

#[derive(Debug, Clone)]
pub enum Step {
    In(Vec<Vec<u8>>),
    Out(Vec<Vec<u8>>),
    UnreadableIn(u64),
    UnreadableOut(u64),
    Wait(u64),
    PeerFin,
    LocalFin,
    Close(u16),
}

/// What happens on a socket, call by call.
#[derive(Debug, Clone, Default)]
pub struct Script {
    pub steps: Vec<Step>,
    pub joined: bool,
    /// Records that do not reach the agent, by their number on the ring.
    pub dropped: Vec<usize>,
}

/// When the agent looks at the flow, and when it drains the ring.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Look {
    /// Records only, drained after every step.
    Never,
    /// After every step: the ring, then a sweep.
    Behind,
    /// After every step: a sweep, then the ring. The sweep is ahead of the records.
    Ahead,
    /// By the bits of a number: bit 0 of each pair drains, bit 1 sweeps.
    Bits(u64),
}

/// Everything that the agent's stages said about a script.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Told {
    pub exchanges: Vec<Seen>,
    pub unattributed: BTreeMap<&'static str, u64>,
    pub desynced: BTreeMap<&'static str, u32>,
    pub lost: u32,
    pub malformed: u32,
}

impl Script {
    /// A new connection.
    pub fn new() -> Self {
        Self::default()
    }

    /// A connection that was open before the agent began.
    pub fn joined() -> Self {
        Self { joined: true, ..Self::default() }
    }

    /// The server receives bytes with one call.
    pub fn recv(mut self, bytes: impl AsRef<[u8]>) -> Self {
        self.steps.push(Step::In(vec![bytes.as_ref().to_vec()]));
        self
    }

    /// The server sends bytes with one call.
    pub fn send(mut self, bytes: impl AsRef<[u8]>) -> Self {
        self.steps.push(Step::Out(vec![bytes.as_ref().to_vec()]));
        self
    }

    /// Calls of `size` bytes each.
    pub fn recv_by(self, size: usize, bytes: impl AsRef<[u8]>) -> Self {
        bytes.as_ref().chunks(size).fold(self, Self::recv)
    }

    /// Likewise.
    pub fn send_by(self, size: usize, bytes: impl AsRef<[u8]>) -> Self {
        bytes.as_ref().chunks(size).fold(self, Self::send)
    }

    pub fn then(mut self, step: Step) -> Self {
        self.steps.push(step);
        self
    }

    pub fn wait(self, ns: u64) -> Self {
        self.then(Step::Wait(ns))
    }

    /// The client closes after the last response, as it should be.
    pub fn close(self) -> Self {
        self.then(Step::PeerFin).then(Step::LocalFin).then(Step::Close(0))
    }

    /// The records with these numbers are lost.
    pub fn drop_records(mut self, numbers: &[usize]) -> Self {
        self.dropped.extend_from_slice(numbers);
        self
    }

    /// Runs it with and without sweeps: what is told must be the same.
    pub fn told(&self) -> Told {
        let told = self.run(Look::Never).0;
        for look in [Look::Behind, Look::Ahead, Look::Bits(0x1b), Look::Bits(0x9c_a3_5e_71), Look::Bits(2)] {
            let mut other = self.run(look).0;
            // A sweep may catch the reason of a loss before the next head wipes it out.
            let sum = |told: &Told| told.unattributed.values().sum::<u64>();
            assert_eq!(sum(&other), sum(&told), "sweeps {look:?} change how much is nobody's");
            other.unattributed.clone_from(&told.unattributed);
            assert_eq!(other, told, "sweeps {look:?} change what is told (left: with, right: without)");
        }
        told
    }

    /// Runs it: what was told, and the journal of events.
    pub fn run(&self, look: Look) -> (Told, Vec<String>) {
        let mut socket = if self.joined { Socket::joined() } else { Socket::fresh() };
        let mut agent = Agent::default();
        let mut now_ns = TICK_NS;
        let mut drained = 0;
        for (index, step) in self.steps.iter().enumerate() {
            now_ns += TICK_NS;
            if let Step::Wait(ns) = step {
                now_ns += ns;
            }
            socket.take(step, now_ns);
            // The storage of a closed socket is gone.
            let open = !matches!(step, Step::Close(_));
            let (drain, sweep) = match look {
                Look::Never | Look::Ahead => (true, false),
                Look::Behind => (true, true),
                Look::Bits(bits) => {
                    let pair = bits.rotate_right(2 * index as u32);
                    (pair & 1 != 0, pair & 2 != 0)
                }
            };
            if look == Look::Ahead && open {
                agent.take(&socket.frame(), true);
            }
            if drain || !open {
                self.drain(&mut agent, &socket, &mut drained);
            }
            if sweep && open {
                agent.take(&socket.frame(), true);
            }
        }
        self.drain(&mut agent, &socket, &mut drained);
        self.check_sums(&agent, &socket);
        let journal = std::mem::take(&mut agent.journal);
        let Agent { seen, unattributed, desynced, lost, malformed, .. } = agent;
        (Told { exchanges: seen, unattributed, desynced, lost, malformed }, journal)
    }

    fn drain(&self, agent: &mut Agent, socket: &Socket, drained: &mut usize) {
        for (number, record) in socket.ring.iter().enumerate().skip(*drained) {
            if !self.dropped.contains(&number) {
                agent.take(record, false);
            }
        }
        *drained = socket.ring.len();
    }

    /// Every byte is given to exactly one exchange, or to none with a reason.
    fn check_sums(&self, agent: &Agent, socket: &Socket) {
        let header = &socket.flow.header;
        if !matches!(self.steps.last(), Some(Step::Close(_))) {
            return;
        }
        assert_eq!([header.inbound.total, header.outbound.total], [header.kernel_in, header.kernel_out], "audit");
        let moved: u64 = agent.seen.iter().map(|seen| seen.moved[0] + seen.moved[1]).sum();
        let unattributed: u64 = agent.unattributed.values().sum();
        assert_eq!(moved + unattributed, header.kernel_in + header.kernel_out, "every byte once");
        for (id, seen) in agent.seen.iter().enumerate() {
            assert!(seen.released, "exchange {id} is never released");
        }
    }
}

impl Told {
    /// Nothing was lost, given to nobody, or guessed.
    pub fn clean(self) -> Self {
        assert_eq!(self.unattributed, BTreeMap::new(), "bytes of nobody");
        assert_eq!(self.desynced, BTreeMap::new());
        assert_eq!((self.lost, self.malformed), (0, 0), "lost, malformed");
        self
    }

    /// The result of the exchange with this number.
    pub fn finished(&self, id: usize) -> Finished {
        self.exchanges[id].finished.expect("the exchange is over")
    }

    /// Status and outcome of each exchange.
    pub fn results(&self) -> Vec<(Option<u16>, Outcome)> {
        let finished = self.exchanges.iter().map(|seen| seen.finished.expect("the exchange is over"));
        finished.map(|finished| (finished.status, finished.outcome)).collect()
    }

    /// Sizes of each exchange: request and response as (head, body, framing).
    pub fn sizes(&self) -> Vec<[(u64, u64, u64); 2]> {
        let apart = |bytes: MessageBytes| (bytes.head, bytes.body, bytes.framing);
        let finished = self.exchanges.iter().map(|seen| seen.finished.expect("the exchange is over"));
        finished.map(|finished| [apart(finished.request), apart(finished.response)]).collect()
    }

    /// Bytes told as they moved, of each exchange.
    pub fn moved(&self) -> Vec<[u64; 2]> {
        self.exchanges.iter().map(|seen| seen.moved).collect()
    }
}
