//! How an exchange ended whose connection is gone.

use hippius_common::flow::{FlowHeader, flag, phase};

use super::pair::Exchange;
use super::{Framing, Outcome};

/// `ETIMEDOUT` (include/uapi/asm-generic/errno.h)
const ETIMEDOUT: u16 = 110;

/// The outcome of an exchange that was under way when the connection closed.
pub(super) fn outcome(exchange: &Exchange, header: &FlowHeader) -> Outcome {
    let is_set = |bit: u16| header.flags & bit != 0;
    if let Some(response) = &exchange.response {
        if response.complete {
            return Outcome::Complete;
        }
        if response.framing == Framing::UntilClose && is_set(flag::SERVER_FIN) && header.error == 0 {
            return Outcome::Complete;
        }
    }
    if header.outbound.phase == phase::LOST || header.inbound.phase == phase::LOST {
        return Outcome::Unobserved;
    }
    match header.error {
        ETIMEDOUT => Outcome::Timeout,
        // The kernel notes an error when the peer resets the connection, or when it is written to afterwards.
        error if error != 0 => Outcome::ClientAbort,
        _ if is_set(flag::CLIENT_FIN_FIRST) => Outcome::ClientAbort,
        _ => Outcome::ServerAbort,
    }
}
