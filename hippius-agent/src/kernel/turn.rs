//! When the thread that drains the ring gets a processor.

/// Makes the calling thread one that waits for its turn.
///
/// A batch thread (sched(7)) interrupts nobody when it is woken: it begins where a processor is idle, or at the next tick.
/// Otherwise it would push the server aside in the middle of the call that woke it, whose client then waits for as long as
/// the drain takes. The ring has room for many ticks, and where processors are scarce the thread's fair share is some times
/// what it needs. So it is not preferred to others either.
pub fn wait_for_it() {
    let parameters = libc::sched_param { sched_priority: 0 };
    // SAFETY: only reads its arguments; 0 is the calling thread. Anybody may do so.
    unsafe { libc::sched_setscheduler(0, libc::SCHED_BATCH, &raw const parameters) };
}
