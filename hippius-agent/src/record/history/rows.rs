//! Rows of any table: found, sorted, added up, cut to the limit.

use std::cmp::Ordering;

use super::answer::{Rate, Row, Table, VERSION};
use super::table::{Ask, MAX_ROWS, Sort};

/// The document of `rows`: those that match the search, sorted as asked.
pub fn arrange(mut rows: Vec<Row>, ask: &Ask, sampled_at_s: f64, interval_s: f64) -> Table {
    let search = ask.search.to_lowercase();
    rows.retain(|row| search.is_empty() || texts(row).any(|text| text.to_lowercase().contains(&search)));
    rows.sort_by(|one, other| order(one, other, ask.sort, ask.reverse));
    let mut total = Row { name: "all".to_owned(), ..Row::default() };
    for row in &rows {
        let parts = [
            (&mut total.requests, row.requests),
            (&mut total.failed, row.failed),
            (&mut total.received, row.received),
            (&mut total.sent, row.sent),
        ];
        for (sum, part) in parts {
            sum.total += part.total;
            sum.per_second += part.per_second;
        }
    }
    let matching = rows.len();
    rows.truncate(ask.limit.min(MAX_ROWS));
    let by = ask.by.word().to_owned();
    Table { version: VERSION, sampled_at_s, interval_s, by, matching, left_out: 0, total, rows }
}

/// What a search looks at.
fn texts(row: &Row) -> impl Iterator<Item = &str> {
    let live = row.connection.iter().flat_map(|live| {
        [&live.main_account, &live.subaccount_id, &live.state, &live.handler, &live.way].map(String::as_str)
    });
    [&*row.name, &*row.group].into_iter().chain(live)
}

/// The largest first; names from A. Rows that are equal stand by their names.
fn order(one: &Row, other: &Row, sort: Sort, reverse: bool) -> Ordering {
    let rate = |of: fn(&Row) -> Rate| {
        let (one, other) = (of(one), of(other));
        other.per_second.total_cmp(&one.per_second).then(other.total.cmp(&one.total))
    };
    let total = |of: fn(&Row) -> Rate| of(other).total.cmp(&of(one).total);
    let seconds = |of: fn(&Row) -> Option<f64>| of(other).unwrap_or(-1.0).total_cmp(&of(one).unwrap_or(-1.0));
    let names = (&one.name, &one.group).cmp(&(&other.name, &other.group));
    let text = |of: fn(&Row) -> Option<&str>| of(one).cmp(&of(other));
    let order = match sort {
        Sort::Name => names,
        Sort::Requests => rate(|row| row.requests),
        Sort::Failed => rate(|row| row.failed),
        Sort::Received => rate(|row| row.received),
        Sort::Sent => rate(|row| row.sent),
        Sort::P50 => seconds(|row| row.p50_s),
        Sort::P95 => seconds(|row| row.p95_s),
        Sort::P99 => seconds(|row| row.p99_s),
        Sort::Age => seconds(|row| row.connection.as_ref().map(|live| live.age_s)),
        Sort::State => text(|row| row.connection.as_ref().map(|live| &*live.state)),
        Sort::MainAccount => text(|row| row.connection.as_ref().map(|live| &*live.main_account)),
        Sort::RequestsTotal => total(|row| row.requests),
        Sort::FailedTotal => total(|row| row.failed),
        Sort::ReceivedTotal => total(|row| row.received),
        Sort::SentTotal => total(|row| row.sent),
    };
    let order = if reverse { order.reverse() } else { order };
    order.then(names)
}
