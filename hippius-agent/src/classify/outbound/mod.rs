//! Calls of others: which of them are operations of a storage network, and of which.
//!
//! A peer that the configuration describes is read by its profile. Of all others, only what is unlikely to be anything
//! else is taken for IPFS: an endpoint of kubo's API by its whole path, and a gateway's path with something that can be a
//! CID behind it.

mod arion;
mod gateway;
mod kubo;

use super::route::{self, Route, RouteRule};
use super::target::Target;
use super::{Classifier, ClassifierError, Profile};
use crate::decode::http1::RequestHead;

/// What a peer speaks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum PeerProfile {
    /// HTTP, and nothing that is known of it.
    #[default]
    Http,
    /// kubo's API; the gateway's paths are known at the same peer.
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

/// Names the calls of one peer.
#[derive(Debug, Clone, Default)]
pub struct CallClassifier {
    /// `None` where the configuration does not describe the peer.
    profile: Option<PeerProfile>,
    routes: Box<[Route]>,
}

impl CallClassifier {
    /// For a peer of the configuration; `rules` are the operations that it declares there, which are tried first.
    pub fn new(profile: PeerProfile, rules: &[RouteRule]) -> Result<Self, Vec<ClassifierError>> {
        let mut errors = Vec::new();
        let routes = route::compile(rules, &mut errors);
        if errors.is_empty() { Ok(Self { profile: Some(profile), routes }) } else { Err(errors) }
    }

    /// For a peer of the configuration that declares no operations.
    pub fn plain(profile: PeerProfile) -> Self {
        Self { profile: Some(profile), routes: Box::default() }
    }

    /// The operation that a call is; `None` for HTTP that is none of a storage network. `target` is the request target
    /// as sent.
    pub fn operation(&self, method: &str, target: &str) -> Option<&'static str> {
        let target = Target::parse(target)?;
        if let Some(route) = self.routes.iter().find(|route| route.matches(method, &target)) {
            return Some(route.class.handler);
        }
        match self.profile {
            None => kubo::known(method, target.path).or_else(|| gateway::known(method, target.path)),
            Some(PeerProfile::Http | PeerProfile::S3 | PeerProfile::Hippius2026) => None,
            Some(PeerProfile::Kubo) => kubo::operation(target.path).or_else(|| gateway::of_path(method, target.path)),
            Some(PeerProfile::IpfsGateway) => gateway::operation(method),
            Some(PeerProfile::Arion) => arion::operation(method, target.path),
        }
    }

    /// The S3 operation that a call is, where the peer is known to speak S3.
    pub fn s3(&self, head: &RequestHead<'_>) -> Option<&'static str> {
        let profile = match self.profile? {
            PeerProfile::S3 => Profile::S3,
            PeerProfile::Hippius2026 => Profile::Hippius2026Api,
            _ => return None,
        };
        // It holds nothing but the profile.
        Classifier::plain(profile).classify(head).s3.map(|operation| operation.name)
    }

    /// The account that the path of a call names, where the peer's paths do.
    pub fn account<'a>(&self, method: &str, target: &'a str) -> Option<&'a str> {
        match self.profile? {
            PeerProfile::Arion => arion::account(method, Target::parse(target)?.path),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests;
