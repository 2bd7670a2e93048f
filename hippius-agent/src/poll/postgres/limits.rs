//! What the configuration puts into the queries.

use crate::config::PostgresTarget;

/// Client names that `pg_pool_connections` tells apart.
const MOST_APPLICATIONS: u32 = 50;

/// Limits on the number of series, counted by the server so that it sends no more than is shown.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    tables: u32,
    statements: u32,
    accounts: u32,
}

impl Limits {
    /// Those of the configuration.
    pub fn new(config: &PostgresTarget) -> Self {
        Self { tables: config.max_tables, statements: config.max_statements, accounts: config.max_accounts }
    }

    /// `sql` with its words in braces replaced. `statements_schema` is an identifier that the server has quoted.
    pub fn put_into(&self, sql: &str, statements_schema: &str) -> String {
        [
            ("{tables}", &*self.tables.to_string()),
            ("{statements}", &self.statements.to_string()),
            ("{accounts}", &self.accounts.to_string()),
            ("{applications}", &MOST_APPLICATIONS.to_string()),
            ("{statements_schema}", statements_schema),
        ]
        .into_iter()
        .fold(sql.to_owned(), |sql, (word, value)| sql.replace(word, value))
    }

    /// Bytes that one answer may have: no honest one is near it.
    pub fn answer_bytes(&self) -> u64 {
        const LEAST: u64 = 8 << 20;
        const PER_ROW: u64 = 2048;
        LEAST + PER_ROW * u64::from(self.tables.max(self.statements).max(self.accounts))
    }
}
