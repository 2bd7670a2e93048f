//! What a request claims, and the keyed hash by which credentials are known.

use super::{Account, Secret};
use siphasher::sip128::SipHasher24;

/// What the head of a request claims about its sender.
#[derive(Debug, Clone)]
pub enum Claim {
    /// The gateway in front has authenticated the sender and wrote the account into its own headers.
    Trusted(std::sync::Arc<Account>),
    /// An access key or token, good only if the server accepts it.
    Credential(Credential),
    /// No credential at all.
    Anonymous,
    /// A credential that cannot be read.
    Malformed,
}

/// A credential as claimed by one request.
#[derive(Debug, Clone)]
pub struct Credential {
    /// By what the store knows it.
    pub key: CredentialKey,
    /// The access key itself, kept only where the store said that it needs it for a lookup; wiped when dropped.
    pub secret: Option<Secret>,
}

/// Keyed hash of an access key (or of a bucket name, in a domain of its own).
///
/// The key is random per process, so a value means nothing outside of it: it cannot be compared with a list of guessed
/// access keys, nor with another host's values.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct CredentialKey(u128);

impl std::fmt::Debug for CredentialKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "CredentialKey({:08x})", self.0 & 0xffff_ffff)
    }
}

/// Makes [`CredentialKey`]s: SipHash-2-4 with 128 bits of output.
#[derive(Clone)]
pub struct CredentialHasher {
    credentials: SipHasher24,
    buckets: SipHasher24,
}

impl CredentialHasher {
    /// With random keys from the operating system; fails only where it has none to give.
    pub fn random() -> Result<Self, getrandom::Error> {
        let mut keys = zeroize::Zeroizing::new([0u8; 32]);
        getrandom::fill(keys.as_mut_slice())?;
        Ok(Self::with_keys(&keys))
    }

    /// With given keys, for tests that need the same values every time.
    pub fn with_keys(keys: &[u8; 32]) -> Self {
        let half = |range: std::ops::Range<usize>| {
            let mut key = zeroize::Zeroizing::new([0u8; 16]);
            // Both ranges lie within the 32 bytes.
            key.iter_mut().zip(&keys[range]).for_each(|(to, from)| *to = *from);
            SipHasher24::new_with_key(&key)
        };
        Self { credentials: half(0..16), buckets: half(16..32) }
    }

    /// The key of an access key or token.
    pub fn credential(&self, access_key: &str) -> CredentialKey {
        CredentialKey(self.credentials.hash(access_key.as_bytes()).as_u128())
    }

    /// The key of a bucket name.
    pub fn bucket(&self, name: &str) -> CredentialKey {
        CredentialKey(self.buckets.hash(name.as_bytes()).as_u128())
    }
}

impl std::fmt::Debug for CredentialHasher {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("CredentialHasher([redacted])")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn equal_keys_hash_alike_only_under_one_hasher() {
        let (one, other) = (CredentialHasher::with_keys(&[1; 32]), CredentialHasher::random().expect("random bytes"));
        assert_eq!(one.credential("hip_a"), one.credential("hip_a"));
        assert_ne!(one.credential("hip_a"), one.credential("hip_b"));
        assert_ne!(one.credential("hip_a"), other.credential("hip_a"));
    }

    #[test]
    fn a_bucket_called_like_an_access_key_is_not_that_key() {
        let hasher = CredentialHasher::random().expect("random bytes");
        assert_ne!(hasher.credential("hip_a"), hasher.bucket("hip_a"));
    }
}
