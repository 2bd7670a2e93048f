//! Patterns of keys: `*` stands for anything, `?` for one byte.

/// Whether all of `key` fits. Takes at most `pattern × key` steps.
pub fn fits(pattern: &[u8], key: &[u8]) -> bool {
    let (mut at, mut seen) = (0, 0);
    // Where to go on when what follows the last `*` does not fit: that star takes one byte more.
    let mut retry: Option<(usize, usize)> = None;
    while let Some(byte) = key.get(seen) {
        match pattern.get(at) {
            Some(b'*') => {
                at += 1;
                retry = Some((at, seen));
                continue;
            }
            Some(wanted) if *wanted == b'?' || wanted == byte => {
                at += 1;
                seen += 1;
                continue;
            }
            _ => {}
        }
        let Some((star, taken)) = &mut retry else { return false };
        *taken += 1;
        (at, seen) = (*star, *taken);
    }
    pattern.get(at..).is_none_or(|rest| rest.iter().all(|byte| *byte == b'*'))
}

#[cfg(test)]
mod tests {
    use super::fits;

    #[test]
    fn patterns_fit_whole_keys() {
        for (pattern, key, expected) in [
            ("obj:*:part:*", "obj:8d1f:part:3", true),
            ("obj:*:part:*", "obj:8d1f:part", false),
            ("obj:*:part:*", "xobj:8d1f:part:3", false),
            ("*", "", true),
            ("", "", true),
            ("", "a", false),
            ("a?c", "abc", true),
            ("a?c", "ac", false),
            ("*ab", "aab", true),
            ("*a*b*", "xxaxxbxx", true),
            ("*a*b*", "xxbxxaxx", false),
            ("a**", "a", true),
            ("multipart:*:part:*", "multipart:a:part:b:part:c", true),
        ] {
            assert_eq!(fits(pattern.as_bytes(), key.as_bytes()), expected, "{pattern} {key}");
        }
        assert!(!fits(&b"*a".repeat(100), &b"a".repeat(99)));
    }
}
