//! Replies that were seen before their request: two threads on one socket, whose calls end in another order.

use zeroize::Zeroizing;

use super::{Reason, Times};

/// Most bytes that wait for the request that they answer.
const MOST_BYTES: usize = 4096;

/// A few bytes of replies, wiped when they are done with.
#[derive(Debug, Default)]
pub struct Held {
    bytes: Zeroizing<Vec<u8>>,
    last_ns: u64,
}

impl Held {
    /// Adds bytes that follow those that are here.
    pub fn add(&mut self, bytes: &[u8], times: Times) -> Result<(), Reason> {
        if self.bytes.len() + bytes.len() > MOST_BYTES {
            return Err(Reason::Unpaired);
        }
        if self.bytes.capacity() == 0 {
            // At once, so that growing leaves no copy behind.
            self.bytes.reserve_exact(MOST_BYTES);
        }
        self.bytes.extend_from_slice(bytes);
        self.last_ns = times.last_ns;
        Ok(())
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.bytes.is_empty()
    }

    /// All of them.
    pub fn take(&mut self) -> (Zeroizing<Vec<u8>>, Times) {
        let times = Times { first_ns: self.last_ns, last_ns: self.last_ns };
        (std::mem::take(&mut self.bytes), times)
    }
}
