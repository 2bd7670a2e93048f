//! What is true of the server's end.

use hippius_common::flow::flag;

use super::connection::Truth;
use super::{Seen, SelfCheckError, same};

pub(super) fn compare(truth: &Truth, seen: &Seen) -> Result<(), SelfCheckError> {
    let last = &seen.server.last;
    let is_ipv6 = u64::from(last.flags & flag::IPV6 != 0);
    let client_ended = u64::from(last.flags & flag::CLIENT_FIN != 0);
    let audited = last.flags & flag::UNAUDITED == 0;
    let [kernel_in, kernel_out] =
        if truth.audited { [truth.received, truth.sent] } else { [last.kernel_in, last.kernel_out] };
    same(
        truth.name,
        &[
            ("IPv6", is_ipv6, 0),
            ("counters of the kernel", u64::from(audited), u64::from(truth.audited)),
            ("received bytes", last.inbound.total, truth.received),
            ("sent bytes", last.outbound.total, truth.sent),
            ("received bytes of the kernel's counters", last.kernel_in, kernel_in),
            ("sent bytes of the kernel's counters", last.kernel_out, kernel_out),
            ("requests", u64::from(last.inbound.messages), 1),
            ("responses", u64::from(last.outbound.messages), 1),
            ("FINs", client_ended, u64::from(truth.peer_ended)),
            ("error", u64::from(last.error), u64::from(truth.error)),
        ],
    )?;
    if seen.server.request != truth.request {
        return Err(SelfCheckError::Bytes("request head"));
    }
    if seen.server.response != truth.response {
        return Err(SelfCheckError::Bytes("response head"));
    }
    Ok(())
}
