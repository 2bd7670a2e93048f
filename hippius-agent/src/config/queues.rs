//! The queues of Redis servers: those that are known of a profile, and those that the file names.

use super::{RedisProfile, RedisTarget};

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

/// Names of all queues of these servers.
pub fn names(targets: &[RedisTarget]) -> impl Iterator<Item = &str> {
    targets.iter().flat_map(|target| {
        let known = queues(target.profile).iter().map(|(name, _)| *name);
        known.chain(target.queues.iter().map(|name| &**name))
    })
}
