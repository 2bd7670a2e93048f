//! Kernel programs of the Hippius agent: hook → capture → emit.
#![no_std]
#![no_main]
// `core::sync::atomic` has no exchange for the BPF target; the instruction exists since 5.12.
#![feature(core_intrinsics)]
#![expect(internal_features, reason = "the exchange is only to be had as an intrinsic")]

mod call;
mod calls;
mod emit;
mod flows;
mod hooks;
mod kernel;
mod maps;
mod origin;
mod sessions;
mod starts;
mod storage;

/// Its name is [`hippius_common::ABI_GLOBAL`]: the loader refuses an object that has no global of this name.
#[unsafe(no_mangle)]
static ABI_8: aya_ebpf::Global<u32> = aya_ebpf::Global::new(0);

#[panic_handler]
fn panic(_info: &core::panic::PanicInfo<'_>) -> ! {
    loop {}
}

/// The kernel offers the helpers that read its memory to GPL-compatible programs only.
#[unsafe(link_section = "license")]
#[unsafe(no_mangle)]
static LICENSE: [u8; 13] = *b"Dual MIT/GPL\0";
