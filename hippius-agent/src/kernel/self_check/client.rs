//! What is true of the client's end.

use std::net::{IpAddr, Ipv6Addr};

use super::connection::Truth;
use super::{Seen, SelfCheckError, same};

pub(super) fn compare(truth: &Truth, seen: &Seen) -> Result<(), SelfCheckError> {
    let last = &seen.client.last;
    let Some(connected) = &seen.connected else { return Err(SelfCheckError::Unseen(truth.name)) };
    let address = match truth.server.ip() {
        IpAddr::V4(address) => address.to_ipv6_mapped(),
        IpAddr::V6(address) => address,
    };
    let halves = |address: Ipv6Addr| {
        let bits = address.to_bits();
        [(bits >> 64) as u64, bits as u64]
    };
    let [found_high, found_low] = halves(Ipv6Addr::from(connected.address));
    let [high, low] = halves(address);
    same(
        truth.name,
        &[
            ("port of the server", u64::from(connected.port), u64::from(truth.server.port())),
            ("address of the server, first half", found_high, high),
            ("address of the server, second half", found_low, low),
            ("bytes that the client sent", last.inbound.total, truth.asked),
            ("bytes that the client received", last.outbound.total, truth.answered),
            ("bytes that the client sent by the kernel's counters", last.kernel_in, truth.asked),
            ("bytes that the client received by the kernel's counters", last.kernel_out, truth.answered),
        ],
    )
}
