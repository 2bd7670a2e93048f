//! Bytes in arrays of little-endian words. Indices are masked to the array, whose length is a power of two, so that
//! neither a panic nor a doubt of the verifier is left; callers keep them in range.

/// Every byte 0x20: sets ASCII letters to lower case and leaves `-`, `:` and digits as they are.
pub const LOWER: u64 = 0x2020_2020_2020_2020;

const LOW7: u64 = 0x7f7f_7f7f_7f7f_7f7f;
const LOWEST: u64 = 0x0101_0101_0101_0101;
const NEWLINES: u64 = 0x0a0a_0a0a_0a0a_0a0a;

/// The word at `index`.
#[inline(always)]
pub fn word<const N: usize>(words: &[u64; N], index: u32) -> u64 {
    words[index as usize & (N - 1)]
}

/// The byte at `index`.
#[inline(always)]
pub fn byte<const N: usize>(words: &[u64; N], index: u32) -> u8 {
    let word = word(words, index >> 3);
    (word >> ((index & 7) * 8)) as u8
}

/// The eight bytes at `index`, which need not be aligned.
#[inline(always)]
pub fn word_at<const N: usize>(words: &[u64; N], index: u32) -> u64 {
    let low = word(words, index >> 3);
    let high = word(words, (index >> 3) + 1);
    let shift = (index & 7) * 8;
    // Two shifts, because a shift by 64 is none.
    (low >> shift) | ((high << 1) << (63 - shift))
}

/// A mask with the top bit set of each byte of `word` that is a line feed; exact, no false positives.
#[inline(always)]
pub fn newlines(word: u64) -> u64 {
    let differing = word ^ NEWLINES;
    !(((differing & LOW7) + LOW7) | differing | LOW7)
}

/// Index of the first byte that a mask of [`newlines`] has set; there has to be one. The processor of the programs has no
/// instruction for it.
#[inline(always)]
pub fn first_of(mask: u64) -> u32 {
    // Below the lowest bit all are set by the subtraction, its own byte's lowest among them; the product adds them up.
    let below = mask.wrapping_sub(1) & LOWEST;
    (below.wrapping_mul(LOWEST) >> 56) as u32 - 1
}

/// Eight ASCII bytes as the word that they are in memory.
pub const fn ascii(text: &[u8; 8]) -> u64 {
    u64::from_le_bytes(*text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_read_at_any_offset() {
        let mut bytes = [0u8; 32];
        for (index, byte) in bytes.iter_mut().enumerate() {
            *byte = index as u8 + 1;
        }
        let words: [u64; 4] =
            std::array::from_fn(|index| u64::from_le_bytes(bytes[index * 8..index * 8 + 8].try_into().expect("eight")));
        for at in 0..24u32 {
            assert_eq!(byte(&words, at), at as u8 + 1);
            let expected: [u8; 8] = bytes[at as usize..at as usize + 8].try_into().expect("eight");
            assert_eq!(word_at(&words, at), u64::from_le_bytes(expected), "at {at}");
        }
    }

    #[test]
    fn only_line_feeds_are_newlines() {
        for value in 0..=255u8 {
            let mut bytes = [b'x'; 8];
            bytes[3] = value;
            bytes[4] = b'\n';
            let expected = if value == b'\n' { 0x0080_8000_0000_u64 } else { 0x0080_0000_0000 };
            assert_eq!(newlines(u64::from_le_bytes(bytes)), expected, "{value:#x}");
        }
    }

    #[test]
    fn the_first_of_several_is_found() {
        for mask in 1..=255u8 {
            let bytes: [u8; 8] = std::array::from_fn(|index| if mask >> index & 1 != 0 { b'\n' } else { b'\r' });
            assert_eq!(first_of(newlines(u64::from_le_bytes(bytes))), mask.trailing_zeros(), "{mask:#b}");
        }
    }
}
