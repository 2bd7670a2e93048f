//! `[attribution]`: how a credential becomes an account.

use super::error::shown;
use super::read::{Found, Section};
use super::schema;
use super::secret::{Kind, SecretUrl, url};
use std::path::PathBuf;
use std::time::Duration;

/// Where accounts are looked up, and for how long an answer holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Attribution {
    /// Sources in the order in which they are asked; one that is not configured is skipped.
    pub order: Vec<Source>,
    /// How long an exchange waits for its account before it is counted as unknown.
    pub wait: Duration,
    /// Answers that are remembered.
    pub cache_entries: usize,
    /// How long an account that was found is remembered.
    pub positive_ttl: Duration,
    /// How long it is remembered that none was found.
    pub negative_ttl: Duration,
    /// File of known credentials.
    pub static_file: Option<PathBuf>,
    /// Redis with the cached answers of authentication.
    pub redis_auth: Option<SecretUrl>,
    /// Redis with the cached accounts.
    pub redis_accounts: Option<SecretUrl>,
    /// Postgres of the API.
    pub postgres: Option<SecretUrl>,
}

/// One way to find the account of a credential.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Source {
    /// A file.
    Static,
    /// What the API keeps in Redis.
    Redis,
    /// The API's database.
    Postgres,
    /// Computed from an access key that is a seed phrase.
    Derive,
}

/// Names of the sources, in the order in which they are asked unless told otherwise.
pub const SOURCES: &[(&str, Source)] =
    &[("static", Source::Static), ("redis", Source::Redis), ("postgres", Source::Postgres), ("derive", Source::Derive)];

impl Default for Attribution {
    fn default() -> Self {
        Self {
            order: SOURCES.iter().map(|&(_, source)| source).collect(),
            wait: Duration::from_millis(500),
            cache_entries: 65_536,
            positive_ttl: Duration::from_secs(300),
            negative_ttl: Duration::from_secs(30),
            static_file: None,
            redis_auth: None,
            redis_accounts: None,
            postgres: None,
        }
    }
}

impl Attribution {
    pub(super) fn read(section: &Section<'_>) -> Self {
        let default = Self::default();
        let seconds = |key, least, otherwise| {
            section.integer(key, least..=86_400, "seconds").map_or(otherwise, |found| Duration::from_secs(found.value))
        };
        let wait = section.integer("wait_ms", 0..=10_000, "milliseconds");
        let entries = section.integer("cache_entries", 1..=10_000_000, "").map(|found| found.value);
        let table = section.section(&schema::ATTRIBUTION_STATIC);
        let redis = section.section(&schema::ATTRIBUTION_REDIS);
        let postgres = section.section(&schema::ATTRIBUTION_POSTGRES);
        Self {
            order: order(section).unwrap_or(default.order),
            wait: wait.map_or(default.wait, |found| Duration::from_millis(found.value)),
            cache_entries: entries.and_then(|entries| entries.try_into().ok()).unwrap_or(default.cache_entries),
            positive_ttl: seconds("positive_ttl_s", 1, default.positive_ttl),
            negative_ttl: seconds("negative_ttl_s", 0, default.negative_ttl),
            static_file: table.and_then(|table| table.readable_file("file")).map(|found| found.value),
            redis_auth: redis.as_ref().and_then(|redis| url(redis, "auth_url", Kind::Redis)),
            redis_accounts: redis.as_ref().and_then(|redis| url(redis, "accounts_url", Kind::Redis)),
            postgres: postgres.and_then(|postgres| url(&postgres, "url", Kind::Postgres)),
        }
    }
}

fn order(section: &Section<'_>) -> Option<Vec<Source>> {
    let mut order = Vec::new();
    for found in section.strings("order")? {
        let Some(source) = section.chosen(&found, SOURCES) else { continue };
        let Found { value, place } = found;
        if order.contains(&source) {
            section.reading().refuse(&place, format!("{} comes twice", shown(value)));
        } else {
            order.push(source);
        }
    }
    Some(order)
}
