//! `[[peer]]`: whom watched processes call, and what is spoken there.

use std::net::IpAddr;
use std::sync::Arc;

use super::error::{Refusal, shown};
use super::operation::{self, Operation, checked, required};
use super::process::glob;
use super::read::{Found, Section};
use super::{schema, service};

/// Somebody who is called.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Peer {
    /// The `peer` label.
    pub name: Arc<str>,
    /// Where it is; `None` means anywhere.
    pub address: Option<PeerAddress>,
    /// Its port; `None` means any.
    pub port: Option<u16>,
    /// What it speaks.
    pub profile: PeerProfile,
    /// Names for its endpoints; they come before what the profile knows.
    pub operations: Vec<Operation>,
}

/// Where a peer is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PeerAddress {
    /// Addresses whose first bits these are.
    Network(IpAddr, u8),
    /// Pattern of the host that a request names, in lower case.
    Host(Box<str>),
}

/// What a peer speaks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum PeerProfile {
    /// HTTP, and nothing that is known of it.
    #[default]
    Http,
    /// kubo's API and gateway.
    Kubo,
    /// An IPFS gateway.
    IpfsGateway,
    /// Arion, the storage back-end of 2026.
    Arion,
    /// An S3 service.
    S3,
    /// The API of 2026, as its gateway calls it.
    Hippius2026,
}

/// The names of the profiles.
pub const PEER_PROFILES: &[(&str, PeerProfile)] = &[
    ("http", PeerProfile::Http),
    ("kubo", PeerProfile::Kubo),
    ("ipfs-gateway", PeerProfile::IpfsGateway),
    ("arion", PeerProfile::Arion),
    ("s3", PeerProfile::S3),
    ("hippius-2026", PeerProfile::Hippius2026),
];

impl Peer {
    /// Whether a call is to this peer: where its connection goes, as far as that is known, and the host that the request
    /// names, in lower case and without a port. Where the port is not known, the address decides.
    pub fn matches(&self, address: Option<IpAddr>, port: Option<u16>, host: Option<&str>) -> bool {
        let is_there = match &self.address {
            None => true,
            Some(PeerAddress::Network(network, bits)) => {
                address.is_some_and(|address| shares_bits(*network, address, *bits))
            }
            Some(PeerAddress::Host(pattern)) => host.is_some_and(|host| glob(pattern.as_bytes(), host.as_bytes())),
        };
        let is_its_port = |wanted| port.map_or(self.address.is_some(), |port| port == wanted);
        is_there && self.port.is_none_or(is_its_port)
    }
}

fn shares_bits(network: IpAddr, address: IpAddr, bits: u8) -> bool {
    let differs = match (network, address) {
        (IpAddr::V4(one), IpAddr::V4(other)) => u128::from(one.to_bits() ^ other.to_bits()) << 96,
        (IpAddr::V6(one), IpAddr::V6(other)) => one.to_bits() ^ other.to_bits(),
        _ => return false,
    };
    differs.leading_zeros() >= u32::from(bits)
}

/// Reads all peers.
pub(super) fn read_all(sections: &[Section<'_>]) -> Vec<Peer> {
    let mut peers: Vec<Peer> = Vec::new();
    for section in sections {
        let Some(peer) = read(section) else { continue };
        let same = |other: &&Peer| (&other.address, other.port) == (&peer.address, peer.port);
        if let Some(other) = peers.iter().find(same) {
            let refusal = Refusal::new(format!("what it describes is the peer \"{}\" already", other.name));
            section.reading().refuse(&section.place, refusal.allowed("another address or port"));
        }
        peers.push(peer);
    }
    peers
}

fn read(section: &Section<'_>) -> Option<Peer> {
    let name = required(section, "name").and_then(|found| checked(section, found, service::name));
    let address = section.string("address").map(|found| checked(section, found, address));
    let port = section.integer("port", 1..=65_535, "");
    if !section.has("address") && !section.has("port") {
        let refusal = Refusal::new("nothing says who is meant").allowed("\"address\", \"port\", or both");
        section.reading().refuse(&section.place, refusal);
    }
    let profile = section.choice("profile", PEER_PROFILES).unwrap_or_default();
    let operations = operation::read_all(&section.sections(&schema::PEER_OPERATION));
    Some(Peer {
        name: name?,
        address: address.map_or(Some(None), |address| address.map(Some))?,
        port: port.and_then(|Found { value, .. }| u16::try_from(value).ok()),
        profile,
        operations,
    })
}

/// An address, a network, or a pattern of a host's name.
fn address(text: &str) -> Result<PeerAddress, Refusal> {
    let refuse = || {
        Refusal::new(format!("{} is no address of a peer", shown(text))).allowed(
            "an IP address, a network such as \"10.0.0.0/8\", or a host name, in which * and ? stand for anything",
        )
    };
    if let Some((network, bits)) = text.split_once('/') {
        let network: IpAddr = network.parse().map_err(|_| refuse())?;
        let most = if network.is_ipv4() { 32 } else { 128 };
        let bits = bits.parse().ok().filter(|bits| *bits <= most).ok_or_else(refuse)?;
        return Ok(PeerAddress::Network(network, bits));
    }
    if let Ok(address) = text.parse::<IpAddr>() {
        return Ok(PeerAddress::Network(address, if address.is_ipv4() { 32 } else { 128 }));
    }
    let good = (1..=253).contains(&text.len())
        && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b".-_*?".contains(&byte));
    if good { Ok(PeerAddress::Host(text.to_ascii_lowercase().into())) } else { Err(refuse()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn matches(pattern: &str, at: &str, host: Option<&str>) -> bool {
        let address = Some(address(pattern).expect("a good address"));
        let peer =
            Peer { name: "p".into(), address, port: Some(80), profile: PeerProfile::Http, operations: Vec::new() };
        let at = Some(at.parse().expect("an address"));
        assert!(!peer.matches(at, Some(81), host), "the port counts too");
        assert_eq!(peer.matches(at, None, host), peer.matches(at, Some(80), host), "where it is known");
        peer.matches(at, Some(80), host)
    }

    #[test]
    fn networks_are_compared_bit_by_bit_and_hosts_by_pattern() {
        assert!(matches("10.1.2.3", "10.1.2.3", None));
        assert!(!matches("10.1.2.3", "10.1.2.4", None));
        assert!(matches("10.0.0.0/8", "10.255.0.1", None));
        assert!(!matches("10.0.0.0/8", "11.0.0.1", None));
        assert!(matches("0.0.0.0/0", "203.0.113.9", None));
        assert!(!matches("0.0.0.0/0", "2001:db8::1", None), "another family");
        assert!(matches("2001:db8::/33", "2001:db8:7fff::1", None));
        assert!(!matches("2001:db8::/33", "2001:db8:8000::1", None));
        assert!(matches("*.Hippius.network", "10.0.0.1", Some("store.hippius.network")));
        assert!(!matches("*.hippius.network", "10.0.0.1", Some("hippius.network.example")));
        assert!(!matches("*", "10.0.0.1", None), "no host was named");
    }

    #[test]
    fn what_is_no_address_is_refused() {
        for text in ["", "10.0.0.0/33", "::/129", "10.0.0.0/", "a/8", "http://a", "a:80", "a b"] {
            assert!(address(text).is_err(), "{text}");
        }
    }
}
