//! What the store needs to know, validated by whoever reads the configuration file.

use crate::attribute::Secret;
use std::path::PathBuf;
use std::str::FromStr;
use std::time::Duration;

/// Where accounts can be looked up.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Source {
    /// A TOML file, see [`static_file`](super::static_file).
    StaticFile,
    /// `hippius_auth:<access key>`, for `hip_…` keys only: a seed phrase is never sent anywhere.
    Redis,
    /// `sub_token_scopes` for `hip_…` keys, and `buckets` for the owner of a bucket.
    Postgres,
    /// The seed era's derivation, for credentials that the server accepted.
    Derive,
}

impl Source {
    /// Every source with the name that the configuration uses.
    pub const NAMES: [(&'static str, Self); 4] = [
        ("static_file", Self::StaticFile),
        ("redis", Self::Redis),
        ("postgres", Self::Postgres),
        ("derive", Self::Derive),
    ];
}

impl FromStr for Source {
    type Err = UnknownSource;

    fn from_str(name: &str) -> Result<Self, Self::Err> {
        Self::NAMES.iter().find(|(known, _)| *known == name).map(|(_, source)| *source).ok_or(UnknownSource)
    }
}

/// A name that is no source.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("no such source; there are static_file, redis, postgres and derive")]
pub struct UnknownSource;

/// The store's settings.
#[derive(Debug, Clone)]
pub struct StoreConfig {
    /// Which sources are asked, in this order. One that has no address below is an error.
    pub order: Vec<Source>,
    /// The file for [`Source::StaticFile`].
    pub static_file: Option<PathBuf>,
    /// URL of the Redis that holds `hippius_auth:` (2026: the main one).
    pub auth_redis: Option<Secret>,
    /// URL of the Redis that holds `hippius_subaccount_cache:`; may be the same.
    pub accounts_redis: Option<Secret>,
    /// URL or key-value string of the database.
    pub postgres: Option<Secret>,
    /// Longest wait for one answer of one source, connecting included.
    pub timeout: Duration,
    /// Credentials and buckets that are remembered.
    pub capacity: usize,
    /// Lookups that may wait; what comes on top is counted and stays unknown.
    pub queue: usize,
    /// Lookups that run at the same time.
    pub parallel: usize,
    /// How long an account that was found is believed before it is looked up anew.
    pub found_ttl: Duration,
    /// How long "not found" is believed.
    pub missing_ttl: Duration,
    /// How long an account that was found goes on being used while newer lookups find nothing or fail.
    pub stale_ttl: Duration,
}

impl Default for StoreConfig {
    fn default() -> Self {
        Self {
            order: Vec::new(),
            static_file: None,
            auth_redis: None,
            accounts_redis: None,
            postgres: None,
            timeout: Duration::from_millis(500),
            capacity: 16_384,
            queue: 1_024,
            parallel: 16,
            found_ttl: Duration::from_secs(60),
            missing_ttl: Duration::from_secs(10),
            stale_ttl: Duration::from_secs(3_600),
        }
    }
}
