//! Which credential a request claims: ordered rules over the request's head. Pure: no clock, no network, no state.
//!
//! A rule looks at the head and either has an answer or leaves the head to the next rule. Which rules apply, and in
//! which order, is a property of the service.

mod anonymous;
mod bearer;
mod presigned;
mod sigv2;
mod sigv4;
mod trusted;

use super::{Account, Claim, Credential, CredentialHasher, CredentialKey, Secret};
use crate::decode::http1::RequestHead;
use std::str::FromStr;
use std::sync::Arc;
use zeroize::Zeroizing;

/// Longest access key or bearer token that is looked at. AWS has 16 to 128 characters, Hippius up to 244 (2026) and
/// 288 (2025), a bearer token may be a JWT.
pub const MAX_ACCESS_KEY_BYTES: usize = 4096;

/// A service's kind, from which its rules follow.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Profile {
    /// The Hippius API of 2025: reads its credential from the `Authorization` header only.
    Hippius2025,
    /// The Hippius gateway and API of 2026.
    Hippius2026,
    /// Any S3 service.
    S3,
    /// Any HTTP service: only bearer tokens are accounts, HTTP basic is not.
    Http,
}

impl Profile {
    /// Every profile with the name that the configuration uses.
    pub const NAMES: [(&'static str, Self); 4] = [
        ("hippius-2025", Self::Hippius2025),
        ("hippius-2026", Self::Hippius2026),
        ("s3", Self::S3),
        ("http", Self::Http),
    ];
}

impl FromStr for Profile {
    type Err = UnknownProfile;

    fn from_str(name: &str) -> Result<Self, Self::Err> {
        Self::NAMES.iter().find(|(known, _)| *known == name).map(|(_, profile)| *profile).ok_or(UnknownProfile)
    }
}

/// A name that is no profile.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("no such profile; there are hippius-2025, hippius-2026, s3 and http")]
pub struct UnknownProfile;

/// One rule.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Rule {
    /// `X-Hippius-*` headers of the gateway in front.
    Trusted,
    /// AWS Signature V4 in the `Authorization` header.
    SigV4,
    /// AWS Signature V2, header or query.
    SigV2,
    /// AWS Signature V4 in the query.
    Presigned,
    /// `Authorization: Bearer`.
    Bearer,
    /// No credential.
    Anonymous,
}

/// The rules of a service, in the order in which they are asked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RuleSet {
    rules: Arc<[Rule]>,
}

impl RuleSet {
    /// The rules of a profile. `behind_gateway` says that only the gateway can reach the service, so that headers which
    /// any client could write are believed, before anything else.
    pub fn new(profile: Profile, behind_gateway: bool) -> Self {
        use Rule::{Anonymous, Bearer, Presigned, SigV2, SigV4, Trusted};
        let rules: &[Rule] = match profile {
            Profile::Hippius2025 => &[SigV4, Bearer, Anonymous],
            Profile::Hippius2026 => &[SigV4, Presigned, Bearer, Anonymous],
            Profile::S3 => &[SigV4, SigV2, Presigned, Bearer, Anonymous],
            Profile::Http => &[Bearer, Anonymous],
        };
        let trusted = behind_gateway.then_some(&Trusted);
        Self { rules: trusted.into_iter().chain(rules).copied().collect() }
    }

    /// The rules themselves.
    pub fn rules(&self) -> &[Rule] {
        &self.rules
    }

    /// What the head claims: the answer of the first rule that has one.
    ///
    /// The access key is copied into the claim only where `keep_secret` asks for it, that is when a lookup may need it.
    pub fn claim(
        &self,
        head: &RequestHead<'_>,
        hasher: &CredentialHasher,
        keep_secret: impl FnOnce(&CredentialKey) -> bool,
    ) -> Claim {
        match self.rules.iter().find_map(|rule| rule.look(head)) {
            Some(Found::Trusted(account)) => Claim::Trusted(Arc::new(account)),
            Some(Found::AccessKey(found)) if is_access_key(&found) => {
                let key = hasher.credential(&found);
                let secret = keep_secret(&key).then(|| Secret::new(&found));
                Claim::Credential(Credential { key, secret })
            }
            Some(Found::AccessKey(_) | Found::Malformed) => Claim::Malformed,
            Some(Found::Anonymous) | None => Claim::Anonymous,
        }
    }
}

/// A rule's answer. Has no `Debug`, because it may hold an access key.
enum Found<'a> {
    Trusted(Account),
    AccessKey(AccessKey<'a>),
    Anonymous,
    Malformed,
}

/// An access key as it stands in the head, or percent-decoded into a buffer that is wiped.
enum AccessKey<'a> {
    Borrowed(&'a str),
    Decoded(Zeroizing<String>),
}

impl std::ops::Deref for AccessKey<'_> {
    type Target = str;

    fn deref(&self) -> &str {
        match self {
            Self::Borrowed(text) => text,
            Self::Decoded(text) => text,
        }
    }
}

impl Rule {
    fn look<'a>(self, head: &RequestHead<'a>) -> Option<Found<'a>> {
        match self {
            Self::Trusted => trusted::look(head),
            Self::SigV4 => sigv4::look(head),
            Self::SigV2 => sigv2::look(head),
            Self::Presigned => presigned::look(head),
            Self::Bearer => bearer::look(head),
            Self::Anonymous => anonymous::look(head),
        }
    }
}

fn is_access_key(text: &str) -> bool {
    !text.is_empty() && text.len() <= MAX_ACCESS_KEY_BYTES && text.bytes().all(|b| b.is_ascii_graphic())
}

/// Scheme and parameters of the first `Authorization` field (RFC 9110 section 11.4); the scheme's case is free.
fn authorization<'a>(head: &RequestHead<'a>) -> Option<(&'a [u8], &'a [u8])> {
    let value = head.fields.get_bytes("authorization")?;
    let end = value.iter().position(|b| *b == b' ' || *b == b'\t').unwrap_or(value.len());
    let (scheme, rest) = value.split_at_checked(end)?;
    Some((scheme, rest.trim_ascii()))
}

/// The raw value of the first query parameter called `name`; `&` separates, case counts.
fn query_parameter<'a>(head: &RequestHead<'a>, name: &str) -> Option<&'a str> {
    let (_, query) = head.target.split_once('?')?;
    query.split('&').find_map(|pair| match pair.split_once('=') {
        Some((found, value)) if found == name => Some(value),
        _ => None,
    })
}

/// The percent-decoded text of a query value (RFC 3986 section 2.1; `+` is itself, as AWS has it).
fn percent_decoded(raw: &str) -> Option<AccessKey<'_>> {
    if !raw.contains('%') {
        return Some(AccessKey::Borrowed(raw));
    }
    let bytes = Zeroizing::new(percent_encoding::percent_decode_str(raw).collect::<Vec<u8>>());
    std::str::from_utf8(&bytes).ok().map(|text| AccessKey::Decoded(Zeroizing::new(text.to_owned())))
}

#[cfg(test)]
mod tests;
