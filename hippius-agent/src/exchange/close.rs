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
        if response.lost {
            return Outcome::Unobserved;
        }
        if response.complete {
            return Outcome::Complete;
        }
        // A client has the whole body only once it has read up to the server's FIN.
        let whole = is_set(flag::SERVER_FIN) && (!is_set(flag::CLIENT) || is_set(flag::FIN_READ));
        if response.framing == Framing::UntilClose && whole && header.error == 0 {
            return Outcome::Complete;
        }
    }
    if header.outbound.phase == phase::LOST || header.inbound.phase == phase::LOST {
        return Outcome::Unobserved;
    }
    if is_set(flag::CLIENT) {
        return at_client(header);
    }
    match header.error {
        ETIMEDOUT => Outcome::Timeout,
        // The kernel notes an error when the peer resets the connection, or when it is written to afterwards.
        error if error != 0 => Outcome::ClientAbort,
        _ if is_set(flag::CLIENT_FIN_FIRST) => Outcome::ClientAbort,
        _ => Outcome::ServerAbort,
    }
}

/// The same where the client's end is watched: the kernel notes an error there when the server resets the connection,
/// and nothing when the client itself does.
fn at_client(header: &FlowHeader) -> Outcome {
    match header.error {
        ETIMEDOUT => Outcome::Timeout,
        error if error != 0 => Outcome::ServerAbort,
        _ if header.flags & flag::CLIENT_FIN_FIRST != 0 => Outcome::ClientAbort,
        _ if header.flags & flag::SERVER_FIN != 0 => Outcome::ServerAbort,
        _ => Outcome::ClientAbort,
    }
}
