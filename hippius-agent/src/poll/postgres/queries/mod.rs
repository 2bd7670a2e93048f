//! The queries, by what they ask about.
//!
//! Names, types and labels are those of postgres_exporter 0.11 and of its successors, so that dashboards and alerts
//! made for it go on working. The columns are described in "The Cumulative Statistics System" and in "System Views" of
//! PostgreSQL's documentation, which is the source for the versions that the tests do not run on.
//! No query reads a statement's text.

mod activity;
mod database;
mod hippius;
mod replication;
mod server;
mod statements;
mod tables;
mod writer;

use super::query::Query;
use crate::config::PostgresProfile;

/// What any server is asked, in the order in which it is asked: what is cheap and often looked at comes first.
pub fn general() -> impl Iterator<Item = &'static Query> {
    [server::QUERIES, activity::QUERIES, database::QUERIES, writer::QUERIES, replication::QUERIES, tables::QUERIES]
        .into_iter()
        .flatten()
}

/// What is asked where the extension `pg_stat_statements` is there.
pub fn statements() -> &'static [Query] {
    statements::QUERIES
}

/// What is asked of the tables of the service.
pub fn accounts(profile: PostgresProfile) -> &'static [Query] {
    match profile {
        PostgresProfile::Postgres => &[],
        PostgresProfile::Hippius2025 => hippius::QUERIES_2025,
        PostgresProfile::Hippius2026 => hippius::QUERIES_2026,
    }
}

/// The tables that those read.
pub fn tables_of(profile: PostgresProfile) -> &'static [&'static str] {
    match profile {
        PostgresProfile::Postgres => &[],
        PostgresProfile::Hippius2025 => &["buckets", "objects", "multipart_uploads"],
        PostgresProfile::Hippius2026 => &["buckets", "objects", "object_versions", "multipart_uploads"],
    }
}
