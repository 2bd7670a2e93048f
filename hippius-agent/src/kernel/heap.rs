//! What the start took of memory and does not need again.

/// Gives free memory back to the system.
///
/// The kernel's types and the object take some twenty megabytes while programs are loaded. They are freed then, but glibc
/// keeps what lies below the top of its heap; other allocators give it back by themselves.
pub fn give_back() {
    #[cfg(target_env = "gnu")]
    // SAFETY: no precondition (malloc_trim(3)); whether there was anything to give is of no interest.
    unsafe {
        libc::malloc_trim(0);
    }
}
