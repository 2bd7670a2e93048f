//! What a loop carries from one turn to the next stays in the flow's memory.
//!
//! Kept in registers, as the compiler would, every value that a turn can leave behind is another state for the verifier
//! to walk the rest of the loop with: the programs would be too large for it. Costs a load from the first-level cache.

/// Reads a value from memory, here and now.
#[inline(always)]
pub fn load<T: Copy>(place: &T) -> T {
    // SAFETY: a reference is valid, aligned and initialised.
    unsafe { core::ptr::read_volatile(place) }
}

/// Writes a value to memory, here and now.
#[inline(always)]
pub fn store<T: Copy>(place: &mut T, value: T) {
    // SAFETY: a unique reference is valid and aligned.
    unsafe { core::ptr::write_volatile(place, value) };
}
