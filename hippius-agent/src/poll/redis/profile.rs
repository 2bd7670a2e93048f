//! What is known of the Hippius servers without being told: the keys that hold chunks of uploads, and whose items may be
//! read. Their queues stand in the configuration, because the wire is watched for them, too.

use crate::config::RedisProfile;
use crate::config::queues::Kind;

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
    profile == RedisProfile::Hippius2026 && kind == Kind::List && !queue.ends_with(":dlq")
}
