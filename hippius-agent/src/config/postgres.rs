//! `[[postgres]]`: PostgreSQL servers that are polled.

use super::poll::{self, Pace, TlsFiles};
use super::read::Section;
use super::secret::{Kind, SecretUrl, password, url};
use std::sync::Arc;
use std::time::Duration;

/// One polled PostgreSQL server, seen through one of its databases.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PostgresTarget {
    /// The `pg_instance` label, and the end of the path of its own page.
    pub name: Arc<str>,
    /// Where it is, and the database that tables are looked at in.
    pub url: SecretUrl,
    /// Password that does not stand in the address.
    pub password: Option<SecretUrl>,
    /// Whether the tables of Hippius are there.
    pub profile: PostgresProfile,
    /// Files for TLS; whether it is used is said by `sslmode` in the address.
    pub tls: TlsFiles,
    /// How often.
    pub pace: Pace,
    /// How often sizes of databases and tables and the settings are looked at: they cost the server more.
    pub slow_interval: Duration,
    /// How often the stored bytes and objects of accounts are summed up.
    pub accounts_interval: Duration,
    /// Most tables that are shown, the largest first.
    pub max_tables: u32,
    /// Most statements of `pg_stat_statements` that are shown, by time; 0 shows none.
    pub max_statements: u32,
    /// Most accounts that are shown; the rest is added up on `__other__`.
    pub max_accounts: u32,
}

/// What kind of database it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum PostgresProfile {
    /// Any PostgreSQL.
    Postgres,
    /// The database of Hippius S3 of 2025.
    Hippius2025,
    /// The database of Hippius S3 of 2026.
    Hippius2026,
}

/// Names of the profiles.
pub const POSTGRES_PROFILES: &[(&str, PostgresProfile)] = &[
    ("postgres", PostgresProfile::Postgres),
    ("hippius-2025", PostgresProfile::Hippius2025),
    ("hippius-2026", PostgresProfile::Hippius2026),
];

/// Reads all of them.
pub(super) fn read_all(sections: &[Section<'_>]) -> Vec<PostgresTarget> {
    poll::read_all(sections, read, |target| &target.name)
}

fn read(section: &Section<'_>) -> Option<PostgresTarget> {
    let pace = Pace::every(Duration::from_secs(15), Duration::from_secs(5));
    let number = |key, least, most, unit, otherwise| poll::number(section, key, least, most, unit, otherwise);
    poll::require_url(section);
    let name = poll::name(section);
    let address = url(section, "url", Kind::Postgres);
    let profile = section.choice("profile", POSTGRES_PROFILES).unwrap_or(PostgresProfile::Postgres);
    let target = PostgresTarget {
        name: name?,
        url: address?,
        password: password(section),
        profile,
        tls: TlsFiles::read(section),
        pace: Pace::read(section, &pace),
        slow_interval: Duration::from_secs(number("slow_interval_s", 1, 86_400, "seconds", 60)),
        accounts_interval: Duration::from_secs(number("accounts_interval_s", 1, 86_400, "seconds", 300)),
        max_tables: number("max_tables", 0, 10_000, "tables", 200) as u32,
        max_statements: number("max_statements", 0, 1_000, "statements", 50) as u32,
        max_accounts: number("max_accounts", 1, 1_000_000, "accounts", 10_000) as u32,
    };
    Some(target)
}
