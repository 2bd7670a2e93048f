//! A look at all flows that moved lately, when the agent asks for one: what a record has not told yet.

use core::ffi::c_void;

use aya_ebpf::helpers::generated::bpf_seq_write;
use hippius_common::flow::{CAPTURE_BYTES, Flow, FlowHeader, flag};

use crate::kernel::fields::{Kernel, SK_FLAGS};
use crate::maps::SWEEP_SINCE;

/// `enum sock_flags` in include/net/sock.h: the first flag. Set when the process has closed the socket, which may live on.
const SOCK_DEAD: u64 = 1;

/// `struct bpf_iter__bpf_sk_storage_map` (net/core/bpf_sk_storage.c); part of the iterator's stable interface.
#[repr(C)]
struct Visit {
    meta: *const Meta,
    map: *const c_void,
    socket: *const u8,
    flow: *mut Flow,
}

/// `struct bpf_iter_meta` (include/linux/bpf.h).
#[repr(C)]
struct Meta {
    seq: *mut c_void,
}

/// match-proto: int bpf_iter_bpf_sk_storage_map(struct bpf_iter_meta *meta, struct bpf_map *map, struct sock *sk, void *value), since 5.9
#[unsafe(no_mangle)]
#[unsafe(link_section = "iter/bpf_sk_storage_map")]
extern "C" fn sweep(visit: *const Visit) -> i32 {
    // SAFETY: the context of this iterator; the verifier checks each access.
    let (flow, seq, socket) = unsafe { ((*visit).flow, (*(*visit).meta).seq, Kernel((*visit).socket)) };
    let dead = !socket.is_null() && socket.read::<u64>(&SK_FLAGS) & SOCK_DEAD != 0;
    show(flow, seq, !dead)
}

/// `struct bpf_iter__bpf_map_elem` (kernel/bpf/map_iter.c); likewise.
#[repr(C)]
struct VisitByAddress {
    meta: *const Meta,
    map: *const c_void,
    key: *const u64,
    flow: *mut Flow,
}

/// For kernels without socket storage.
///
/// match-proto: int bpf_iter_bpf_map_elem(struct bpf_iter_meta *meta, struct bpf_map *map, void *key, void *value), since 5.9
#[unsafe(no_mangle)]
#[unsafe(link_section = "iter/bpf_map_elem")]
extern "C" fn sweep_by_address(visit: *const VisitByAddress) -> i32 {
    // SAFETY: the context of this iterator; the verifier checks each access.
    let (flow, seq) = unsafe { ((*visit).flow, (*(*visit).meta).seq) };
    show(flow, seq, true)
}

#[inline(always)]
fn show(flow: *mut Flow, seq: *mut c_void, open: bool) -> i32 {
    if flow.is_null() {
        return 0;
    }
    let Some(since) = SWEEP_SINCE.get(0) else { return 0 };
    // SAFETY: not null; the value of the storage map, read while hooks may write: the version tells.
    let (version, moved, captured) = unsafe {
        let header = &raw const (*flow).header;
        let inbound = (&raw const (*header).inbound.last_ns).read_volatile();
        let outbound = (&raw const (*header).outbound.last_ns).read_volatile();
        let captured = u64::from((&raw const (*header).in_len).read_volatile())
            + u64::from((&raw const (*header).out_len).read_volatile());
        ((&raw const (*header).version).read_volatile(), inbound.max(outbound), captured)
    };
    let only_unix = SWEEP_SINCE.get(1).is_some_and(|only| *only != 0);
    let captured = if only_unix { 0 } else { captured };
    if only_unix {
        // SAFETY: not null.
        let flags = unsafe { (&raw const (*flow).header.flags).read_volatile() };
        if !open || flags & flag::UNIX == 0 {
            return 0;
        }
    } else if moved < *since {
        return 0;
    }
    let captured = if captured > CAPTURE_BYTES as u64 { CAPTURE_BYTES as u64 } else { captured };
    let size = size_of::<FlowHeader>() as u64 + captured;
    let mut frame = [size, u64::from(version)];
    // SAFETY: the sequence file is the context's; sizes are bounded by what they point to.
    unsafe {
        bpf_seq_write(seq.cast(), frame.as_mut_ptr().cast(), 16);
        bpf_seq_write(seq.cast(), flow.cast(), size as u32);
        frame[0] = u64::from((&raw const (*flow).header.version).read_volatile());
        bpf_seq_write(seq.cast(), frame.as_mut_ptr().cast(), 8);
    }
    0
}
