//! The last hour, for the overview page and `hippius-agent top`.
//!
//! [`History::sample`] is called every few seconds with a snapshot of the series and the text of the other families. It
//! keeps what moved since the call before as a [`frame`]: 120 of one interval each, and 120 of six intervals each. What
//! is asked later is answered from here: nobody who looks at the page touches the recorder.
//!
//! # Memory
//!
//! A frame has a fixed room ([`SHORT_ROOM`], [`LONG_ROOM`]), so that all of them take 3.75 MiB at most, whatever the
//! number of accounts. What does not fit is added up: the busiest accounts of an interval keep their names, the others
//! stand together. Sums over accounts stay exact, and so do all totals, which are read from the snapshot. Besides the
//! frames there are the last snapshot (the numeric columns of all series once more), what each account did in the last
//! interval (16 bytes for each of its series of requests, bytes and operations that moved), and at most 384 series of the other families (a
//! KiB each), and outgoing calls by at most 257 names (1.5 KiB each).

pub mod answer;
pub mod connections;
pub mod filter;
pub mod frame;
pub mod gauges;
pub mod names;
pub mod overview;
pub mod table;

mod calls;
mod labels;
mod panels;
mod rows;
mod sampler;
mod state;
mod watched;

use std::collections::{HashMap, VecDeque};

use calls::Calls;
use frame::{Entry, Frame, metric};
use gauges::{Gauges, POINTS};
use names::{People, Person, REST, Tails};
use sampler::Sampler;
use state::Facts;

use crate::record::series::snapshot::Snapshot;

/// Seconds between two samples.
pub const INTERVAL_S: u32 = 5;

/// How many short intervals make a long one.
pub const MERGE: usize = 6;

/// Bytes of a frame of one interval, and of a frame of six.
const SHORT_ROOM: usize = 12 << 10;
const LONG_ROOM: usize = 20 << 10;

/// Whether the values of a polled family are kept; of the others all lines are wanted.
pub fn reads(name: &str) -> bool {
    watched::WATCHED.iter().any(|watched| watched.name == name)
}

/// What is kept of the last hour.
#[derive(Debug, Default)]
pub struct History {
    short: VecDeque<Frame>,
    long: VecDeque<Frame>,
    samples: u64,
    tails: Tails,
    people: People,
    gauges: Gauges,
    sampler: Sampler,
    facts: Facts,
    calls: Calls,
    /// What moved in the last interval, all accounts by their slot in the series store and one.
    latest: Vec<Entry>,
    latest_ms: u32,
    unix_s: f64,
    last_ns: u64,
}

/// The moment of a sample on both clocks.
#[derive(Debug, Clone, Copy)]
pub struct Moment {
    /// Seconds since 1970.
    pub unix_s: f64,
    /// Nanoseconds of a clock that never jumps.
    pub monotonic_ns: u64,
}

impl History {
    /// Takes a sample: the series, and the page of all other families in the text format.
    pub fn sample(&mut self, snapshot: Snapshot, text: &str, now: Moment) {
        let interval_ms = (now.monotonic_ns.saturating_sub(self.last_ns) / 1_000_000).clamp(1, u64::from(u32::MAX));
        let interval_ms = interval_ms as u32;
        (self.last_ns, self.unix_s) = (now.monotonic_ns, now.unix_s);
        self.facts.read(text);
        self.calls.sample(text);
        self.gauges.derive(self.calls.derived());
        let Some(moves) = self.sampler.sample(snapshot, &mut self.tails) else {
            // The first look: there is nothing to compare with.
            return self.gauges.sample(text, &[], now.unix_s, None, None);
        };
        self.samples += 1;
        let merge = self.samples.is_multiple_of(MERGE as u64).then_some(MERGE);
        let seconds = f64::from(interval_ms) / 1000.0;
        self.gauges.sample(text, &moves.in_flight, now.unix_s, Some(seconds), merge);
        self.latest_ms = interval_ms;
        self.frame(moves.entries, interval_ms);
        if merge.is_some() {
            self.merge();
        }
    }

    /// Bytes of frames, gauges and calls, for the page about the agent itself.
    pub fn bytes(&self) -> usize {
        self.short.iter().chain(&self.long).map(Frame::bytes).sum::<usize>() + self.gauges.bytes() + self.calls.bytes()
    }

    /// How many samples there were.
    pub fn samples(&self) -> u64 {
        self.samples
    }

    /// Keeps an interval: those that fit by name, the rest together.
    fn frame(&mut self, mut entries: Vec<Entry>, interval_ms: u32) {
        frame::combine(&mut entries);
        self.latest.clear();
        self.latest.extend(entries.iter().filter(|entry| entry.metric() < metric::S3_ERRORS));
        self.latest.shrink_to(2 * self.latest.len());
        let partial = frame::fit(&mut entries, SHORT_ROOM);
        // Slots are given again to other accounts; from here on accounts have a number of ours.
        let Some(snapshot) = self.sampler.last() else { return };
        let mut ids = HashMap::from([(REST, REST)]);
        for entry in &mut entries {
            let slot = entry.account();
            let people = &mut self.people;
            let id = ids.entry(slot).or_insert_with(|| people.id(Person::read(snapshot.account(slot - 1))));
            *entry = entry.of(*id);
        }
        frame::combine(&mut entries);
        let frame = Frame::new(interval_ms, &entries, partial);
        self.people.hold(&frame.accounts);
        push(&mut self.short, &mut self.people, frame);
    }

    /// Makes a long interval of the last short ones.
    fn merge(&mut self) {
        let last = || self.short.iter().rev().take(MERGE);
        let mut entries: Vec<Entry> = last().flat_map(Frame::entries).collect();
        let interval_ms = last().map(|frame| frame.interval_ms).sum();
        let folded = last().any(|frame| frame.partial);
        frame::combine(&mut entries);
        let partial = frame::fit(&mut entries, LONG_ROOM) || folded;
        let frame = Frame::new(interval_ms, &entries, partial);
        self.people.hold(&frame.accounts);
        push(&mut self.long, &mut self.people, frame);
    }
}

fn push(frames: &mut VecDeque<Frame>, people: &mut People, frame: Frame) {
    if frames.len() >= POINTS
        && let Some(old) = frames.pop_front()
    {
        people.release(&old.accounts);
    }
    frames.push_back(frame);
}

#[cfg(test)]
mod tests;
