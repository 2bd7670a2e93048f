//! Cuts bytes into pieces, the same way every time for the same input.

/// Lengths of pieces from a few bytes of the input.
pub struct Pieces {
    state: u64,
    longest: u64,
}

impl Pieces {
    /// `size` bounds the pieces by a power of two; 0 cuts nothing.
    pub fn new(seed: u8, size: u8) -> Self {
        let longest = if size == 0 { u64::MAX } else { 1 << (size % 13) };
        Self { state: u64::from(seed) << 8 | 0x9e37_79b9, longest }
    }

    /// Length of the next piece, at least 1.
    pub fn next_len(&mut self) -> usize {
        if self.longest == u64::MAX {
            return usize::MAX;
        }
        (self.next() % self.longest) as usize + 1
    }

    /// One of `n`.
    pub fn one_of(&mut self, n: u64) -> bool {
        self.next().is_multiple_of(n)
    }

    /// xorshift64 (Marsaglia, 2003).
    fn next(&mut self) -> u64 {
        self.state ^= self.state << 13;
        self.state ^= self.state >> 7;
        self.state ^= self.state << 17;
        self.state
    }
}
