//! Basic auth (RFC 7617) against bcrypt hashes.
//!
//! bcrypt is slow by design: once a password was found right, a keyed hash of (user, stored hash, password) is
//! remembered, and the next scrape costs a microsecond. The key is random and lives as long as the process.

use std::collections::{BTreeMap, HashSet};
use std::fmt;
use std::sync::{Mutex, PoisonError};

use base64::Engine;
use blake2::Blake2bMac;
use blake2::digest::consts::U32;
use blake2::digest::{KeyInit, Mac};
use tokio::sync::Semaphore;
use zeroize::Zeroizing;

/// Passwords remembered as right. More than the users of any sane file; when it is full it starts anew.
const MAX_REMEMBERED: usize = 256;

/// bcrypt runs at once. An attacker who guesses keeps one core busy, and only while the guesses come.
const MAX_RUNS: usize = 1;

/// The system gave no random bytes for the key.
#[derive(Debug, thiserror::Error)]
#[error("no random bytes for the password cache")]
pub struct NoRandomness;

/// Checks passwords, and remembers the right ones.
pub struct Verifier {
    key: Zeroizing<[u8; 32]>,
    right: Mutex<HashSet<[u8; 32]>>,
    runs: Semaphore,
}

impl Verifier {
    /// A verifier that remembers nothing yet.
    pub fn new() -> Result<Self, NoRandomness> {
        let mut key = Zeroizing::new([0; 32]);
        rustls::crypto::ring::default_provider().secure_random.fill(key.as_mut_slice()).map_err(|_| NoRandomness)?;
        Ok(Self { key, right: Mutex::default(), runs: Semaphore::new(MAX_RUNS) })
    }

    /// Whether `authorization`, the value of the request's field, names one of `users` with its password.
    pub async fn allows(&self, users: &BTreeMap<String, String>, authorization: Option<&[u8]>) -> bool {
        let Some(given) = authorization.and_then(credentials) else { return false };
        let Some(colon) = given.iter().position(|byte| *byte == b':') else { return false };
        let (user, password) = given.split_at(colon);
        let password = Zeroizing::new(password.get(1..).unwrap_or_default().to_vec());
        let known = std::str::from_utf8(user).ok().and_then(|user| users.get(user));
        // An unknown user costs the same work as a known one, so that the answer's time does not tell them apart.
        let Some(hash) = known.or_else(|| users.values().next()).cloned() else { return false };
        let Some(mark) = self.mark(user, &hash, &password) else { return false };
        if known.is_some() && self.remembered().contains(&mark) {
            return true;
        }
        let Ok(_run) = self.runs.acquire().await else { return false };
        let verified = tokio::task::spawn_blocking(move || bcrypt::verify(password.as_slice(), &hash));
        let right = known.is_some() && matches!(verified.await, Ok(Ok(true)));
        if right {
            let mut remembered = self.remembered();
            if remembered.len() >= MAX_REMEMBERED {
                remembered.clear();
            }
            remembered.insert(mark);
        }
        right
    }

    fn remembered(&self) -> std::sync::MutexGuard<'_, HashSet<[u8; 32]>> {
        self.right.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The stored hash is part of the mark: a changed password makes the old one forgotten.
    fn mark(&self, user: &[u8], hash: &str, password: &[u8]) -> Option<[u8; 32]> {
        let mut mac: Blake2bMac<U32> = KeyInit::new_from_slice(self.key.as_slice()).ok()?;
        for part in [user, hash.as_bytes(), password] {
            Mac::update(&mut mac, &(part.len() as u64).to_le_bytes());
            Mac::update(&mut mac, part);
        }
        Some(mac.finalize().into_bytes().into())
    }
}

/// The key stays inside.
impl fmt::Debug for Verifier {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.debug_struct("Verifier").finish_non_exhaustive()
    }
}

/// `user:password` of a `Basic` field.
fn credentials(authorization: &[u8]) -> Option<Zeroizing<Vec<u8>>> {
    let (scheme, token) = authorization.split_at_checked(6)?;
    if !scheme.eq_ignore_ascii_case(b"basic ") {
        return None;
    }
    base64::engine::general_purpose::STANDARD.decode(token.trim_ascii()).ok().map(Zeroizing::new)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn basic(credentials: &str) -> Vec<u8> {
        format!("Basic {}", base64::engine::general_purpose::STANDARD.encode(credentials)).into_bytes()
    }

    #[tokio::test]
    async fn only_the_right_password_of_a_known_user_passes() {
        let users: BTreeMap<_, _> = [("me".to_owned(), bcrypt::hash("pass:word", 4).expect("a hash"))].into();
        let verifier = Verifier::new().expect("a verifier");
        for (given, expected) in [
            (Some(basic("me:pass:word")), true),
            (Some(basic("me:pass:word")), true),
            (Some(basic("me:wrong")), false),
            (Some(basic("you:pass:word")), false),
            (Some(basic("me")), false),
            (Some(b"Bearer abc".to_vec()), false),
            (Some(b"Basic ***".to_vec()), false),
            (Some(b"B".to_vec()), false),
            (None, false),
        ] {
            assert_eq!(verifier.allows(&users, given.as_deref()).await, expected);
        }
        assert_eq!(verifier.remembered().len(), 1);
        let changed: BTreeMap<_, _> = [("me".to_owned(), bcrypt::hash("new", 4).expect("a hash"))].into();
        assert!(!verifier.allows(&changed, Some(&basic("me:pass:word"))).await);
    }
}
