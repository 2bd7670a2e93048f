//! Functions of TLS libraries (OpenSSL 1.1.1 and 3): the plaintext that they take and give.
//!
//! Probes in user space are preemptible and may nest, and since 6.13 the kernel may give such a program a stack that its
//! processor's other programs share. It does so only for programs that need 64 bytes or more and make no tail call
//! (kernel/bpf/verifier.c, check_max_stack_depth), so every program here that needs more ends in one.
//!
//! Return values and stored lengths are read when the function returns, in the calling thread, so that its buffer is
//! still what it was, and resident.

use aya_ebpf::EbpfContext;
use aya_ebpf::helpers::generated::{bpf_get_current_pid_tgid, bpf_probe_read_user, bpf_tail_call};
use aya_ebpf::macros::{uprobe, uretprobe};
use aya_ebpf::programs::{ProbeContext, RetProbeContext};
use hippius_common::loss;
use hippius_common::tls::{Call, SessionKey, function};

use crate::maps::{MapPointer, SSL_IN_ON, SSL_OUT_ON};
use crate::{calls, emit, sessions};

/// `SSL_CTRL_SET_TLSEXT_HOSTNAME` (include/openssl/ssl.h, tls1.h)
const SET_SERVER_NAME: i32 = 55;
/// Stack pointer in `struct pt_regs` (arch/x86/include/uapi/asm/ptrace.h).
const SP: usize = 152;
/// What the return instruction has taken from the stack when a return probe runs.
const RETURN_ADDRESS_BYTES: u64 = 8;

/// int SSL_read(SSL *ssl, void *buf, int num)
#[uprobe]
pub fn ssl_read(ctx: ProbeContext) -> u32 {
    begin(&ctx, function::READ, 0)
}

/// int SSL_write(SSL *ssl, const void *buf, int num)
#[uprobe]
pub fn ssl_write(ctx: ProbeContext) -> u32 {
    begin(&ctx, function::WRITE, 0)
}

/// int SSL_read_ex(SSL *ssl, void *buf, size_t num, size_t *readbytes)
#[uprobe]
pub fn ssl_read_ex(ctx: ProbeContext) -> u32 {
    let length_at = ctx.arg::<u64>(3).unwrap_or_default();
    begin(&ctx, function::READ_EX, length_at)
}

/// int SSL_write_ex(SSL *ssl, const void *buf, size_t num, size_t *written)
#[uprobe]
pub fn ssl_write_ex(ctx: ProbeContext) -> u32 {
    let length_at = ctx.arg::<u64>(3).unwrap_or_default();
    begin(&ctx, function::WRITE_EX, length_at)
}

/// int SSL_do_handshake(SSL *ssl), which SSL_connect and SSL_accept go through
#[uprobe]
pub fn ssl_handshake(ctx: ProbeContext) -> u32 {
    begin(&ctx, function::HANDSHAKE, 0)
}

/// void SSL_set_connect_state(SSL *ssl)
#[uprobe]
pub fn ssl_connects(ctx: ProbeContext) -> u32 {
    if let Some(mut key) = followed(&ctx) {
        sessions::takes_role(&mut key, true);
    }
    never(&ctx)
}

/// void SSL_set_accept_state(SSL *ssl)
#[uprobe]
pub fn ssl_accepts(ctx: ProbeContext) -> u32 {
    if let Some(mut key) = followed(&ctx) {
        sessions::takes_role(&mut key, false);
    }
    never(&ctx)
}

/// long SSL_ctrl(SSL *ssl, int cmd, long larg, void *parg)
#[uprobe]
pub fn ssl_ctrl(ctx: ProbeContext) -> u32 {
    let name = ctx.arg::<u64>(3).unwrap_or_default();
    if ctx.arg::<i32>(1) == Some(SET_SERVER_NAME)
        && name != 0
        && let Some(mut key) = followed(&ctx)
    {
        sessions::names_server(&mut key, name);
    }
    never(&ctx)
}

/// int SSL_shutdown(SSL *ssl)
#[uprobe]
pub fn ssl_shutdown(ctx: ProbeContext) -> u32 {
    if let Some(mut key) = followed(&ctx) {
        sessions::no_more(&mut key, true);
    }
    never(&ctx)
}

/// void SSL_free(SSL *ssl)
#[uprobe]
pub fn ssl_free(ctx: ProbeContext) -> u32 {
    if let Some(mut key) = followed(&ctx) {
        sessions::end(&mut key);
    }
    never(&ctx)
}

/// The end of any of the functions that [`begin`] has noted.
#[uretprobe]
pub fn ssl_returned(ctx: RetProbeContext) -> u32 {
    // SAFETY: no precondition.
    let thread = unsafe { bpf_get_current_pid_tgid() };
    let tgid = (thread >> 32) as u32;
    if !sessions::is_followed(tgid) {
        return 0;
    }
    let stack = stack_pointer(&ctx).wrapping_sub(RETURN_ADDRESS_BYTES);
    let Some(call) = calls::innermost(thread, stack) else {
        emit::count_loss(loss::TLS_CALL);
        return 0;
    };
    let write = call.function == function::WRITE || call.function == function::WRITE_EX;
    let result = ctx.ret::<i32>();
    let mut key = SessionKey { ssl: call.ssl, tgid, zero: 0 };
    let bytes = match call.function {
        function::HANDSHAKE => 0,
        function::READ | function::WRITE => u64::from(result.max(0) as u32),
        _ if result == 1 => stored_length(call.length_at),
        _ => 0,
    };
    if call.function == function::READ && result == 0 {
        sessions::no_more(&mut key, false);
    }
    if bytes != 0
        && let Some(out) = sessions::account(&mut key, write, call.buffer, bytes)
    {
        if out {
            go_on_with::<true>(&ctx, &mut key);
        } else {
            go_on_with::<false>(&ctx, &mut key);
        }
    }
    calls::leave(thread);
    0
}

/// Goes on with request bytes.
#[uretprobe]
pub fn ssl_in_on(ctx: RetProbeContext) -> u32 {
    go_on::<false>(&ctx)
}

/// Goes on with response bytes.
#[uretprobe]
pub fn ssl_out_on(ctx: RetProbeContext) -> u32 {
    go_on::<true>(&ctx)
}

#[inline(always)]
fn go_on<const OUT: bool>(ctx: &RetProbeContext) -> u32 {
    // SAFETY: no precondition.
    let thread = unsafe { bpf_get_current_pid_tgid() };
    let stack = stack_pointer(ctx).wrapping_sub(RETURN_ADDRESS_BYTES);
    let Some(call) = calls::innermost(thread, stack) else { return 0 };
    let mut key = SessionKey { ssl: call.ssl, tgid: (thread >> 32) as u32, zero: 0 };
    if sessions::go_on::<OUT>(&mut key) {
        go_on_with::<OUT>(ctx, &mut key);
    }
    calls::leave(thread);
    0
}

#[inline(always)]
fn go_on_with<const OUT: bool>(ctx: &RetProbeContext, key: &mut SessionKey) {
    let programs = if OUT { SSL_OUT_ON.pointer() } else { SSL_IN_ON.pointer() };
    // SAFETY: the context and a program array of this object.
    unsafe { bpf_tail_call(ctx.as_ptr(), programs, 0) };
    sessions::end_call::<OUT>(key);
}

/// A tail call that is never taken: the array has one entry. See the head of this file.
#[inline(always)]
fn never(ctx: &ProbeContext) -> u32 {
    // SAFETY: the context and a program array of this object.
    unsafe { bpf_tail_call(ctx.as_ptr(), SSL_IN_ON.pointer(), 1) };
    0
}

/// The session that the function's first argument names, if its process is followed.
#[inline(always)]
fn followed(ctx: &ProbeContext) -> Option<SessionKey> {
    // SAFETY: no precondition.
    let tgid = (unsafe { bpf_get_current_pid_tgid() } >> 32) as u32;
    let ssl = ctx.arg::<u64>(0).filter(|ssl| *ssl != 0)?;
    sessions::is_followed(tgid).then_some(SessionKey { ssl, tgid, zero: 0 })
}

#[inline(always)]
fn stack_pointer(ctx: &impl EbpfContext) -> u64 {
    // SAFETY: the context is a `struct pt_regs`; the verifier checks the offset.
    unsafe { ctx.as_ptr().cast::<u8>().add(SP).cast::<u64>().read_volatile() }
}

/// Notes a call, for [`ssl_returned`].
#[inline(always)]
fn begin(ctx: &ProbeContext, function: u64, length_at: u64) -> u32 {
    // SAFETY: no precondition.
    let thread = unsafe { bpf_get_current_pid_tgid() };
    if sessions::is_followed((thread >> 32) as u32) {
        let ssl = ctx.arg::<u64>(0).unwrap_or_default();
        let buffer = ctx.arg::<u64>(1).unwrap_or_default();
        calls::note(thread, Call { ssl, buffer, length_at, stack: stack_pointer(ctx), function });
    }
    never(ctx)
}

#[inline(always)]
fn stored_length(address: u64) -> u64 {
    let mut length = 0u64;
    // SAFETY: eight bytes of the stack; a bad address is an error, not a fault.
    let result = unsafe { bpf_probe_read_user((&raw mut length).cast(), 8, address as *const core::ffi::c_void) };
    if result == 0 { length } else { 0 }
}
