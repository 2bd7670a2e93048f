//! One look at a server, for `check`: does it answer, and what may the role not see.

use super::link::{Link, Manners};
use super::queries;
use crate::config::PostgresTarget;
use crate::connect::postgres::Address;
use crate::poll::source::Reason;
use std::time::Duration;

/// Longest that the server may work on a statement.
const STATEMENT_TIMEOUT: Duration = Duration::from_secs(2);

/// What a server has answered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Found {
    /// `server_version`
    pub version: String,
    /// The role that was logged in.
    pub role: String,
    /// Whether it has the rights of `pg_monitor`.
    pub monitors: bool,
    /// Whether the extension `pg_stat_statements` is installed in the database.
    pub has_statements: bool,
    /// Tables of the profile that the database does not have.
    pub missing: Vec<String>,
    /// Tables of the profile that the role may not read.
    pub unreadable: Vec<String>,
}

/// The host and port, or the socket, of a target: what may be shown of its address.
pub fn address(config: &PostgresTarget) -> String {
    Address::parse(config.url.expose()).map_or_else(|| "?".to_owned(), |address| address.shown())
}

/// Connects, logs in, and asks the catalogue. No table is read.
pub async fn ask(config: &PostgresTarget) -> Result<Found, Reason> {
    // Tables are looked up as the queries about accounts do it.
    let manners = Manners { statement_timeout: STATEMENT_TIMEOUT, catalogue_only: false };
    let session = Link::new(config).open(manners).await?;
    let mut text = session
        .first_row(
            "SELECT current_setting('server_version'), current_user, \
             pg_catalog.pg_has_role(current_user, 'pg_monitor', 'USAGE')",
        )
        .await?
        .into_iter();
    let mut next = || text.next().flatten().ok_or(Reason::Malformed);
    let mut found = Found {
        version: next()?,
        role: next()?,
        monitors: next()? == "t",
        has_statements: session.has_statements(),
        missing: Vec::new(),
        unreadable: Vec::new(),
    };
    for table in queries::tables_of(config.profile) {
        let sql = format!("SELECT pg_catalog.has_table_privilege(pg_catalog.to_regclass('{table}'), 'SELECT')");
        match session.first_row(&sql).await?.into_iter().next().flatten().as_deref() {
            Some("t") => {}
            Some(_) => found.unreadable.push((*table).to_owned()),
            None => found.missing.push((*table).to_owned()),
        }
    }
    Ok(found)
}
