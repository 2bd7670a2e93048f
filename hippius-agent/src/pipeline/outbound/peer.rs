//! What the other end of a connection is called, and how calls of it are read.

use std::net::{IpAddr, Ipv6Addr, SocketAddr};
use std::sync::Arc;

use hippius_common::flow::Connected;

use crate::attribute::rules::{Profile, RuleSet};
use crate::classify::{CallClassifier, PeerProfile};
use crate::config::{self, Config};
use crate::pipeline::services::route;

/// The peers of the configuration.
pub struct Peers {
    configured: Vec<(config::Peer, Arc<Reading>)>,
    unknown: Arc<CallClassifier>,
}

/// A peer of the configuration, ready to be used.
struct Reading {
    name: Arc<str>,
    calls: Arc<CallClassifier>,
    naming: Naming,
}

/// How calls of a peer name the account that they are made for.
#[derive(Debug, Clone)]
pub enum Naming {
    /// Not at all.
    Nothing,
    /// By their path.
    Path,
    /// By a credential or a trusted header, read by these rules.
    Head(Profile, RuleSet),
}

/// Somebody who is called.
#[derive(Clone)]
pub struct Peer {
    /// The `peer` label: the name in the configuration, else `host:port`.
    pub name: Arc<str>,
    /// Names the calls.
    pub calls: Arc<CallClassifier>,
    /// How they name an account.
    pub naming: Naming,
}

/// Where a connection or a TLS session leads, as far as it is known.
#[derive(Default)]
pub struct Place {
    /// The other end of the socket; none of a session over memory.
    pub address: Option<SocketAddr>,
    /// The server that a TLS client has named in the handshake.
    pub server: Option<Arc<str>>,
}

/// Whom a TLS session is with that neither a socket nor a name belongs to.
const UNKNOWN: &str = "unknown";

/// The name of a server as a client has given it in a handshake, where it is one (RFC 1123 section 2.1); else nothing.
pub fn server(name: &[u8]) -> Option<Arc<str>> {
    let is_name = |byte: &u8| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'-' | b'_');
    if name.is_empty() || name.len() > 253 || !name.iter().all(is_name) {
        return None;
    }
    Some(String::from_utf8_lossy(name).to_ascii_lowercase().into())
}

/// Longest host of a request that becomes a label (RFC 1035 section 2.3.4).
const MAX_HOST_BYTES: usize = 255;

impl Peers {
    /// As the configuration says.
    pub fn new(config: &Config) -> Self {
        let read = |peer: &config::Peer| {
            let reading =
                Reading { name: Arc::from(&*peer.name), calls: Arc::new(calls(peer)), naming: naming(peer.profile) };
            (peer.clone(), Arc::new(reading))
        };
        Self { configured: config.peers.iter().map(read).collect(), unknown: Arc::default() }
    }

    /// Who is at the other end of a connection. `host` is what a request names, with its port or without.
    pub fn find(&self, place: &Place, host: Option<&str>) -> Peer {
        let host = host.and_then(Host::parse);
        let known_port = place.address.map(|address| address.port());
        let name = host.as_ref().map(|host| &*host.name).or(place.server.as_deref());
        // Of a session over memory, the port is known only where the request names it.
        let port = host.as_ref().and_then(|host| host.port).or(known_port);
        // Where the connection leads counts, and not what a request says of it.
        let (at, called) = (place.address.map(|address| address.ip()), known_port.or(port));
        if let Some((_, reading)) = self.configured.iter().find(|(peer, _)| peer.matches(at, called, name)) {
            let Reading { name, calls, naming } = &**reading;
            return Peer { name: Arc::clone(name), calls: Arc::clone(calls), naming: naming.clone() };
        }
        let label = match (name, port, place.address) {
            (Some(name), Some(port), _) => format!("{name}:{port}"),
            (Some(name), None, _) => name.to_owned(),
            (None, _, Some(address)) => address.to_string(),
            (None, _, None) => UNKNOWN.to_owned(),
        };
        Peer { name: label.into(), calls: Arc::clone(&self.unknown), naming: Naming::Nothing }
    }
}

/// Only of peers that the configuration describes: whatever else is called, a token for it is none of the agent's
/// business, and is not looked up.
fn naming(profile: config::PeerProfile) -> Naming {
    match profile {
        config::PeerProfile::Http | config::PeerProfile::Kubo | config::PeerProfile::IpfsGateway => Naming::Nothing,
        config::PeerProfile::Arion => Naming::Path,
        config::PeerProfile::S3 => Naming::Head(Profile::S3, RuleSet::new(Profile::S3, false)),
        // The gateway that calls has set the trusted headers itself.
        config::PeerProfile::Hippius2026 => {
            Naming::Head(Profile::Hippius2026, RuleSet::new(Profile::Hippius2026, true))
        }
    }
}

/// What the configuration has accepted, the classifier accepts; were it not so, calls go by the profile alone.
fn calls(peer: &config::Peer) -> CallClassifier {
    let profile = match peer.profile {
        config::PeerProfile::Http => PeerProfile::Http,
        config::PeerProfile::Kubo => PeerProfile::Kubo,
        config::PeerProfile::IpfsGateway => PeerProfile::IpfsGateway,
        config::PeerProfile::Arion => PeerProfile::Arion,
        config::PeerProfile::S3 => PeerProfile::S3,
        config::PeerProfile::Hippius2026 => PeerProfile::Hippius2026,
    };
    let rules: Vec<_> = peer.operations.iter().map(route).collect();
    CallClassifier::new(profile, &rules).unwrap_or_else(|errors| {
        for error in errors {
            tracing::warn!("operation of the peer {:?} not used: {error}", peer.name);
        }
        CallClassifier::plain(profile)
    })
}

/// The other end of a connection.
pub fn address(connected: &Connected) -> SocketAddr {
    let address: IpAddr = Ipv6Addr::from(connected.address).to_canonical();
    SocketAddr::new(address, connected.port)
}

/// The host of a request (RFC 9110 section 7.2).
struct Host {
    /// In lower case; an IPv6 address in brackets.
    name: String,
    port: Option<u16>,
}

impl Host {
    /// `None` for what cannot be a host: it would become a label.
    fn parse(text: &str) -> Option<Self> {
        let text = text.trim();
        let bracket = text.rfind(']').map_or(0, |at| at + 1);
        let (name, port) = match text.get(bracket..)?.rfind(':') {
            Some(colon) => (text.get(..bracket + colon)?, Some(text.get(bracket + colon + 1..)?)),
            None => (text, None),
        };
        let is_host = |byte: u8| byte.is_ascii_alphanumeric() || b"-._[]:".contains(&byte);
        let good = (1..=MAX_HOST_BYTES).contains(&name.len())
            && name.bytes().all(is_host)
            && name.contains(':') == name.starts_with('[');
        let port = match port.filter(|port| !port.is_empty()) {
            Some(port) => Some(port.parse().ok()?),
            None => None,
        };
        good.then(|| Self { name: name.to_ascii_lowercase(), port })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(address: Option<&str>, server: Option<&str>, host: Option<&str>) -> String {
        let address = address.map(|address| address.parse().expect("an address"));
        let place = Place { address, server: server.map(Arc::from) };
        Peers::new(&Config::default()).find(&place, host).name.to_string()
    }

    fn named(host: Option<&str>) -> String {
        at(Some("127.0.0.1:8080"), None, host)
    }

    #[test]
    fn of_a_session_the_request_tells_more_than_the_handshake() {
        assert_eq!(at(None, Some("sni.example"), Some("host.example")), "host.example");
        assert_eq!(at(None, Some("sni.example"), Some("host.example:8443")), "host.example:8443");
        assert_eq!(at(None, Some("sni.example"), None), "sni.example");
        assert_eq!(at(Some("127.0.0.1:8443"), Some("sni.example"), None), "sni.example:8443");
        assert_eq!(at(None, None, None), "unknown");
    }

    #[test]
    fn only_names_become_labels() {
        assert_eq!(server(b"Arion.Hippius.com").as_deref(), Some("arion.hippius.com"));
        for bytes in [&b""[..], b"a b", b"a\"b", b"\xff", &[b'a'; 254]] {
            assert_eq!(server(bytes), None);
        }
    }

    #[test]
    fn a_peer_is_called_as_the_request_calls_it_with_the_port() {
        assert_eq!(named(Some("Store.Example")), "store.example:8080");
        assert_eq!(named(Some("store.example:443")), "store.example:443");
        assert_eq!(named(Some("[::1]:9")), "[::1]:9");
        assert_eq!(named(Some("[::1]")), "[::1]:8080");
        assert_eq!(named(None), "127.0.0.1:8080");
    }

    #[test]
    fn what_cannot_be_a_host_is_no_label() {
        let long = "a".repeat(256);
        for host in ["", " ", "a b", "a\"b", "a/b", "::1", "a:99999", "a:x", "ä", &long] {
            assert_eq!(named(Some(host)), "127.0.0.1:8080", "{host}");
        }
    }
}
