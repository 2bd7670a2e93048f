//! What decides which queries there are: the server's version and its extensions. Extensions come and go while a
//! connection stays.

use tokio_postgres::SimpleQueryRow;

/// Oldest major version that the queries are written for; an older server is asked the same, and what it does not
/// know fails.
pub const OLDEST: u32 = 13;

/// Asks for it.
pub const SQL: &str = "SELECT current_setting('server_version_num')::int / 10000, (SELECT quote_ident(n.nspname) \
                       FROM pg_catalog.pg_extension e JOIN pg_catalog.pg_namespace n ON n.oid = e.extnamespace \
                       WHERE e.extname = 'pg_stat_statements')";

/// The answer.
#[derive(Debug)]
pub struct Look {
    /// Major version of the server, or the oldest one that is known.
    pub major: u32,
    /// Schema of `pg_stat_statements`, quoted, where it is installed.
    pub statements_schema: Option<String>,
}

impl Look {
    /// Reads the one row of the answer.
    pub fn read(row: &SimpleQueryRow) -> Option<Self> {
        let major = row.try_get(0).ok()??.parse::<u32>().ok()?.max(OLDEST);
        Some(Self { major, statements_schema: row.try_get(1).ok()?.map(str::to_owned) })
    }
}
