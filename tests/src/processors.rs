//! Which processor a thread runs on.

use std::io;
use std::mem::{size_of, zeroed};
use std::thread;

use anyhow::{Context, Result, anyhow, ensure};

use crate::proc;

/// The thread that calls.
pub fn own_thread() -> u32 {
    // SAFETY: plain system call that cannot fail.
    unsafe { libc::gettid() as u32 }
}

/// From now on this thread runs on this processor alone.
pub fn pin_thread(thread: u32, processor: usize) -> Result<()> {
    // SAFETY: a set of processors is bits, of which none need be set.
    let mut set: libc::cpu_set_t = unsafe { zeroed() };
    ensure!(processor < 8 * size_of::<libc::cpu_set_t>(), "no processor {processor}");
    // SAFETY: the number is one that the set has room for.
    unsafe { libc::CPU_SET(processor, &mut set) };
    // SAFETY: plain system call; `set` outlives it and is as long as it says.
    let result =
        unsafe { libc::sched_setaffinity(thread as libc::pid_t, size_of::<libc::cpu_set_t>(), &raw const set) };
    let error = io::Error::last_os_error();
    ensure!(result == 0, "thread {thread} to processor {processor}: {error}");
    Ok(())
}

/// Does something in a thread that stays on this processor; the one that calls is left where it is.
pub fn on_processor<T: Send>(processor: usize, work: impl FnOnce() -> Result<T> + Send) -> Result<T> {
    let pinned = || pin_thread(own_thread(), processor).and_then(|()| work());
    thread::scope(|scope| scope.spawn(pinned).join())
        .map_err(|_| anyhow!("the work on processor {processor} panicked"))?
}

/// The same for all threads of a process and its descendants.
pub fn pin_tree(pid: u32, processor: usize) -> Result<()> {
    for thread in proc::threads(pid)? {
        pin_thread(thread, processor).with_context(|| format!("process {pid}"))?;
    }
    proc::children(pid).into_iter().try_for_each(|child| pin_tree(child, processor))
}
