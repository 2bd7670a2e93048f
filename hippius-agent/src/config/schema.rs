//! Every key of the configuration file, by section. The reader refuses what does not stand here, and the tests hold
//! the example file and `docs/configuration.md` against it.

/// One table of the file and the keys that it may hold.
#[derive(Debug, PartialEq, Eq)]
pub struct SectionSpec {
    /// Dotted path, empty for the top of the file.
    pub path: &'static str,
    /// Whether it may be given several times (`[[path]]`).
    pub repeated: bool,
    /// Names of its values and of the tables inside it, in the order of the documentation.
    pub keys: &'static [&'static str],
}

/// The top of the file.
pub const ROOT: SectionSpec = SectionSpec {
    path: "",
    repeated: false,
    keys: &[
        "listen",
        "web_config_file",
        "log",
        "capture",
        "labels",
        "service",
        "client",
        "peer",
        "operation",
        "attribution",
        "redis",
        "postgres",
    ],
};
/// `[capture]`: the kernel side.
pub const CAPTURE: SectionSpec = SectionSpec {
    path: "capture",
    repeated: false,
    keys: &["ring_bytes", "max_connections", "probe_log", "backend", "discover", "outbound", "tls"],
};
/// `[labels]`: limits on the number of series.
pub const LABELS: SectionSpec =
    SectionSpec { path: "labels", repeated: false, keys: &["max_series", "per_family", "idle_seconds", "container"] };
/// `[[service]]`: what is watched.
pub const SERVICE: SectionSpec = SectionSpec {
    path: "service",
    repeated: true,
    keys: &[
        "name",
        "ports",
        "sockets",
        "process",
        "container",
        "pod",
        "namespace",
        "profile",
        "behind_gateway",
        "client_facing",
        "virtual_hosts",
        "operation",
    ],
};
/// `[[client]]`: further processes whose outgoing connections are watched.
pub const CLIENT: SectionSpec = SectionSpec { path: "client", repeated: true, keys: &["name", "process", "command"] };
/// `[[peer]]`: whom watched processes call.
pub const PEER: SectionSpec =
    SectionSpec { path: "peer", repeated: true, keys: &["name", "address", "port", "profile", "operation"] };
/// `[[peer.operation]]`: names for endpoints of one peer.
pub const PEER_OPERATION: SectionSpec =
    SectionSpec { path: "peer.operation", repeated: true, keys: &["name", "method", "path", "query"] };
const OPERATION_KEYS: &[&str] = &["name", "method", "path", "query", "s3"];
/// `[[service.operation]]`: names for endpoints of one service.
pub const SERVICE_OPERATION: SectionSpec =
    SectionSpec { path: "service.operation", repeated: true, keys: OPERATION_KEYS };
/// `[[operation]]`: names for endpoints of every service.
pub const OPERATION: SectionSpec = SectionSpec { path: "operation", repeated: true, keys: OPERATION_KEYS };
/// `[attribution]`: how a credential becomes an account.
pub const ATTRIBUTION: SectionSpec = SectionSpec {
    path: "attribution",
    repeated: false,
    keys: &["order", "wait_ms", "cache_entries", "positive_ttl_s", "negative_ttl_s", "static", "redis", "postgres"],
};
/// `[attribution.static]`
pub const ATTRIBUTION_STATIC: SectionSpec =
    SectionSpec { path: "attribution.static", repeated: false, keys: &["file"] };
/// `[attribution.redis]`
pub const ATTRIBUTION_REDIS: SectionSpec = SectionSpec {
    path: "attribution.redis",
    repeated: false,
    keys: &["auth_url", "auth_url_env", "auth_url_file", "accounts_url", "accounts_url_env", "accounts_url_file"],
};
/// `[attribution.postgres]`
pub const ATTRIBUTION_POSTGRES: SectionSpec =
    SectionSpec { path: "attribution.postgres", repeated: false, keys: &["url", "url_env", "url_file"] };

/// `[[redis]]`: polled Redis servers.
pub const REDIS: SectionSpec = SectionSpec {
    path: "redis",
    repeated: true,
    keys: &[
        "name",
        "url",
        "url_env",
        "url_file",
        "password_env",
        "password_file",
        "tls_ca_file",
        "tls_cert_file",
        "tls_key_file",
        "profile",
        "interval_ms",
        "timeout_ms",
        "jitter_ms",
        "backoff_max_ms",
        "stale_ms",
        "queues",
        "keys",
        "key_patterns",
        "sweep_interval_s",
        "sweep_duty_percent",
        "sweep_batch",
        "sweep_max_keys",
        "account_credits",
    ],
};
/// `[[postgres]]`: polled PostgreSQL servers.
pub const POSTGRES: SectionSpec = SectionSpec {
    path: "postgres",
    repeated: true,
    keys: &[
        "name",
        "url",
        "url_env",
        "url_file",
        "password_env",
        "password_file",
        "tls_ca_file",
        "tls_cert_file",
        "tls_key_file",
        "profile",
        "interval_ms",
        "timeout_ms",
        "jitter_ms",
        "backoff_max_ms",
        "stale_ms",
        "slow_interval_s",
        "accounts_interval_s",
        "max_tables",
        "max_statements",
        "max_accounts",
    ],
};

/// All sections, in the order of the documentation.
pub const SCHEMA: &[&SectionSpec] = &[
    &ROOT,
    &CAPTURE,
    &LABELS,
    &SERVICE,
    &SERVICE_OPERATION,
    &CLIENT,
    &PEER,
    &PEER_OPERATION,
    &OPERATION,
    &ATTRIBUTION,
    &ATTRIBUTION_STATIC,
    &ATTRIBUTION_REDIS,
    &ATTRIBUTION_POSTGRES,
    &REDIS,
    &POSTGRES,
];

/// Dotted paths of all values of the schema (tables themselves left out), for example `capture.ring_bytes`.
pub fn value_paths() -> impl Iterator<Item = String> {
    SCHEMA.iter().flat_map(|section| {
        section
            .keys
            .iter()
            .map(|key| join(section.path, key))
            .filter(|path| !SCHEMA.iter().any(|section| section.path == path))
    })
}

/// `section.key`, or only `key` at the top of the file.
pub(super) fn join(section: &str, key: &str) -> String {
    if section.is_empty() { key.to_owned() } else { format!("{section}.{key}") }
}
