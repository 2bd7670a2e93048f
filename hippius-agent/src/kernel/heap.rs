//! What the start took of memory and does not need again.

/// Gives free memory back to the system.
///
/// The kernel's types and the object take some megabytes while programs are loaded. They are freed then, but glibc
/// keeps what lies below the top of its heap; other allocators give it back by themselves.
pub fn give_back() {
    #[cfg(target_env = "gnu")]
    // SAFETY: no precondition (malloc_trim(3)); whether there was anything to give is of no interest.
    unsafe {
        libc::malloc_trim(0);
    }
}

/// Takes the pages of constant data out of memory. Who looks at it later gets them from the file again.
pub fn let_go(data: &'static [u8]) {
    // SAFETY: sysconf(3) has no precondition.
    let page = usize::try_from(unsafe { libc::sysconf(libc::_SC_PAGESIZE) }).unwrap_or(4096);
    let start = data.as_ptr() as usize;
    let (first, end) = (start.next_multiple_of(page), (start + data.len()) / page * page);
    if let Some(len) = end.checked_sub(first) {
        // SAFETY: only whole pages of a constant, which nobody has written to: they stay what they are (madvise(2)).
        unsafe {
            libc::madvise(first as *mut libc::c_void, len, libc::MADV_DONTNEED);
        }
    }
}
