//! What is known of the Hippius servers without being told: their queues and the keys that hold chunks of uploads.

use crate::config::RedisProfile;

/// Kind of a queue, where it is known.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// `LLEN`
    List,
    /// `ZCARD`; the score is the time of the next attempt.
    SortedSet,
    /// `XLEN`
    Stream,
}

use Kind::{List, SortedSet};

/// 2025: the API's workers, on the main server.
const QUEUES_2025: &[(&str, Kind)] = &[
    ("upload_requests", List),
    ("unpin_requests", List),
    ("download_requests", List),
    ("upload_retries", SortedSet),
    ("upload_requests:dlq", List),
];

/// 2026: one set for each storage back-end, on the queue server.
const QUEUES_2026: &[(&str, Kind)] = &[
    ("arion_upload_requests", List),
    ("arion_download_requests", List),
    ("arion_unpin_requests", List),
    ("arion_upload_retries", SortedSet),
    ("arion_download_retries", SortedSet),
    ("arion_unpin_retries", SortedSet),
    ("arion_upload_requests:dlq", List),
    ("ovh_upload_requests", List),
    ("ovh_download_requests", List),
    ("ovh_unpin_requests", List),
    ("ovh_upload_retries", SortedSet),
    ("ovh_download_retries", SortedSet),
    ("ovh_unpin_retries", SortedSet),
    ("ovh_upload_requests:dlq", List),
    ("unpin_requests:dlq", List),
];

/// Queues that a server of this profile has.
pub fn queues(profile: RedisProfile) -> &'static [(&'static str, Kind)] {
    match profile {
        RedisProfile::Redis => &[],
        RedisProfile::Hippius2025 => QUEUES_2025,
        RedisProfile::Hippius2026 => QUEUES_2026,
    }
}

/// Keys that hold a chunk of an upload: the pattern of the monitoring guide, which nothing has ever written, and the one
/// that the API writes. No key fits both.
pub const CHUNK_PATTERNS: [&str; 2] = ["multipart:*:part:*", "obj:*:part:*"];

/// Patterns of keys that are counted on a server of this profile.
pub fn chunk_patterns(profile: RedisProfile) -> &'static [&'static str] {
    match profile {
        RedisProfile::Redis => &[],
        RedisProfile::Hippius2025 | RedisProfile::Hippius2026 => &CHUNK_PATTERNS,
    }
}

/// Whether the items of this list may be read for their age: those of 2025 hold seed phrases, those of 2026 do not.
pub fn has_readable_age(profile: RedisProfile, queue: &str, kind: Kind) -> bool {
    profile == RedisProfile::Hippius2026 && kind == List && !queue.ends_with(":dlq")
}
