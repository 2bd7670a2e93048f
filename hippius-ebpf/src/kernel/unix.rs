//! What is read of `struct unix_sock`, which begins with its `struct sock`.

use aya_ebpf::helpers::generated::bpf_probe_read_kernel;
use hippius_common::flow::{Named, UNIX_NAME_BYTES};
use hippius_ebpf::capture::memory::{load, store};

use super::cast::pointer_at;
use super::fields::{UNIX_ADDRESS, UNIX_NAME, UNIX_NAME_LEN};
use super::socket::Socket;

/// `sun_family` of `struct sockaddr_un`, which stands before the name.
const FAMILY_BYTES: u64 = 2;

/// Address of a socket's `struct unix_address`: of an accepted one that of its listener, of one that connects most often
/// none, 0. Other kinds than streams have none here either.
#[inline(always)]
pub fn stream_address(socket: Socket) -> u64 {
    if !socket.is_stream() {
        return 0;
    }
    // Behind the `struct sock` whose type the verifier knows, so not to be loaded directly.
    pointer_at(socket.address() + u64::from(UNIX_ADDRESS.load()))
}

/// Reads the name into `named`.
#[inline(always)]
pub fn read_name(socket: Socket, named: &mut Named) {
    let address = stream_address(socket);
    let mut len = 0u32;
    // SAFETY: writes four bytes to the stack; a bad address is an error, not a fault.
    let result = unsafe {
        let from = address.wrapping_add(u64::from(UNIX_NAME_LEN.load()));
        bpf_probe_read_kernel((&raw mut len).cast(), 4, from as *const core::ffi::c_void)
    };
    // Goes through memory, so that the verifier compares the very number that is used.
    store(&mut named.len, if result == 0 { len.wrapping_sub(FAMILY_BYTES as u32) } else { 0 });
    let len = load(&named.len);
    let len = if len > UNIX_NAME_BYTES as u32 { UNIX_NAME_BYTES as u32 } else { len };
    let from = address.wrapping_add(u64::from(UNIX_NAME.load())).wrapping_add(FAMILY_BYTES);
    // SAFETY: the name holds UNIX_NAME_BYTES; a bad address is an error, not a fault.
    let result =
        unsafe { bpf_probe_read_kernel(named.name.as_mut_ptr().cast(), len, from as *const core::ffi::c_void) };
    named.len = if result == 0 { len } else { 0 };
}
