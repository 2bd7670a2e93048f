//! Does this look like the beginning of a message?

use super::bytes::byte;

/// Longest method that is recognised where a stream is picked up again; the registered ones have up to 17 letters, but
/// those above eight are WebDAV's and DeltaV's.
const METHOD_LETTERS: u32 = 16;

/// Whether a new connection's first bytes can begin an HTTP/1 request: a token, then a space (RFC 9112 section 3).
/// `len` may be anything from 1: one letter is enough to go on with.
#[inline(always)]
pub fn may_be_request(window: &[u64; 4], len: u32) -> bool {
    for index in 0..8 {
        if index >= len {
            return true;
        }
        let byte = byte(window, index);
        if byte == b' ' {
            return index > 0;
        }
        if !is_token(byte) {
            // A client may send an empty line first (RFC 9112 section 2.2).
            return index == 0 && (byte == b'\r' || byte == b'\n');
        }
    }
    true
}

/// Whether bytes in the middle of a connection begin a request, strictly: an upper-case method, a space, and a target.
#[inline(always)]
pub fn is_request(window: &[u64; 4], len: u32) -> bool {
    for index in 0..METHOD_LETTERS {
        if index + 1 >= len {
            return false;
        }
        let letter = byte(window, index);
        if letter == b' ' {
            let target = byte(window, index + 1);
            return index > 2 && (target == b'/' || target == b'h' || target == b'*');
        }
        if letter.wrapping_sub(b'A') >= 26 && letter != b'-' {
            return false;
        }
    }
    false
}

/// The same of bytes that may end before they can tell: as far as they go, they are an upper-case method, a space, and a
/// target.
#[inline(always)]
pub fn may_be_request_line(window: &[u64; 4], len: u32) -> bool {
    for index in 0..METHOD_LETTERS {
        if index >= len {
            return true;
        }
        let letter = byte(window, index);
        if letter == b' ' {
            let target = byte(window, index + 1);
            return index > 2 && (index + 1 >= len || target == b'/' || target == b'h' || target == b'*');
        }
        if letter.wrapping_sub(b'A') >= 26 && letter != b'-' {
            return false;
        }
    }
    false
}

/// Whether bytes in the middle of a connection begin a response.
#[inline(always)]
pub fn is_response(window: &[u64; 4], len: u32) -> bool {
    len >= 12 && window[0] & 0x00ff_ffff_ffff_ffff == super::bytes::ascii(b"HTTP/1.\0")
}

/// `tchar` of RFC 9110 section 5.6.2, without the characters that other protocols begin with (`*`, `+`, `$`, `%`).
#[inline(always)]
fn is_token(byte: u8) -> bool {
    byte.wrapping_sub(b'A') < 26
        || byte.wrapping_sub(b'a') < 26
        || byte.wrapping_sub(b'0') < 10
        || byte == b'-'
        || byte == b'_'
        || byte == b'.'
}

#[cfg(test)]
mod tests {
    use super::super::testing::window;
    use super::*;

    #[test]
    fn beginnings_of_request_lines() {
        for (bytes, may) in [
            (&b"GET / HTTP/1.1\r\n"[..], true),
            (b"G", true),
            (b"POST ", true),
            (b"OPTIONS * HTTP", true),
            (b"PING\r\n", false),
            (b"HELO there", false),
            (b"\0AUTH EXTERNAL", false),
            (b"{\"a\": 1}", false),
            (b"get /", false),
            (b"ABCDEFGHIJKLMNOPQRSTUV", false),
        ] {
            let (words, len) = window(bytes);
            assert_eq!(may_be_request_line(&words, len), may, "{:?}", String::from_utf8_lossy(bytes));
        }
    }

    #[test]
    fn requests_are_told_from_other_protocols_by_their_first_bytes() {
        for (bytes, may, is) in [
            (&b"GET / HTTP/1.1\r\n"[..], true, true),
            (b"G", true, false),
            (b"PROPFIND /x", true, true),
            (b"M-SEARCH * H", true, true),
            (b"OPTIONS * HTTP", true, true),
            (b"GET http://h/", true, true),
            (b"\r\nGET / HTTP", true, false),
            (b"*3\r\n$3\r\n", false, false),
            (b"PING\r\n", false, false),
            (b"\x16\x03\x01\x02\x00\x01\x00\x01", false, false),
            (b"\x00\x00\x00\x08\x04\xd2\x16\x2f", false, false),
            (b" /", false, false),
        ] {
            let (words, len) = window(bytes);
            assert_eq!(may_be_request(&words, len), may, "may {:?}", String::from_utf8_lossy(bytes));
            assert_eq!(is_request(&words, len), is, "is {:?}", String::from_utf8_lossy(bytes));
        }
    }
}
