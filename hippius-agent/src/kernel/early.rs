//! Records that were written while the programs for clients were still being loaded.
//!
//! Servers are watched by then, and the ring is not large enough to wait for the verifier.

use std::os::fd::AsRawFd;
use std::time::Duration;

use aya::maps::{MapData, RingBuf};

/// What is kept at most, in bytes. What comes after it waits in the ring, and is counted as lost where that is full.
const LIMIT: usize = 16 << 20;

/// They, in their order.
#[derive(Debug, Default)]
pub struct Early {
    records: Vec<Box<[u8]>>,
    bytes: usize,
}

impl Early {
    /// Keeps one.
    pub fn keep(&mut self, record: &[u8]) {
        self.bytes += record.len();
        self.records.push(record.into());
    }

    /// Keeps what the ring holds.
    pub fn drain(&mut self, ring: &mut RingBuf<MapData>) {
        while self.bytes < LIMIT {
            let Some(item) = ring.next() else { return };
            self.keep(&item);
        }
    }

    /// Gives them all.
    pub fn take(&mut self) -> Vec<Box<[u8]>> {
        self.bytes = 0;
        std::mem::take(&mut self.records)
    }
}

/// Waits until the ring holds more than the wake threshold, or `timeout` is over.
pub fn wait(ring: &RingBuf<MapData>, timeout: Duration) {
    let mut poll = libc::pollfd { fd: ring.as_raw_fd(), events: libc::POLLIN, revents: 0 };
    let timeout = i32::try_from(timeout.as_millis()).unwrap_or(i32::MAX);
    // SAFETY: one descriptor that the ring owns. An error is an early return, and harmless.
    unsafe { libc::poll(&raw mut poll, 1, timeout) };
}
