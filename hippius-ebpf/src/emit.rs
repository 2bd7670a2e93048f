//! The only writer to the ring.

use core::ffi::c_void;

use aya_ebpf::Global;
use aya_ebpf::helpers::generated::{bpf_ringbuf_output, bpf_ringbuf_query, bpf_ringbuf_reserve, bpf_ringbuf_submit};
use hippius_common::flow::{CAPTURE_BYTES, Connected, Flow, FlowHeader, Named};
use hippius_common::loss::{self, LossReason};
use hippius_common::started::{Program, Started};
use hippius_common::tls::Asked;

use crate::maps::{LOSSES, MapPointer, RECORDS};

const BPF_RB_NO_WAKEUP: u64 = 1;
const BPF_RB_FORCE_WAKEUP: u64 = 2;
const BPF_RB_AVAIL_DATA: u64 = 0;

/// The agent is woken when so many bytes wait, a power of two; below that it looks by itself now and then.
#[unsafe(no_mangle)]
static WAKE_BYTES: Global<u64> = Global::new(256 * 1024);

/// What a record of this size takes in the ring (kernel/bpf/ringbuf.c, `__bpf_ringbuf_reserve`).
#[inline(always)]
fn taken(size: u64) -> u64 {
    const HEADER: u64 = 8;
    (size + HEADER + 7) & !7
}

/// Writes the header and the captured bytes.
#[inline(always)]
pub fn record(flow: &mut Flow) {
    let captured = u64::from(flow.header.in_len) + u64::from(flow.header.out_len);
    let captured = if captured > CAPTURE_BYTES as u64 { CAPTURE_BYTES as u64 } else { captured };
    let size = size_of::<FlowHeader>() as u64 + captured;
    write((&raw mut *flow).cast(), size);
}

/// Writes a header alone.
#[inline(always)]
pub fn header(header: &mut FlowHeader) {
    write((&raw mut *header).cast(), size_of::<FlowHeader>() as u64);
}

/// Writes whom a client is connected with.
#[inline(always)]
pub fn connected(connected: &mut Connected) {
    write((&raw mut *connected).cast(), size_of::<Connected>() as u64);
}

/// Writes the name that a Unix socket was accepted under.
#[inline(always)]
pub fn named(named: &mut Named) {
    write((&raw mut *named).cast(), size_of::<Named>() as u64);
}

/// Asks the agent about a process.
#[inline(always)]
pub fn asked(asked: &mut Asked) {
    write((&raw mut *asked).cast(), size_of::<Asked>() as u64);
}

/// Tells of a process that was forked. False if there is no room.
#[inline(always)]
pub fn started(started: &mut Started) -> bool {
    write((&raw mut *started).cast(), size_of::<Started>() as u64)
}

/// Tells of a process that has begun to run a program, as `fill` writes it: into the ring, for there is no other place that
/// is large enough and that no other program may come upon. False if there is no room. The agent is woken: until it has
/// answered, what the process does is captured.
#[inline(always)]
pub fn program(fill: impl FnOnce(&mut Program)) -> bool {
    // SAFETY: reserves a place in a map of this object, or gives null.
    let place = unsafe { bpf_ringbuf_reserve(RECORDS.pointer(), size_of::<Program>() as u64, 0) };
    if place.is_null() {
        count_loss(loss::RING_FULL);
        return false;
    }
    // SAFETY: a place of this size, as aligned, that is nobody else's until it is handed over; plain numbers.
    unsafe {
        fill(&mut *place.cast::<Program>());
        bpf_ringbuf_submit(place, BPF_RB_FORCE_WAKEUP);
    }
    true
}

#[inline(always)]
fn write(record: *mut c_void, size: u64) -> bool {
    let ring = RECORDS.pointer();
    // SAFETY: the ring is a map of this object.
    let waiting = unsafe { bpf_ringbuf_query(ring, BPF_RB_AVAIL_DATA) };
    // At each multiple, not at the first alone: two processors that write in the same moment may both be below it.
    let crosses = (waiting ^ (waiting + taken(size))) & WAKE_BYTES.load().wrapping_neg() != 0;
    let flags = if crosses { BPF_RB_FORCE_WAKEUP } else { BPF_RB_NO_WAKEUP };
    // SAFETY: a record is at most a header and the capture, which lie side by side in a flow; the verifier checks it.
    let result = unsafe { bpf_ringbuf_output(ring, record, size, flags) };
    if result != 0 {
        count_loss(loss::RING_FULL);
    }
    result == 0
}

/// Counts one loss.
#[inline(always)]
pub fn count_loss(reason: LossReason) {
    if let Some(counter) = LOSSES.get_ptr_mut(reason) {
        // SAFETY: this processor's own slot of a per-CPU array.
        unsafe { *counter += 1 };
    }
}
