//! Types for addresses that the verifier knows nothing of, where the kernel can give them (`bpf_rdonly_cast`, since 6.2).

use core::ffi::c_void;

use aya_ebpf::Global;
use aya_ebpf::helpers::generated::bpf_probe_read_kernel;
use hippius_common::fields::{ABSENT, RDONLY_CAST_CALL};

use super::fields::{Kernel, POINTER, RDONLY_CAST};

type Cast = unsafe extern "C" fn(*const c_void, u32) -> *const c_void;

/// Whether [`cast`] may be called.
#[inline(always)]
pub fn is_possible() -> bool {
    RDONLY_CAST.load() != ABSENT
}

/// The address as a pointer to a structure, by its number. What is read of it is checked by no one: an address that is
/// none reads as zero, and one of something else as whatever stands there.
#[inline(always)]
pub fn cast(address: *const u8, structure: &Global<u32>) -> Kernel {
    // SAFETY: no address of a function, but the number of one, as all helpers are called.
    let cast = unsafe { core::mem::transmute::<usize, Cast>(RDONLY_CAST_CALL as usize) };
    // SAFETY: the verifier puts a move in place of the call (kernel/bpf/verifier.c, fixup_kfunc_call).
    Kernel(unsafe { cast(address.cast(), structure.load()) }.cast())
}

/// The pointer that stands at an address of the kernel's, as a number; 0 if nothing can be read there.
#[inline(always)]
pub fn pointer_at(address: u64) -> u64 {
    if is_possible() {
        return cast(address as *const u8, &POINTER).read_at::<u64>(0);
    }
    let mut pointer = 0u64;
    // SAFETY: writes eight bytes to the stack; a bad address is an error, not a fault.
    let result = unsafe { bpf_probe_read_kernel((&raw mut pointer).cast(), 8, address as *const c_void) };
    if result == 0 { pointer } else { 0 }
}
