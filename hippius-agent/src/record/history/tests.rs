use std::time::Duration;

use super::answer::{Panel, Rate};
use super::filter::{Filter, Range};
use super::table::{Ask, By, Sort};
use super::*;
use crate::attribute::Account;
use crate::classify::{Effect, Payload, S3Operation};
use crate::exchange::{Direction, MessageBytes, Outcome};
use crate::record::sample::{ExchangeSample, TransferSample};
use crate::record::series::{Recorder, SeriesConfig, SeriesReader};

const GET: S3Operation = S3Operation { name: "GetObject", effect: Effect::None, payload: Payload::Download };

struct Rig {
    recorder: Recorder,
    reader: SeriesReader,
    history: History,
    now_ns: u64,
}

impl Rig {
    fn new() -> Self {
        let recorder = Recorder::new(SeriesConfig { max_series: 1_000_000, ..SeriesConfig::default() });
        let reader = recorder.reader();
        let mut rig = Self { recorder, reader, history: History::default(), now_ns: 0 };
        rig.sample();
        rig
    }

    /// Five seconds go by.
    fn sample(&mut self) {
        let now = Moment { unix_s: 1e9 + self.now_ns as f64 / 1e9, monotonic_ns: self.now_ns };
        self.history.sample(self.reader.glance(), "queue_length{queue_name=\"q\"} 7\n", now);
        self.now_ns += 5_000_000_000;
    }

    fn exchange(&mut self, (main, sub): (&str, &str), handler: &'static str, status: u16) {
        let mut batch = self.recorder.batch();
        let service = batch.service("api");
        let account = batch.account(&Account { main: main.into(), sub: sub.into() });
        let sample = ExchangeSample {
            service,
            account,
            method: "GET",
            handler,
            status: Some(status),
            outcome: Outcome::Complete,
            s3: Some(GET),
            error_code: (status >= 400).then_some("NoSuchKey"),
            decoded_payload_bytes: None,
            request: MessageBytes { head: 100, body: 0, framing: 0 },
            response: MessageBytes { head: 0, body: 1000, framing: 0 },
            receive_ns: 500_000,
            process_ns: Some(20_000_000),
            send_ns: Some(1),
            total_ns: 30_000_000,
        };
        batch.exchange(&sample, self.now_ns);
        for (direction, bytes) in [(Direction::In, 100), (Direction::Out, 1000)] {
            batch.transfer(&TransferSample { service, account, handler, direction, bytes }, self.now_ns);
        }
    }

    fn panel(&self, id: &str, filter: &Filter, range: Range) -> Panel {
        let overview = self.history.overview(filter, range);
        overview.panels.into_iter().find(|panel| panel.id == id).expect("a panel")
    }

    fn table(&self, ask: Ask) -> super::answer::Table {
        self.history.table(&Ask { limit: 1000, ..ask })
    }
}

/// Name and last value of each series.
fn last(panel: &Panel) -> Vec<(&str, Option<f64>)> {
    panel.series.iter().map(|series| (&*series.name, series.values.last().copied().flatten())).collect()
}

#[test]
fn what_moved_is_shown_by_account_code_phase_and_operation() {
    let mut rig = Rig::new();
    for _ in 0..10 {
        rig.exchange(("a", "a1"), "get_object", 200);
    }
    rig.exchange(("b", "b1"), "head_object", 404);
    rig.sample();
    let all = Filter::default();
    let short = |id| rig.panel(id, &all, Range::TenMinutes);
    assert_eq!(last(&short("requests")), [("a", Some(2.0)), ("b", Some(0.2))]);
    assert_eq!(last(&short("received")), [("a", Some(200.0)), ("b", Some(20.0))]);
    assert_eq!(last(&short("sent")), [("a", Some(2000.0)), ("b", Some(200.0))]);
    assert_eq!(last(&short("failures")), [("404", Some(0.2))]);
    assert_eq!(last(&short("operations")), [("GetObject", Some(2.2))]);
    assert_eq!(last(&short("s3_errors")), [("NoSuchKey", Some(0.2))]);
    assert_eq!(last(&short("latency"))[0], ("p50", Some(0.0375)));
    // Within 1 ms, between 10 and 25 ms, within 1 ms.
    assert_eq!(
        last(&short("phases")),
        [("receive", Some(0.00095)), ("process", Some(0.02425)), ("send", Some(0.00095))]
    );
    assert_eq!(last(&short("queues")), [("q", Some(7.0))]);
    assert!(short("requests").series[0].values[..118].iter().all(Option::is_none), "nothing was known before");
    assert!(short("redis_memory").empty.is_some());
    let now = rig.history.overview(&all, Range::Hour).now;
    assert_eq!((now.requests_per_second, now.failed_ratio), (2.2, Some(0.09091)));
}

#[test]
fn filters_choose_accounts_and_places() {
    let mut rig = Rig::new();
    rig.exchange(("a", "a1"), "get_object", 200);
    rig.exchange(("a", "a2"), "head_object", 500);
    rig.exchange(("b", "b1"), "get_object", 500);
    rig.sample();
    let main = Filter { main_account: vec!["a".into()], ..Filter::default() };
    assert_eq!(last(&rig.panel("requests", &main, Range::TenMinutes)), [("a1", Some(0.2)), ("a2", Some(0.2))]);
    assert_eq!(last(&rig.panel("failures", &main, Range::TenMinutes)), [("500", Some(0.2))]);
    let phases = rig.panel("phases", &main, Range::TenMinutes);
    assert!(phases.series.is_empty() && phases.empty.is_some_and(|why| why.contains("account")));
    let handler = Filter { handler: vec!["get_object".into()], ..Filter::default() };
    assert_eq!(last(&rig.panel("requests", &handler, Range::TenMinutes)), [("a", Some(0.2)), ("b", Some(0.2))]);
    assert!(rig.panel("operations", &handler, Range::TenMinutes).empty.is_some_and(|why| why.contains("endpoint")));
    let nobody = Filter { service: vec!["other".into()], ..Filter::default() };
    assert!(rig.panel("requests", &nobody, Range::TenMinutes).empty.is_some());
    let rows = rig.table(Ask { filter: main, by: By::Handler, ..Ask::default() }).rows;
    assert_eq!(rows.iter().map(|row| &*row.name).collect::<Vec<_>>(), ["get_object", "head_object"]);
}

#[test]
fn six_short_intervals_make_a_long_one_with_the_same_sums() {
    let mut rig = Rig::new();
    for round in 0..12 {
        for _ in 0..=round {
            rig.exchange(("a", "a1"), "get_object", 200);
        }
        rig.sample();
    }
    let hour = rig.panel("requests", &Filter::default(), Range::Hour);
    let values = &hour.series[0].values;
    assert_eq!(values[values.len() - 2..], [Some(21.0 / 30.0), Some(57.0 / 30.0)]);
    assert_eq!(last(&rig.panel("latency", &Filter::default(), Range::Hour))[0].1, Some(0.0375));
}

#[test]
fn the_table_has_exact_totals_and_the_rates_of_the_last_interval() {
    let mut rig = Rig::new();
    for _ in 0..5 {
        rig.exchange(("a", "a1"), "get_object", 200);
    }
    rig.sample();
    rig.exchange(("a", "a2"), "get_object", 404);
    rig.exchange(("b", "b1"), "head_object", 200);
    rig.sample();
    let accounts = rig.table(Ask::default());
    assert_eq!((accounts.matching, &*accounts.rows[0].name), (2, "a"));
    assert_eq!(accounts.rows[0].requests, Rate { total: 6, per_second: 0.2 });
    assert_eq!(accounts.rows[0].failed, Rate { total: 1, per_second: 0.2 });
    assert_eq!(accounts.total.sent, Rate { total: 7000, per_second: 400.0 });
    let subs = rig.table(Ask { by: By::Subaccount, sort: Sort::Name, search: "A2".into(), ..Ask::default() });
    assert_eq!((&*subs.rows[0].name, &*subs.rows[0].group, subs.rows.len()), ("a2", "a", 1));
    let operations = rig.table(Ask { by: By::Operation, ..Ask::default() });
    assert_eq!((&*operations.rows[0].name, operations.rows[0].failed.total), ("GetObject", 1));
    let handlers = rig.table(Ask { by: By::Handler, sort: Sort::RequestsTotal, reverse: true, ..Ask::default() });
    assert_eq!((&*handlers.rows[0].name, handlers.rows[0].p95_s), ("head_object", Some(0.04875)));
    let services = rig.table(Ask { by: By::Service, ..Ask::default() });
    assert_eq!(services.rows[0].requests.total, 7);
}

#[test]
fn ten_thousand_accounts_leave_the_history_bounded_and_its_sums_exact() {
    let mut rig = Rig::new();
    let names: Vec<_> = (0..10_000).map(|number| (format!("5{number:0>47}"), format!("5S{number:0>46}"))).collect();
    for (main, sub) in &names {
        rig.exchange((main, sub), "get_object", 200);
    }
    rig.sample();
    for _ in 0..2 * MERGE {
        for (main, sub) in names.iter().step_by(5) {
            rig.exchange((main, sub), "get_object", 200);
        }
        rig.sample();
    }
    // As if every interval of the hour had been like the fullest of these.
    let fullest = |frames: &VecDeque<Frame>| frames.iter().map(Frame::bytes).max().unwrap_or(0) * POINTS;
    let bytes = fullest(&rig.history.short) + fullest(&rig.history.long) + rig.history.gauges.bytes();
    assert!(bytes < 4 << 20, "{bytes} bytes");
    let panel = rig.panel("requests", &Filter::default(), Range::TenMinutes);
    assert_eq!(panel.series.len(), 9);
    let sum: f64 = panel.series.iter().filter_map(|series| series.values.last().copied().flatten()).sum();
    assert!((sum - 2000.0 / 5.0).abs() < 0.5, "{sum}");
    assert_eq!(rig.table(Ask { limit: 5, ..Ask::default() }).matching, 10_000);
    let one = Filter { main_account: vec![names[9999].0.clone()], ..Filter::default() };
    assert!(!rig.history.overview(&one, Range::TenMinutes).complete);
}

#[test]
fn after_a_quiet_hour_nobody_is_named_any_more() {
    let mut rig = Rig::new();
    rig.exchange(("a", "a1"), "get_object", 200);
    rig.sample();
    assert_eq!(rig.history.people.count(), 1);
    for _ in 0..(POINTS + 1) * MERGE {
        rig.sample();
    }
    assert_eq!(rig.history.people.count(), 0);
    assert_eq!(rig.panel("requests", &Filter::default(), Range::Hour).series.len(), 0);
}

#[test]
fn a_series_that_came_back_is_not_counted_backwards() {
    let recorder = SeriesConfig { idle: Duration::from_secs(60), ..SeriesConfig::default() };
    let mut rig = Rig::new();
    rig.recorder.configure(recorder);
    for _ in 0..9 {
        rig.exchange(("a", "a1"), "get_object", 200);
    }
    rig.sample();
    drop(rig.reader.snapshot());
    rig.now_ns += 200_000_000_000;
    for _ in 0..40 {
        rig.recorder.tick(rig.now_ns);
    }
    rig.exchange(("a", "a1"), "get_object", 200);
    rig.sample();
    let values = &rig.panel("requests", &Filter::default(), Range::TenMinutes).series[0].values;
    let seconds = 205.0;
    assert_eq!(values[119], Some((1000.0 / seconds * 1000.0_f64).round() / 1e6));
}
