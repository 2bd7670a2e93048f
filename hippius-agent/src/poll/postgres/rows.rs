//! Rows to samples.

use super::query::Query;
use crate::poll::draft::Draft;
use ahash::AHashMap;

/// An answer that does not have the columns that were asked for, or text where a number should be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Malformed;

/// Where rows are gathered, for each query apart: its answers are mostly alike.
#[derive(Debug, Default)]
pub struct Drafts(AHashMap<&'static str, Draft>);

impl Drafts {
    /// That of a query.
    pub fn of(&mut self, query: &Query) -> &mut Draft {
        self.0.entry(query.collector).or_default()
    }

    /// Forgets what was gathered.
    pub fn clear(&mut self) {
        self.0.values_mut().for_each(Draft::clear);
    }
}

/// Adds one row of `query`'s answer, as the text that the server sends; `None` is NULL.
pub fn add<'r>(
    query: &Query,
    column: impl Fn(usize) -> Option<&'r str>,
    columns: usize,
    out: &mut Draft,
) -> Result<(), Malformed> {
    let first = query.labels.len();
    if columns != first + query.values.len() {
        return Err(Malformed);
    }
    let labels: Vec<&str> = (0..first).map(|index| column(index).unwrap_or_default()).collect();
    for (index, names) in query.values.iter().enumerate() {
        let Some(text) = column(first + index) else { continue };
        let value = text.parse().map_err(|_| Malformed)?;
        for spec in *names {
            out.add(spec, &labels, value);
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::poll::family::Families;
    use crate::poll::postgres::query::{Every, counter, gauge};

    static QUERY: Query = Query {
        collector: "test",
        every: Every::Poll,
        labels: &["datname", "state"],
        values: &[
            &[gauge("now", &["datname", "state"], "Now.")],
            &[counter("new_total", &["datname", "state"], "New."), counter("old", &["datname", "state"], "Old.")],
        ],
        sql: &[(13, "SELECT 13"), (17, "SELECT 17")],
    };

    fn add_row(row: &[Option<&'static str>]) -> Result<Families, Malformed> {
        let mut out = Draft::default();
        add(&QUERY, |index| row.get(index).copied().flatten(), row.len(), &mut out).map(|()| out.finish())
    }

    #[test]
    fn each_value_goes_to_all_names_of_its_family_and_null_to_none() {
        let labels = r#"datname="a",state="idle in transaction""#;
        let all = add_row(&[Some("a"), Some("idle in transaction"), Some("-1.5"), Some("9007199254740993")]);
        let all = all.expect("a row");
        assert_eq!(all.value("now", labels), Some(-1.5));
        assert_eq!(all.value("new_total", labels), Some(9_007_199_254_740_992.0));
        assert_eq!(all.value("old", labels), all.value("new_total", labels));
        let none = add_row(&[None, Some("x"), None, None]).expect("a row");
        assert_eq!(none.samples(), 0);
    }

    #[test]
    fn other_columns_and_text_for_numbers_are_refused() {
        for row in [&[Some("a"), Some("b"), Some("1")][..], &[], &[Some("a"), Some("b"), Some("t"), Some("1")]] {
            assert_eq!(add_row(row).err(), Some(Malformed), "{row:?}");
        }
    }

    #[test]
    fn the_newest_sql_that_the_server_knows_is_taken() {
        let taken = [12, 13, 16, 17, 18].map(|major| QUERY.sql_for(major));
        assert_eq!(taken, [None, Some("SELECT 13"), Some("SELECT 13"), Some("SELECT 17"), Some("SELECT 17")]);
    }
}
