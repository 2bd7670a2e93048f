//! Records of one socket in order: heads put together from the pieces in which they were captured.
//!
//! The kernel side says where heads begin; this stage puts a head that came in several pieces together again, drops
//! what a sweep tells a second time, and decodes. It knows nothing of what belongs to what.

mod stream;

pub use stream::{RequestTaken, ResponseTaken, Stream};

use hippius_common::flow::{FlowHeader, Side};

/// Both directions of one connection.
#[derive(Debug, Default)]
pub struct Connection {
    /// Heads of requests.
    pub inbound: Stream,
    /// Heads of responses.
    pub outbound: Stream,
}

impl Connection {
    /// Whether a sweep's view may be used: not when a head lies between it and what was seen, for that head's record is
    /// still on its way, and not when it is older than what was seen.
    pub fn accepts(&self, header: &FlowHeader) -> bool {
        let fits = |stream: &Stream, side: &Side, captured: u16, at: u64| {
            // A captured head that ends in the frame may be the missing one.
            let shown = captured != 0 && at == side.head_at && side.head_len == 0 && side.want == 0;
            side.messages == stream.messages || (shown && side.messages == stream.messages.wrapping_add(1))
        };
        fits(&self.inbound, &header.inbound, header.in_len, header.in_at)
            && fits(&self.outbound, &header.outbound, header.out_len, header.out_at)
    }
}
