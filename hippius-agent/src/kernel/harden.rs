//! Process attributes that only raw calls can set.

/// No core dump, no ptrace by the same user: the memory holds credentials for a moment.
pub fn forbid_dumps() {
    let none = libc::rlimit { rlim_cur: 0, rlim_max: 0 };
    // SAFETY: both calls only read their arguments.
    unsafe {
        libc::prctl(libc::PR_SET_DUMPABLE, 0, 0, 0, 0);
        libc::setrlimit(libc::RLIMIT_CORE, &raw const none);
    }
}

/// The calling thread runs before others when processors are scarce: a ring that is not drained loses records.
pub fn prefer_this_thread() {
    // SAFETY: only reads its arguments; 0 is the calling thread. Without the right it stays as it is.
    unsafe { libc::setpriority(libc::PRIO_PROCESS, 0, -10) };
}
