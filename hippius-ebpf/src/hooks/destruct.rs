//! The end of a socket, where the kernel does not end the state by itself.

use aya_ebpf::macros::fentry;
use aya_ebpf::programs::FEntryContext;

use crate::{flows, storage};

/// Needed only where state is kept by address.
///
/// match-proto: void inet_sock_destruct(struct sock *sk), since 4.1
#[fentry(function = "inet_sock_destruct")]
pub fn inet_sock_destruct(ctx: FEntryContext) -> i32 {
    storage::forget(flows::socket(ctx.arg::<*const u8>(0)));
    0
}
