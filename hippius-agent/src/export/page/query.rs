//! Paths and queries of the documents.

use percent_encoding::percent_decode_str;

use crate::record::history::History;
use crate::record::history::filter::{Filter, Range};
use crate::record::history::table::{Ask, By, MAX_ROWS, Sort};

const OVERVIEW: &str = "/api/v1/overview";
const TABLE: &str = "/api/v1/table";

/// Most values of one filter, and the longest of them in bytes.
const MAX_VALUES: usize = 32;
const MAX_VALUE_BYTES: usize = 256;

/// Rows where the query names no limit.
const DEFAULT_ROWS: usize = 50;

/// What is wrong with a query. The value is not repeated: it may be anything.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum QueryError {
    /// A parameter that the document does not have.
    #[error("unknown parameter; allowed: {0}")]
    Unknown(&'static str),
    /// A value that the parameter does not take.
    #[error("{name}: allowed: {allowed}")]
    Value {
        /// The parameter.
        name: &'static str,
        /// What it takes.
        allowed: String,
    },
}

/// A document that is asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Question {
    /// The charts.
    Overview(Filter, Range),
    /// A table.
    Table(Ask),
}

impl Question {
    /// Whether `path` is that of a document.
    pub fn has(path: &str) -> bool {
        path == OVERVIEW || path == TABLE
    }

    /// Reads path and query.
    pub fn read(path: &str, query: &str) -> Result<Self, QueryError> {
        let (mut filter, mut range) = (Filter::default(), Range::default());
        let mut ask = Ask { limit: DEFAULT_ROWS, ..Ask::default() };
        let table = path == TABLE;
        for pair in query.split('&').filter(|pair| !pair.is_empty()) {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            let value = value.replace('+', " ");
            let value = percent_decode_str(&value).decode_utf8_lossy().into_owned();
            match name {
                "main_account" => push(&mut filter.main_account, "main_account", value)?,
                "subaccount_id" => push(&mut filter.subaccount_id, "subaccount_id", value)?,
                "service" => push(&mut filter.service, "service", value)?,
                "handler" => push(&mut filter.handler, "handler", value)?,
                "range" if !table => range = one("range", &value, &[("10m", Range::TenMinutes), ("1h", Range::Hour)])?,
                "by" if table => ask.by = one("by", &value, &By::ALL)?,
                "sort" if table => ask.sort = one("sort", &value, &Sort::ALL)?,
                "order" if table => ask.reverse = one("order", &value, &[("first", false), ("last", true)])?,
                "search" if table => ask.search = short("search", value)?,
                "limit" if table => {
                    let allowed = || QueryError::Value { name: "limit", allowed: format!("1 to {MAX_ROWS}") };
                    let limit = value.parse().ok().filter(|limit| (1..=MAX_ROWS).contains(limit));
                    ask.limit = limit.ok_or_else(allowed)?;
                }
                _ if table => {
                    return Err(QueryError::Unknown(
                        "by, sort, order, search, limit, main_account, subaccount_id, service, handler",
                    ));
                }
                _ => return Err(QueryError::Unknown("range, main_account, subaccount_id, service, handler")),
            }
        }
        ask.filter = filter.clone();
        Ok(if table { Self::Table(ask) } else { Self::Overview(filter, range) })
    }

    /// The document as JSON.
    pub fn answer(&self, history: &History) -> serde_json::Result<Vec<u8>> {
        match self {
            Self::Overview(filter, range) => serde_json::to_vec(&history.overview(filter, *range)),
            Self::Table(ask) => serde_json::to_vec(&history.table(ask)),
        }
    }
}

fn push(list: &mut Vec<String>, name: &'static str, value: String) -> Result<(), QueryError> {
    if list.len() >= MAX_VALUES {
        return Err(QueryError::Value { name, allowed: format!("at most {MAX_VALUES} values") });
    }
    list.push(short(name, value)?);
    Ok(())
}

fn short(name: &'static str, value: String) -> Result<String, QueryError> {
    let allowed = || QueryError::Value { name, allowed: format!("at most {MAX_VALUE_BYTES} bytes") };
    Some(value).filter(|value| value.len() <= MAX_VALUE_BYTES).ok_or_else(allowed)
}

fn one<T: Copy>(name: &'static str, value: &str, words: &[(&str, T)]) -> Result<T, QueryError> {
    let found = words.iter().find(|(word, _)| *word == value).map(|(_, found)| *found);
    let allowed = || words.iter().map(|(word, _)| *word).collect::<Vec<_>>().join(", ");
    found.ok_or_else(|| QueryError::Value { name, allowed: allowed() })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn queries_are_read() {
        let query = "range=10m&main_account=a%26b&main_account=c+d&handler=get_object";
        let filter = Filter {
            main_account: vec!["a&b".to_owned(), "c d".to_owned()],
            handler: vec!["get_object".to_owned()],
            ..Filter::default()
        };
        assert_eq!(Question::read(OVERVIEW, query), Ok(Question::Overview(filter, Range::TenMinutes)));
        let ask =
            Ask { by: By::Operation, sort: Sort::Sent, reverse: true, search: "x".into(), limit: 7, ..Ask::default() };
        let query = "by=operation&sort=sent&order=last&search=x&limit=7";
        assert_eq!(Question::read(TABLE, query), Ok(Question::Table(ask)));
    }

    #[test]
    fn wrong_queries_are_refused_without_repeating_them() {
        let many = "service=x&".repeat(MAX_VALUES + 1);
        let long = format!("search={}", "x".repeat(MAX_VALUE_BYTES + 1));
        for (path, query) in [
            (OVERVIEW, "sort=name"),
            (OVERVIEW, "range=2h"),
            (OVERVIEW, "secret"),
            (OVERVIEW, many.as_str()),
            (TABLE, "limit=0"),
            (TABLE, "limit=1001"),
            (TABLE, "range=1h"),
            (TABLE, "by=%00secret"),
            (TABLE, long.as_str()),
        ] {
            let error = Question::read(path, query).expect_err(query).to_string();
            assert!(error.contains("allowed") && !error.contains("secret") && !error.contains("xxx"), "{error}");
        }
    }
}
