//! What does a client's connection speak? Its first bytes tell.

use super::bytes::byte;
use super::start;

/// What the first bytes of a connection say.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Protocol {
    /// HTTP/1: framed by the programs.
    Http,
    /// TLS.
    Tls,
    /// A protocol that the agent frames: Redis or Postgres.
    Stream,
    /// None that is known.
    Unknown,
}

/// `len` bytes stand in the window, the first of a connection that the client has opened.
#[inline(always)]
pub fn of_first_bytes(window: &[u64; 4], len: u32) -> Protocol {
    let first = byte(window, 0);
    // A handshake record (RFC 8446 section 5.1) of any version.
    if first == 22 && (len < 2 || byte(window, 1) == 3) {
        return Protocol::Tls;
    }
    if is_array(window, len) || is_startup(window, len) {
        return Protocol::Stream;
    }
    if start::may_be_request(window, len) { Protocol::Http } else { Protocol::Unknown }
}

/// The same in the middle of a connection, where the client begins to send: strictly.
#[inline(always)]
pub fn of_later_bytes(window: &[u64; 4], len: u32, call: u64) -> Protocol {
    if start::is_request(window, len) {
        return Protocol::Http;
    }
    // Handshake, alert or application data.
    if len >= 5 && byte(window, 0).wrapping_sub(20) < 4 && byte(window, 1) == 3 && byte(window, 2) <= 4 {
        return Protocol::Tls;
    }
    if (len >= 4 && is_array(window, len)) || is_query(window, len, call) {
        return Protocol::Stream;
    }
    Protocol::Unknown
}

/// A request of Redis: an array of bulk strings (Redis serialization protocol specification).
#[inline(always)]
fn is_array(window: &[u64; 4], len: u32) -> bool {
    byte(window, 0) == b'*' && len >= 2 && byte(window, 1).wrapping_sub(b'1') < 9
}

/// A startup message of Postgres: length, then the version 3.x or one of the codes for TLS, GSSAPI and cancelling
/// (PostgreSQL documentation, "Message Formats").
#[inline(always)]
fn is_startup(window: &[u64; 4], len: u32) -> bool {
    let code = (window[0] >> 32) as u32;
    let code = code.swap_bytes();
    len >= 8
        && byte(window, 0) == 0
        && (code >> 16 == 3 || code == 80_877_102 || code == 80_877_103 || code == 80_877_104)
}

/// A message of Postgres that begins a query (Query, Parse, Bind) and is not longer than the call.
#[inline(always)]
fn is_query(window: &[u64; 4], len: u32, call: u64) -> bool {
    let kind = byte(window, 0);
    let announced = ((window[0] >> 8) as u32).swap_bytes();
    len >= 5 && (kind == b'Q' || kind == b'P' || kind == b'B') && announced >= 4 && u64::from(announced) < call
}

#[cfg(test)]
mod tests {
    use super::super::testing::window;
    use super::*;

    #[test]
    fn the_first_bytes_of_a_connection_tell_what_it_speaks() {
        for (bytes, expected) in [
            (&b"POST /api/v0/add"[..], Protocol::Http),
            (b"GET / HTTP/1.1\r\n", Protocol::Http),
            (b"\x16\x03\x01\x02\x00\x01\x00\x01", Protocol::Tls),
            (b"*3\r\n$3\r\nSET\r\n", Protocol::Stream),
            (b"\x00\x00\x00\x54\x00\x03\x00\x00", Protocol::Stream),
            (b"\x00\x00\x00\x54\x00\x03\x00\x02", Protocol::Stream),
            (b"\x00\x00\x00\x08\x04\xd2\x16\x2f", Protocol::Stream),
            (b"\x00\x00\x00\x08\x04\xd2\x16\x30", Protocol::Stream),
            (b"\x00\x00\x00\x10\x04\xd2\x16\x2e", Protocol::Stream),
            (b"\x00\x00\x00\x10\x04\xd2\x16\x33", Protocol::Unknown),
            (b"*0\r\n", Protocol::Unknown),
            (b"SSH-2.0-OpenSSH", Protocol::Http),
            (b"\x03\x00\x00\x13", Protocol::Unknown),
        ] {
            let (words, len) = window(bytes);
            assert_eq!(of_first_bytes(&words, len), expected, "{:?}", String::from_utf8_lossy(bytes));
        }
    }

    #[test]
    fn later_bytes_have_to_be_plainer() {
        for (bytes, expected) in [
            (&b"GET /x HTTP/1.1\r\n"[..], Protocol::Http),
            (b"SSH-2.0-OpenSSH", Protocol::Unknown),
            (b"\x17\x03\x03\x02\x00\x01\x00\x01", Protocol::Tls),
            (b"*2\r\n$3\r\nGET\r\n", Protocol::Stream),
            (b"*2", Protocol::Unknown),
            (b"Q\x00\x00\x00\x0bSELECT\x00", Protocol::Stream),
            (b"Q\x00\x00\x01\x0bSELECT\x00", Protocol::Unknown),
            (b"Q\x00\x00\x00\x03", Protocol::Unknown),
            (b"plain text", Protocol::Unknown),
        ] {
            let (words, len) = window(bytes);
            assert_eq!(of_later_bytes(&words, len, u64::from(len)), expected, "{:?}", String::from_utf8_lossy(bytes));
        }
    }
}
