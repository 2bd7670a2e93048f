//! What time it is.

use aya_ebpf::helpers::generated::{bpf_jiffies64, bpf_ktime_get_ns};

/// Now, `CLOCK_MONOTONIC` in nanoseconds.
#[inline(always)]
pub fn now() -> u64 {
    // SAFETY: no precondition.
    unsafe { bpf_ktime_get_ns() }
}

/// Which of the kernel's ticks it is, of 1 to 10 ms each (`CONFIG_HZ`). No call, but a load.
#[inline(always)]
pub fn tick() -> u64 {
    // SAFETY: no precondition.
    unsafe { bpf_jiffies64() }
}
