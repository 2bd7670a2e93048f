//! Where the counting of a socket begins.

use hippius_common::flow::{Flow, flag};
use hippius_common::loss;
use hippius_ebpf::capture::lose;

use crate::kernel::socket::{Counters, Socket};

/// What a socket had moved before the call that is the first to be seen.
#[derive(Clone, Copy)]
pub struct Before {
    /// The kernel's counters after that call.
    pub counters: Counters,
    /// Bytes read before.
    pub read: u64,
    /// Bytes accepted for sending before; of an active open, the SYN is one of them.
    pub accepted: u64,
    /// Nothing moved before.
    pub fresh: bool,
}

impl Before {
    /// `bytes` were moved by the first call that is seen. `None` for what is no TCP.
    #[inline(always)]
    pub fn of<const SEND: bool>(socket: Socket, bytes: u64, born: bool) -> Option<Self> {
        let tcp = socket.tcp();
        if tcp.is_null() {
            return None;
        }
        let counters = socket.counters(tcp);
        let read = if SEND { counters.read } else { counters.read.wrapping_sub(bytes) };
        let accepted = if SEND { counters.accepted.wrapping_sub(bytes) } else { counters.accepted };
        Some(Self { counters, read, accepted, fresh: born || (read == 0 && accepted <= 1) })
    }

    /// Begins the flow there.
    #[inline(always)]
    pub fn apply<const SEND: bool>(&self, flow: &mut Flow, bytes: u64) {
        // The sequence number up to which everything is accounted for: of a fresh connection the very first one, so that
        // what left it without a hook is found missing.
        let fin = u32::from(self.counters.fin_read);
        let read = if self.fresh {
            self.counters.read as u32
        } else if SEND {
            0
        } else {
            bytes as u32
        };
        flow.copied_seq = self.counters.copied_seq.wrapping_sub(read).wrapping_sub(fin);
        if self.fresh {
            flow.base_out = self.accepted & 1;
            return;
        }
        flow.base_in = self.read;
        flow.base_out = self.accepted;
        flow.header.flags |= flag::BEFORE_START;
        lose::<false>(flow, loss::BEFORE_START);
        lose::<true>(flow, loss::BEFORE_START);
    }
}
