//! Chunked framing in a body that was captured as it went over the wire.

/// What is in the chunks at the beginning of `body`, as far as it goes; `None` where `body` is in no chunks.
///
/// Chunked transfer coding: RFC 9112 section 7.1. XML begins with `<`, so a size cannot be mistaken for it.
pub(super) fn without_chunks(body: &[u8]) -> Option<Vec<u8>> {
    let (mut size, mut rest) = size_line(body)?;
    let mut content = Vec::with_capacity(body.len());
    while size > 0 {
        let Some((chunk, after)) = rest.split_at_checked(size) else {
            content.extend_from_slice(rest);
            break;
        };
        content.extend_from_slice(chunk);
        match after.strip_prefix(b"\r\n").and_then(size_line) {
            Some(next) => (size, rest) = next,
            None => break,
        }
    }
    Some(content)
}

/// A chunk's size and what follows its line.
fn size_line(bytes: &[u8]) -> Option<(usize, &[u8])> {
    let digits = bytes.iter().take_while(|byte| byte.is_ascii_hexdigit()).count();
    let size = std::str::from_utf8(bytes.get(..digits)?).ok()?;
    // No digits and too many digits are both no number.
    let size = usize::from_str_radix(size, 16).ok()?;
    let after = bytes.get(digits..)?;
    let end = memchr::memmem::find(after, b"\r\n")?;
    let extension_is_one = after.get(..end)?.trim_ascii_start().first().is_none_or(|&first| first == b';');
    if extension_is_one { Some((size, after.get(end + 2..)?)) } else { None }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn chunks_are_joined_up_to_where_the_body_is_cut_off() {
        assert_eq!(without_chunks(b"3\r\nabc\r\n2;x=y\r\nde\r\n0\r\n\r\n").as_deref(), Some(&b"abcde"[..]));
        assert_eq!(without_chunks(b"ff\r\nabc").as_deref(), Some(&b"abc"[..]));
        assert_eq!(without_chunks(b"3\r\nabc\r\n").as_deref(), Some(&b"abc"[..]));
        assert_eq!(without_chunks(b"0\r\n\r\n").as_deref(), Some(&b""[..]));
    }

    #[test]
    fn anything_else_is_in_no_chunks() {
        for body in [&b"<Error>"[..], b"", b"12", b"12x\r\n", b"xyz\r\n", b"fffffffffffffffff\r\nabc"] {
            assert_eq!(without_chunks(body), None);
        }
    }
}
