//! `[[redis]]`: Redis servers that are polled.

use super::error::{Refusal, shown};
use super::poll::{self, Pace, TlsFiles};
use super::read::Section;
use super::secret::{Kind, SecretUrl, password, url};
use std::sync::Arc;
use std::time::Duration;

/// One polled Redis server.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RedisTarget {
    /// The `redis_instance` label, and the end of the path of its own page.
    pub name: Arc<str>,
    /// Where it is.
    pub url: SecretUrl,
    /// Password that does not stand in the address.
    pub password: Option<SecretUrl>,
    /// Which queues and key patterns are looked at without being named.
    pub profile: RedisProfile,
    /// Files for `rediss://`.
    pub tls: TlsFiles,
    /// How often.
    pub pace: Pace,
    /// Further queues: lists, sorted sets or streams.
    pub queues: Vec<Box<str>>,
    /// Single keys whose size and memory are shown.
    pub keys: Vec<RedisKey>,
    /// Further patterns of keys that are counted, `*` and `?` as wildcards.
    pub key_patterns: Vec<Box<str>>,
    /// The sweep that counts keys.
    pub sweep: Sweep,
    /// Whether the credit state of main accounts is shown (`hippius_account_has_credits`).
    pub account_credits: bool,
}

/// What kind of server it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum RedisProfile {
    /// Any Redis.
    Redis,
    /// A server of Hippius S3 of 2025.
    Hippius2025,
    /// A server of Hippius S3 of 2026.
    Hippius2026,
}

/// Names of the profiles.
pub const REDIS_PROFILES: &[(&str, RedisProfile)] = &[
    ("redis", RedisProfile::Redis),
    ("hippius-2025", RedisProfile::Hippius2025),
    ("hippius-2026", RedisProfile::Hippius2026),
];

/// A key and its database.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RedisKey {
    /// Number of the database.
    pub db: u16,
    /// The key.
    pub key: Box<str>,
}

/// How keys are counted: all of them are walked through with `SCAN`, with pauses.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sweep {
    /// From the end of one sweep to the beginning of the next; zero: never.
    pub interval: Duration,
    /// Most of the server's time that it may take, in percent.
    pub duty_percent: u8,
    /// Most keys per step (`COUNT` of `SCAN`).
    pub batch: u16,
    /// A database of more keys than this is not swept.
    pub max_keys: u64,
}

impl Default for Sweep {
    fn default() -> Self {
        Self { interval: Duration::from_secs(300), duty_percent: 1, batch: 100, max_keys: 20_000_000 }
    }
}

const MOST_NAMES: usize = 64;
const LONGEST_KEY: usize = 512;

/// Reads all of them.
pub(super) fn read_all(sections: &[Section<'_>]) -> Vec<RedisTarget> {
    poll::read_all(sections, read, |target| &target.name)
}

fn read(section: &Section<'_>) -> Option<RedisTarget> {
    let default = Sweep::default();
    let pace = Pace::every(Duration::from_secs(10), Duration::from_secs(2));
    let number = |key, least, most, unit, otherwise| poll::number(section, key, least, most, unit, otherwise);
    poll::require_url(section);
    let name = poll::name(section);
    let address = url(section, "url", Kind::Redis);
    let profile = section.choice("profile", REDIS_PROFILES).unwrap_or(RedisProfile::Redis);
    let target = RedisTarget {
        name: name?,
        url: address?,
        password: password(section),
        profile,
        tls: TlsFiles::read(section),
        pace: Pace::read(section, &pace),
        queues: poll::texts(section, "queues", LONGEST_KEY, MOST_NAMES),
        keys: keys(section),
        key_patterns: poll::texts(section, "key_patterns", LONGEST_KEY, MOST_NAMES),
        sweep: Sweep {
            interval: Duration::from_secs(number("sweep_interval_s", 0, 86_400, "seconds", default.interval.as_secs())),
            duty_percent: number("sweep_duty_percent", 1, 50, "percent", default.duty_percent.into()) as u8,
            batch: number("sweep_batch", 1, 1_000, "keys", default.batch.into()) as u16,
            max_keys: number("sweep_max_keys", 0, 1 << 40, "keys", default.max_keys),
        },
        account_credits: section.boolean("account_credits").unwrap_or(false),
    };
    Some(target)
}

/// `db=key`, or only the key for database 0.
fn keys(section: &Section<'_>) -> Vec<RedisKey> {
    let mut keys: Vec<RedisKey> = Vec::new();
    for text in poll::texts(section, "keys", LONGEST_KEY, MOST_NAMES) {
        let key = match text.strip_prefix("db").and_then(|rest| rest.split_once('=')) {
            Some((db, key)) => db.parse().ok().filter(|_| !key.is_empty()).map(|db| RedisKey { db, key: key.into() }),
            None => Some(RedisKey { db: 0, key: text.clone() }),
        };
        match key {
            Some(key) => keys.push(key),
            None => section.reading().refuse(
                &section.place_of("keys"),
                Refusal::new(format!("{} names no key", shown(&text))).allowed("\"key\" or \"db1=key\""),
            ),
        }
    }
    keys
}
