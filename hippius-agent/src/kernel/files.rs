//! How many files the process may open.

/// Calls `make` while no thread of the process can open a file (`EMFILE`, getrlimit(2)).
pub fn without<T>(make: impl FnOnce() -> T) -> T {
    let mut before = libc::rlimit { rlim_cur: 0, rlim_max: 0 };
    // SAFETY: the kernel writes the one structure that it is given.
    if unsafe { libc::getrlimit(libc::RLIMIT_NOFILE, &raw mut before) } != 0 {
        return make();
    }
    set(libc::rlimit { rlim_cur: 0, ..before });
    let made = make();
    set(before);
    made
}

/// Down, and up to what it was, anybody may set it.
fn set(limit: libc::rlimit) {
    // SAFETY: the kernel reads the one structure that it is given.
    unsafe {
        libc::setrlimit(libc::RLIMIT_NOFILE, &raw const limit);
    }
}
