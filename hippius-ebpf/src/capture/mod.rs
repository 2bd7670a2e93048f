//! Is this a message head, how much of it is copied, where does the next one begin?
//!
//! Pure: no helper call, no map, no clock. Positions count accepted bytes of one direction. The code is shaped by the
//! verifier: loops are bounded by constants, indices are masked, and what a loop carries lives in the flow.

pub mod bytes;
pub mod chunks;
pub mod head;
pub mod memory;
pub mod protocol;
pub mod settle;
pub mod start;
pub mod stream;
#[cfg(test)]
mod testing;
pub mod walk;

use hippius_common::flow::{Flow, Side};

/// The side of a flow that a program works on.
#[inline(always)]
pub fn side<const OUT: bool>(flow: &Flow) -> &Side {
    if OUT { &flow.header.outbound } else { &flow.header.inbound }
}

/// The side of a flow that a program works on, to change it.
#[inline(always)]
pub fn side_mut<const OUT: bool>(flow: &mut Flow) -> &mut Side {
    if OUT { &mut flow.header.outbound } else { &mut flow.header.inbound }
}

/// Gives up the framing of one side.
#[inline(always)]
pub fn lose<const OUT: bool>(flow: &mut Flow, reason: hippius_common::loss::LossReason) {
    let side = side_mut::<OUT>(flow);
    side.phase = hippius_common::flow::phase::LOST;
    side.lost = reason as u16;
    side.head_len = 0;
    side.want = 0;
    if OUT {
        // Told before a next response can begin: where this one has ended is not known any more.
        flow.ready = 1;
    }
}
