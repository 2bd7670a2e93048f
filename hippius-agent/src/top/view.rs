//! How the screen looks: a line about all, a table, a line about the keys.

use std::fmt::Write;

use ratatui::Frame;
use ratatui::layout::{Constraint, Layout, Rect};
use ratatui::style::{Color, Modifier, Style};
use ratatui::text::{Line, Span};
use ratatui::widgets::{Cell, Clear, Paragraph, Row as Cells, Table as Grid};

use super::keys::Screen;
use crate::record::history::answer::{Rate, Row};
use crate::record::history::table::{By, Sort};

/// Least width of the names: an address without its middle.
const NAME_WIDTH: u16 = 18;

/// Width of a number.
const NUMBER_WIDTH: u16 = 10;

/// Width of an account beside the name.
const ACCOUNT_WIDTH: u16 = 16;

const HELP: [&str; 14] = [
    "a  accounts            u  subaccounts",
    "o  S3 operations       e  endpoints",
    "s  services            l  outgoing calls, by peer",
    "c  connections         Tab  the next of them",
    "",
    "← →    sort by the column on the left or right",
    "r      the other way round",
    "/      find in names; Enter keeps, Esc clears",
    "↑ ↓ PgUp PgDn Home End   scroll",
    "Space  pause",
    "q      leave",
    "",
    "Rates are those of the last interval, totals since the agent started.",
    "A connection is named by its socket, as `ss -e` names it (sk:…).",
];

/// Draws everything.
pub fn draw(frame: &mut Frame<'_>, screen: &mut Screen) {
    let [head, rows, foot] =
        Layout::vertical([Constraint::Length(2), Constraint::Min(2), Constraint::Length(1)]).areas(frame.area());
    screen.height = usize::from(rows.height.saturating_sub(1)).max(1);
    frame.render_widget(Paragraph::new(summary(screen)), head);
    table(frame, rows, screen);
    frame.render_widget(Paragraph::new(keys(screen)), foot);
    if screen.help {
        let area = Rect { height: rows.height.min(HELP.len() as u16), ..rows };
        frame.render_widget(Clear, area);
        frame.render_widget(Paragraph::new(HELP.map(Line::from).to_vec()), area);
    }
}

/// The same as text, for files and pipes: all columns, whatever the width.
pub fn plain(screen: &Screen) -> String {
    let columns = columns(screen, u16::MAX);
    let mut lines = vec![columns.iter().map(|sort| title(screen.ask.by, *sort).to_owned()).collect::<Vec<_>>()];
    lines.extend(screen.table.rows.iter().map(|row| columns.iter().map(|sort| text(row, *sort, usize::MAX)).collect()));
    let width = |at: usize| lines.iter().filter_map(|line| line.get(at)).map(|cell| cell.chars().count()).max();
    let widths: Vec<usize> = (0..columns.len()).map(|at| width(at).unwrap_or(0)).collect();
    let mut out = String::new();
    for line in &lines {
        for (at, (cell, width)) in line.iter().zip(&widths).enumerate() {
            // Writing into a string does not fail.
            let _ = if at == 0 { write!(out, "{cell:<width$}") } else { write!(out, "  {cell:>width$}") };
        }
        out.push('\n');
    }
    out
}

fn summary(screen: &Screen) -> Vec<Line<'static>> {
    let (table, dim) = (&screen.table, Style::new().add_modifier(Modifier::DIM));
    let bold = Style::new().add_modifier(Modifier::BOLD);
    let state = match (&screen.error, screen.paused) {
        (Some(error), _) => Span::styled(error.clone(), Style::new().fg(Color::Red)),
        (None, true) => Span::styled("paused", Style::new().fg(Color::Yellow)),
        (None, false) => Span::styled("live", Style::new().fg(Color::Green)),
    };
    let total = &table.total;
    let mut parts = vec![Span::styled(format!("{}  ", words(screen.ask.by)), bold), state, Span::raw("  ")];
    let rates = [
        (if screen.ask.by == By::Operation { "operations" } else { "requests" }, count(total.requests.per_second)),
        ("failed", count(total.failed.per_second)),
        ("in", bytes(total.received.per_second)),
        ("out", bytes(total.sent.per_second)),
    ];
    let shown = if screen.ask.by == By::Operation { 2 } else { 4 };
    for (name, rate) in rates.into_iter().take(shown) {
        parts.extend([Span::styled(format!("{name} "), dim), Span::raw(format!("{rate}/s  "))]);
    }
    parts.push(Span::styled(format!("{} rows", table.matching), dim));
    if table.left_out > 0 {
        parts.push(Span::styled(format!(", {} quieter ones left out", table.left_out), dim));
    }
    let search = match (screen.typing, screen.ask.search.as_str()) {
        (true, search) => Line::from(vec![Span::raw(format!("/{search}")), Span::styled(" ", bold.reversed())]),
        (false, "") => Line::default(),
        (false, search) => Line::from(Span::styled(format!("/{search}"), Style::new().fg(Color::Yellow))),
    };
    vec![Line::from(parts), search]
}

fn table(frame: &mut Frame<'_>, area: Rect, screen: &Screen) {
    let columns = columns(screen, area.width);
    let name_width = area.width.saturating_sub(others(&columns)).max(NAME_WIDTH);
    let widths = columns.iter().map(|sort| match sort {
        Sort::Name => Constraint::Length(name_width),
        sort => Constraint::Length(width(*sort)),
    });
    let head = columns.iter().map(|sort| {
        let mine = *sort == screen.ask.sort;
        let arrow = match (mine, screen.ask.reverse != is_text(*sort)) {
            (false, _) => "",
            (true, false) => "↓",
            (true, true) => "↑",
        };
        let style = Style::new().add_modifier(if mine { Modifier::BOLD | Modifier::UNDERLINED } else { Modifier::DIM });
        align(format!("{}{arrow}", title(screen.ask.by, *sort)), *sort).style(style)
    });
    let shown = screen.table.rows.iter().skip(screen.first).take(screen.height);
    let rows = shown.map(|row| {
        Cells::new(columns.iter().map(|sort| {
            let bad = matches!(sort, Sort::Failed) && row.failed.per_second > 0.0;
            let style = match sort {
                _ if bad => Style::new().fg(Color::Red),
                Sort::RequestsTotal | Sort::FailedTotal | Sort::ReceivedTotal | Sort::SentTotal => {
                    Style::new().add_modifier(Modifier::DIM)
                }
                _ => Style::new(),
            };
            align(text(row, *sort, usize::from(name_width)), *sort).style(style)
        }))
    });
    frame.render_widget(Grid::new(rows, widths).header(Cells::new(head)).column_spacing(1), area);
}

/// The columns that fit: totals go first, the one that sorts stays.
fn columns(screen: &Screen, width: u16) -> Vec<Sort> {
    let mut columns = screen.sorts().to_vec();
    let fits = |columns: &[Sort]| NAME_WIDTH + others(columns) <= width;
    let least = [
        Sort::FailedTotal,
        Sort::Age,
        Sort::SentTotal,
        Sort::ReceivedTotal,
        Sort::P50,
        Sort::P95,
        Sort::P99,
        Sort::RequestsTotal,
        Sort::Failed,
    ];
    for column in least {
        if fits(&columns) {
            break;
        }
        columns.retain(|other| *other != column || *other == screen.ask.sort);
    }
    while !fits(&columns) && columns.len() > 2 {
        let last = columns.iter().rposition(|other| *other != screen.ask.sort).unwrap_or(1);
        columns.remove(last);
    }
    columns
}

fn width(sort: Sort) -> u16 {
    if sort == Sort::MainAccount { ACCOUNT_WIDTH } else { NUMBER_WIDTH }
}

/// What the columns behind the name take, with the spaces before them.
fn others(columns: &[Sort]) -> u16 {
    columns.iter().filter(|sort| **sort != Sort::Name).map(|sort| width(*sort) + 1).sum()
}

fn is_text(sort: Sort) -> bool {
    matches!(sort, Sort::Name | Sort::MainAccount | Sort::State)
}

fn align(text: String, sort: Sort) -> Cell<'static> {
    let line = Line::from(text);
    Cell::from(if is_text(sort) { line } else { line.right_aligned() })
}

fn keys(screen: &Screen) -> Line<'static> {
    let text = if screen.typing {
        "Enter keep  Esc clear"
    } else {
        "a accounts  u sub  o operations  e endpoints  s services  l calls  c connections  ←→ sort  r reverse  / find  ? keys  q leave"
    };
    Line::from(Span::styled(text, Style::new().add_modifier(Modifier::DIM)))
}

fn words(by: By) -> &'static str {
    match by {
        By::Account => "Accounts",
        By::Subaccount => "Subaccounts",
        By::Operation => "S3 operations",
        By::Handler => "Endpoints",
        By::Service => "Services",
        By::Peer => "Outgoing calls",
        By::Connection => "Connections",
    }
}

fn title(by: By, sort: Sort) -> &'static str {
    match sort {
        Sort::Name => words(by),
        Sort::Requests if by == By::Operation => "ops/s",
        Sort::Requests => "req/s",
        Sort::RequestsTotal if by == By::Operation => "operations",
        Sort::RequestsTotal => "requests",
        Sort::Failed => "failed/s",
        Sort::FailedTotal => "failed",
        Sort::Received => "in/s",
        Sort::ReceivedTotal => "in",
        Sort::Sent => "out/s",
        Sort::SentTotal => "out",
        Sort::P50 => "p50",
        Sort::P95 => "p95",
        Sort::P99 => "p99",
        Sort::Age => "open for",
        Sort::State => "state",
        Sort::MainAccount => "account",
    }
}

fn text(row: &Row, sort: Sort, width: usize) -> String {
    let rate = |rate: Rate, of: fn(f64) -> String| of(rate.per_second);
    match sort {
        Sort::Name => name(row, width),
        Sort::Requests => rate(row.requests, count),
        Sort::Failed => rate(row.failed, count),
        Sort::Received => rate(row.received, bytes),
        Sort::Sent => rate(row.sent, bytes),
        Sort::RequestsTotal => row.requests.total.to_string(),
        Sort::FailedTotal => row.failed.total.to_string(),
        Sort::ReceivedTotal => bytes(row.received.total as f64),
        Sort::SentTotal => bytes(row.sent.total as f64),
        Sort::P50 => row.p50_s.map_or_else(none, seconds),
        Sort::P95 => row.p95_s.map_or_else(none, seconds),
        Sort::P99 => row.p99_s.map_or_else(none, seconds),
        Sort::Age => row.connection.as_ref().map_or_else(none, |live| age(live.age_s)),
        Sort::State => row.connection.as_ref().map_or_else(none, |live| live.state.clone()),
        Sort::MainAccount => {
            let account = row.connection.as_ref().map(|live| &*live.main_account).filter(|account| !account.is_empty());
            let room = if width == usize::MAX { width } else { ACCOUNT_WIDTH.into() };
            account.map_or_else(none, |account| shorten(account, room))
        }
    }
}

fn none() -> String {
    "–".to_owned()
}

/// Whole units: nobody counts the seconds of a day.
fn age(seconds: f64) -> String {
    match seconds {
        ..120.0 => format!("{seconds:.0} s"),
        120.0..7200.0 => format!("{:.0} min", seconds / 60.0),
        7200.0..172_800.0 => format!("{:.0} h", seconds / 3600.0),
        _ => format!("{:.0} d", seconds / 86_400.0),
    }
}

/// The name and the group, the middle left out of what is too long: an address is told apart by its ends.
fn name(row: &Row, width: usize) -> String {
    let own = if row.name.is_empty() { "(none)" } else { &row.name };
    let group = row.group.chars().count();
    let both = own.chars().count() + 2 + group;
    if group > 0 && both <= width {
        return format!("{own}  {}", row.group);
    }
    shorten(own, width)
}

fn shorten(text: &str, width: usize) -> String {
    let count = text.chars().count();
    if count <= width || width < 5 {
        return text.to_owned();
    }
    let tail = (width - 1) / 2;
    let head: String = text.chars().take(width - 1 - tail).collect();
    let tail: String = text.chars().skip(count - tail).collect();
    format!("{head}…{tail}")
}

/// Three digits that count and a unit.
fn scaled(mut value: f64, base: f64, units: &[&str]) -> String {
    let mut units = units.iter();
    let mut unit = units.next();
    while value >= base * 0.9995 {
        let Some(next) = units.next() else { break };
        (value, unit) = (value / base, Some(next));
    }
    let digits = if value >= 100.0 || value == 0.0 {
        0
    } else if value >= 10.0 {
        1
    } else {
        2
    };
    format!("{value:.digits$}{}", unit.unwrap_or(&""))
}

fn count(value: f64) -> String {
    scaled(value, 1000.0, &["", "k", "M", "G", "T"])
}

fn bytes(value: f64) -> String {
    scaled(value, 1024.0, &[" B", " KiB", " MiB", " GiB", " TiB", " PiB"])
}

fn seconds(value: f64) -> String {
    match value {
        ..0.001 => scaled(value * 1e6, 1000.0, &[" us"]),
        0.001..1.0 => scaled(value * 1e3, 1000.0, &[" ms"]),
        _ => scaled(value, 1000.0, &[" s"]),
    }
}

#[cfg(test)]
mod tests {
    use ratatui::Terminal;
    use ratatui::backend::TestBackend;

    use super::*;
    use crate::record::history::answer::Table;

    fn screen() -> Screen {
        let rate = |total| Rate { total, per_second: total as f64 / 5.0 };
        let row = |name: &str, requests| Row {
            name: name.to_owned(),
            requests: rate(requests),
            received: rate(1 << 20),
            failed: rate(1),
            ..Row::default()
        };
        let rows = vec![row("5FHneW46xGXgs5mUiveU4sbTyGBzmstUspZC92UhjJM694ty", 1234), row("team", 5)];
        let mut screen = Screen::new(By::Account, Sort::Requests, String::new());
        screen.shown(Table { rows, matching: 2, ..Table::default() });
        screen
    }

    fn drawn(screen: &mut Screen, width: u16) -> String {
        let mut terminal = Terminal::new(TestBackend::new(width, 20)).expect("a screen");
        terminal.draw(|frame| draw(frame, screen)).expect("a drawing");
        terminal.backend().to_string()
    }

    #[test]
    fn wide_and_narrow_terminals_have_what_fits() {
        let wide = drawn(&mut screen(), 140);
        for part in ["req/s↓", "requests", "1234", "247", "1.00 MiB", "205 KiB", "5FHneW46xGXgs5mUiveU4sbTyGB"] {
            assert!(wide.contains(part), "{part}\n{wide}");
        }
        let narrow = drawn(&mut screen(), 60);
        assert!(narrow.contains("5FHneW46xGXgs…C92UhjJM694ty") && narrow.contains("out/s"), "{narrow}");
        assert!(!narrow.contains("1234"), "totals go first\n{narrow}");
        drawn(&mut screen(), 5);
    }

    #[test]
    fn help_search_and_errors_are_shown() {
        let mut screen = screen();
        (screen.help, screen.typing, screen.ask.search) = (true, true, "te".to_owned());
        screen.failed("no answer".to_owned());
        let shown = drawn(&mut screen, 100);
        assert!(shown.contains("/te") && shown.contains("no answer") && shown.contains("pause"), "{shown}");
    }

    #[test]
    fn the_plain_table_has_whole_names() {
        let text = plain(&screen());
        assert!(text.contains("5FHneW46xGXgs5mUiveU4sbTyGBzmstUspZC92UhjJM694ty    247      1234  "), "{text}");
        assert_eq!(text.lines().count(), 3);
    }
}
