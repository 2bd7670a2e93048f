//! When the thread that drains the ring gets a processor.

/// Makes the calling thread one that waits for its turn, and then gets as much time as it needs.
///
/// A batch thread (sched(7)) interrupts nobody when it is woken: it begins where a processor is idle, or at the next tick.
/// Otherwise it would push the server aside in the middle of the call that woke it, whose client then waits for as long as
/// the drain takes. The ring has room for much longer than a tick. But where processors are scarce for long, the thread
/// goes before others: a ring that is not drained loses records.
pub fn wait_for_it() {
    let parameters = libc::sched_param { sched_priority: 0 };
    // SAFETY: both calls only read their arguments; 0 is the calling thread. Without the right to be preferred it stays
    // like others.
    unsafe {
        libc::sched_setscheduler(0, libc::SCHED_BATCH, &raw const parameters);
        libc::setpriority(libc::PRIO_PROCESS, 0, -10);
    }
}
