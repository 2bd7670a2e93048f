//! What the other end of a connection is called.

use std::net::{Ipv6Addr, SocketAddr};
use std::sync::Arc;

use hippius_common::flow::Connected;

/// Whom a TLS session is with that neither a socket nor a name belongs to.
pub const UNKNOWN: &str = "unknown";

/// The name of a server as a client has given it, where it is one (RFC 1123 section 2.1); else nothing.
pub fn server(name: &[u8]) -> Option<Arc<str>> {
    let is_name = |byte: &u8| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'-' | b'_');
    if name.is_empty() || name.len() > 253 || !name.iter().all(is_name) {
        return None;
    }
    Some(String::from_utf8_lossy(name).to_ascii_lowercase().into())
}

/// Name and port.
pub fn named(server: &str, port: u16) -> Arc<str> {
    format!("{server}:{port}").into()
}

/// Address and port.
pub fn name(connected: &Connected) -> Arc<str> {
    let address = Ipv6Addr::from(connected.address).to_canonical();
    SocketAddr::new(address, connected.port).to_string().into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_names_become_labels() {
        assert_eq!(server(b"Arion.Hippius.com").as_deref(), Some("arion.hippius.com"));
        for bytes in [&b""[..], b"a b", b"a\"b", b"\xff", &[b'a'; 254]] {
            assert_eq!(server(bytes), None);
        }
    }
}
