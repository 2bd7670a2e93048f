//! From the configuration to what the stages want.

use crate::attribute::Secret;
use crate::attribute::store::{Source, StoreConfig};
use crate::config::{self, Config, SecretUrl};
use crate::kernel::backend::Backend;
use crate::kernel::loader::Settings;
use crate::record::series::SeriesConfig;

/// Limits of the series store.
pub fn series(config: &Config) -> SeriesConfig {
    SeriesConfig {
        max_series: config.labels.max_series as usize,
        max_series_per_family: config.labels.per_family as usize,
        idle: config.labels.idle,
    }
}

/// Sources of accounts. One that is named but has no address is left out: `check` says so.
pub fn store(config: &Config) -> StoreConfig {
    let attribution = &config.attribution;
    let secret = |url: &Option<SecretUrl>| url.as_ref().map(|url| Secret::new(url.expose()));
    let has_redis = attribution.redis_auth.is_some() || attribution.redis_accounts.is_some();
    let order = attribution.order.iter().filter_map(|source| match source {
        config::Source::Static => attribution.static_file.is_some().then_some(Source::StaticFile),
        config::Source::Redis => has_redis.then_some(Source::Redis),
        config::Source::Postgres => attribution.postgres.is_some().then_some(Source::Postgres),
        config::Source::Derive => Some(Source::Derive),
    });
    StoreConfig {
        order: order.collect(),
        static_file: attribution.static_file.clone(),
        auth_redis: secret(&attribution.redis_auth),
        accounts_redis: secret(&attribution.redis_accounts),
        postgres: secret(&attribution.postgres),
        capacity: attribution.cache_entries,
        found_ttl: attribution.positive_ttl,
        missing_ttl: attribution.negative_ttl,
        ..StoreConfig::default()
    }
}

/// What the kernel side is told.
pub fn probes(config: &Config) -> Settings {
    Settings {
        ring_bytes: config.capture.ring_bytes,
        wake_bytes: u64::from(config.capture.ring_bytes) / 16,
        probe_log: config.capture.probe_log,
        max_flows: config.capture.max_connections,
        max_sessions: if config.capture.tls { config.capture.max_connections } else { 0 },
        clients: config.follows_clients(),
        unix: config.follows_unix_sockets(),
        backend: match config.capture.backend {
            config::Backend::Auto => None,
            config::Backend::Fentry => Some(Backend::Fentry),
            config::Backend::Tracepoint => Some(Backend::Tracepoint),
        },
    }
}
