//! From the configuration to sources that can be asked.

use super::config::{Source, StoreConfig};
use super::counters::LookupCounters;
use super::lookups::Sources;
use super::postgres_source::PostgresLink;
use super::redis_source::{RedisAccounts, RedisLink};
use super::static_file::{StaticAccounts, StaticFileError};
use crate::attribute::Secret;
use std::sync::Arc;

/// Why a store cannot be opened. The texts name what is wrong, never a value: URLs hold passwords.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// A source stands in the order and has no address.
    #[error("the account source {0} is in the order, but {1} is not set")]
    NoAddress(&'static str, &'static str),
    /// An address cannot be read.
    #[error("{0} is not a URL that can be used")]
    BadUrl(&'static str),
    /// The static file is not good.
    #[error(transparent)]
    StaticFile(#[from] StaticFileError),
    /// The operating system has no random bytes.
    #[error("no random bytes for the keyed hash of credentials: {0}")]
    Random(getrandom::Error),
}

/// The sources that the configuration names. Nothing is connected to yet.
pub(super) fn open_sources(config: &StoreConfig, counters: Arc<LookupCounters>) -> Result<Sources, OpenError> {
    let uses = |source| config.order.contains(&source);
    let static_accounts = match &config.static_file {
        Some(path) if uses(Source::StaticFile) => StaticAccounts::load(path)?,
        None if uses(Source::StaticFile) => return Err(OpenError::NoAddress("static_file", "the file")),
        _ => StaticAccounts::default(),
    };
    if uses(Source::Redis) && config.auth_redis.is_none() && config.accounts_redis.is_none() {
        return Err(OpenError::NoAddress("redis", "a Redis URL"));
    }
    let redis = |url: &Option<Secret>, name| match url {
        Some(url) => RedisLink::new(url, config.timeout).map(Some).ok_or(OpenError::BadUrl(name)),
        None => Ok(None),
    };
    let postgres = match &config.postgres {
        Some(url) if uses(Source::Postgres) => {
            Some(PostgresLink::new(url, config.timeout).ok_or(OpenError::BadUrl("the Postgres URL"))?)
        }
        None if uses(Source::Postgres) => return Err(OpenError::NoAddress("postgres", "its URL")),
        _ => None,
    };
    Ok(Sources {
        order: config.order.clone(),
        static_accounts,
        redis: RedisAccounts {
            auth: redis(&config.auth_redis, "the Redis URL for access keys")?,
            accounts: redis(&config.accounts_redis, "the Redis URL for accounts")?,
        },
        postgres,
        counters,
    })
}
