use super::*;
use crate::classify::{Effect, Payload, S3Operation};
use crate::exchange::{MessageBytes, Outcome};
use crate::record::sample::Direction;

const SECOND: u64 = 1_000_000_000;
const PUT: S3Operation = S3Operation { name: "PutObject", effect: Effect::ObjectCreated, payload: Payload::Upload };
const GET: S3Operation = S3Operation { name: "GetObject", effect: Effect::None, payload: Payload::Download };

fn account(main: impl std::fmt::Display) -> Account {
    Account { main: main.to_string().into(), sub: format!("{main}-sub").into() }
}

fn sample(service: ServiceId, account: AccountId, s3: Option<S3Operation>) -> ExchangeSample<'static> {
    ExchangeSample {
        service,
        account,
        method: "PUT",
        handler: "put_object",
        status: Some(200),
        outcome: Outcome::Complete,
        s3,
        error_code: None,
        decoded_payload_bytes: None,
        request: MessageBytes { head: 100, body: 5000, framing: 0 },
        response: MessageBytes { head: 80, body: 7, framing: 0 },
        receive_ns: 1,
        process_ns: Some(2_000_000),
        send_ns: Some(1),
        total_ns: 2_000_002,
    }
}

/// All series of a family as (account and labels, cells).
fn series(reader: &SeriesReader, name: &str) -> Vec<(String, Vec<u64>)> {
    let snapshot = reader.snapshot();
    let family = (0..snapshot.len()).filter_map(|index| snapshot.family(index)).find(|it| it.metric().name == name);
    let family = family.expect("the family");
    let found = (0..family.slots()).filter_map(|slot| family.series(slot));
    found.map(|it| (format!("{},{}", it.account, it.labels), it.cells.to_vec())).collect()
}

fn sum(reader: &SeriesReader, name: &str) -> u64 {
    series(reader, name).iter().map(|(_, cells)| cells[0]).sum()
}

#[test]
fn an_exchange_updates_every_family_it_belongs_to() {
    let mut recorder = Recorder::new(SeriesConfig::default());
    let (service, id) = (recorder.service("api"), recorder.account(&account("5F")));
    let put = ExchangeSample { decoded_payload_bytes: Some(4900), ..sample(service, id, Some(PUT)) };
    recorder.exchange(&put, SECOND);
    for (direction, bytes) in [(Direction::In, 5100), (Direction::Out, 40), (Direction::Out, 47)] {
        let transfer = TransferSample { service, account: id, handler: "put_object", direction, bytes };
        recorder.transfer(&transfer, SECOND);
    }
    recorder.in_flight(service, 2);
    recorder.in_flight(service, -1);

    let reader = recorder.reader();
    let who = r#"main_account="5F",subaccount_id="5F-sub",service="api""#;
    let one = |name: &str, labels: &str, value: u64| {
        assert_eq!(series(&reader, name), [(format!("{who}{labels}"), vec![value])], "{name}");
    };
    one("http_requests_total", r#",method="PUT",handler="put_object",status_code="200",outcome="complete""#, 1);
    one("http_request_bytes_total", r#",handler="put_object",direction="in""#, 5100);
    one("http_response_bytes_total", r#",handler="put_object",direction="out""#, 87);
    one("s3_operations_total", r#",operation="PutObject",success="true""#, 1);
    one("s3_objects_total", r#",operation="created",success="true""#, 1);
    one("s3_bytes_uploaded_total", "", 4900);
    assert!(series(&reader, "s3_errors_total").is_empty());
    assert!(series(&reader, "s3_bytes_downloaded_total").is_empty());
    assert_eq!(series(&reader, "http_requests_in_flight"), [(r#",service="api""#.to_owned(), vec![1])]);
    assert_eq!(series(&reader, "http_request_phase_seconds").len(), 3);

    let durations = series(&reader, "http_request_duration_seconds");
    assert_eq!(durations[0].0, format!(r#"{who},method="PUT",handler="put_object""#));
    assert_eq!((durations[0].1[1], durations[0].1.last()), (1, Some(&2_000_002)), "2 ms stand in the second bucket");
    let bodies = series(&reader, "http_request_body_bytes");
    assert_eq!((bodies[0].1[2], bodies[0].1.last()), (1, Some(&5000)));
}

#[test]
fn success_needs_a_complete_exchange_without_an_error_in_its_body() {
    for (status, outcome, code, success, error) in [
        (Some(200), Outcome::Complete, None, "true", None),
        (Some(304), Outcome::Complete, None, "true", None),
        (Some(200), Outcome::Complete, Some("InternalError"), "false", Some("InternalError")),
        (Some(404), Outcome::Complete, Some("NoSuchKey"), "false", Some("NoSuchKey")),
        (Some(503), Outcome::Complete, None, "false", Some("http_503")),
        (Some(500), Outcome::Complete, Some("no \"code\""), "false", Some("__other__")),
        (Some(206), Outcome::ClientAbort, None, "false", None),
        (None, Outcome::Unobserved, None, "false", None),
    ] {
        let mut recorder = Recorder::new(SeriesConfig::default());
        let (service, id) = (recorder.service("api"), recorder.account(&account("a")));
        let get = ExchangeSample { status, outcome, error_code: code, ..sample(service, id, Some(GET)) };
        recorder.exchange(&get, 0);
        let reader = recorder.reader();
        let operations = series(&reader, "s3_operations_total");
        assert!(operations[0].0.ends_with(&format!(r#"success="{success}""#)), "{status:?} {outcome:?} {code:?}");
        let errors = series(&reader, "s3_errors_total");
        let found = errors.first().and_then(|(labels, _)| labels.rsplit('"').nth(1));
        assert_eq!(found, error, "{status:?} {outcome:?} {code:?}");
        let downloaded = if status.is_some_and(|status| status < 300) { 7 } else { 0 };
        assert_eq!(sum(&reader, "s3_bytes_downloaded_total"), downloaded);
        let observed = u64::from(outcome != Outcome::Unobserved);
        let durations = series(&reader, "http_request_duration_seconds");
        let counted: u64 = durations.iter().flat_map(|(_, cells)| &cells[..16]).sum();
        assert_eq!(counted, observed);
    }
}

#[test]
fn a_declared_length_is_not_believed_beyond_what_came() {
    let mut recorder = Recorder::new(SeriesConfig::default());
    let (service, id) = (recorder.service("api"), recorder.account(&account("a")));
    let cut = ExchangeSample { decoded_payload_bytes: Some(1 << 40), ..sample(service, id, Some(PUT)) };
    recorder.exchange(&cut, 0);
    assert_eq!(sum(&recorder.reader(), "s3_bytes_uploaded_total"), 5000);
}

#[test]
fn error_codes_are_bounded() {
    let mut recorder = Recorder::new(SeriesConfig::default());
    let (service, id) = (recorder.service("api"), recorder.account(&account("a")));
    for number in 0..1000 {
        let code = format!("Code{number}");
        let failed = ExchangeSample { status: Some(400), error_code: Some(&code), ..sample(service, id, Some(GET)) };
        recorder.exchange(&failed, 0);
    }
    let errors = series(&recorder.reader(), "s3_errors_total");
    assert_eq!(errors.len(), 129);
    assert_eq!(errors.iter().map(|(_, cells)| cells[0]).sum::<u64>(), 1000);
}

#[test]
fn a_million_random_accounts_fold_with_exact_totals() {
    let mut recorder = Recorder::new(SeriesConfig::default());
    let service = recorder.service("api");
    let mut random = 0x9e37_79b9_7f4a_7c15u64;
    for round in 0..1_000_000u64 {
        random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        let id = recorder.account(&account(random));
        recorder.exchange(&sample(service, id, Some(PUT)), round * 1000);
    }
    let reader = recorder.reader();
    assert_eq!(sum(&reader, "http_requests_total"), 1_000_000);
    assert_eq!(sum(&reader, "s3_operations_total"), 1_000_000);
    assert_eq!(sum(&reader, "s3_bytes_uploaded_total"), 5_000_000_000);
    let durations = series(&reader, "http_request_duration_seconds");
    assert_eq!(durations.iter().flat_map(|(_, cells)| &cells[..16]).sum::<u64>(), 1_000_000);

    let snapshot = reader.snapshot();
    let default = SeriesConfig::default();
    assert!(snapshot.lines() <= default.max_series + 200, "{} lines", snapshot.lines());
    let requests = snapshot.family(0).expect("http_requests_total");
    let other = (0..requests.slots()).filter_map(|slot| requests.series(slot));
    let other: Vec<_> = other.filter(|it| it.account.contains("__other__")).collect();
    assert_eq!(other.len(), 1);
    assert_eq!(other[0].cells[0], requests.folded());
    assert_eq!(requests.folded() + requests.slots() as u64 - 1, 1_000_000);
}

#[test]
fn an_admitted_account_keeps_its_series_when_the_budget_is_spent() {
    let mut recorder = Recorder::new(SeriesConfig { max_series: 400, ..SeriesConfig::default() });
    let service = recorder.service("api");
    let first = account("first");
    for name in 0..1000 {
        let id = recorder.account(&first);
        recorder.exchange(&sample(service, id, None), 0);
        let id = recorder.account(&account(name));
        recorder.exchange(&sample(service, id, None), 0);
    }
    let reader = recorder.reader();
    let requests = series(&reader, "http_requests_total");
    let of = |main: &str| requests.iter().find(|(labels, _)| labels.contains(&format!("\"{main}\""))).map(|it| it.1[0]);
    assert_eq!(of("first"), Some(1000));
    assert_eq!(sum(&reader, "http_requests_total"), 2000);
    assert_eq!(of("__other__"), Some(2000 - 1000 - (requests.len() as u64 - 2)));
}

#[test]
fn only_idle_series_that_a_scrape_has_read_are_dropped() {
    let idle = std::time::Duration::from_secs(100);
    let mut recorder = Recorder::new(SeriesConfig { idle, ..SeriesConfig::default() });
    let (service, reader) = (recorder.service("api"), recorder.reader());
    let names = ["old", "unknown", "late"];
    for name in &names[..2] {
        let id = recorder.account(&account(name));
        recorder.exchange(&sample(service, id, None), 10 * SECOND);
    }
    let stale = recorder.account(&account("old"));
    let sweep = |recorder: &mut Recorder, at_s: u64| {
        for _ in 0..20 {
            recorder.tick(at_s * SECOND);
        }
    };
    sweep(&mut recorder, 500);
    assert_eq!(series(&reader, "http_requests_total").len(), 2, "no scrape has read them yet");
    let late = recorder.account(&account("late"));
    recorder.exchange(&sample(service, late, None), 500 * SECOND);
    sweep(&mut recorder, 501);
    let left = series(&reader, "http_requests_total");
    assert_eq!(left.len(), 2, "{left:?}");
    assert!(left.iter().all(|(labels, _)| !labels.contains("old")), "{left:?}");
    assert_eq!(reader.snapshot().dropped(), 2, "requests and durations");

    sweep(&mut recorder, 700);
    recorder.exchange(&sample(service, stale, None), 700 * SECOND);
    let back = recorder.account(&account("old"));
    recorder.exchange(&sample(service, back, None), 700 * SECOND);
    let requests = series(&reader, "http_requests_total");
    let of = |main: &str| requests.iter().find(|(labels, _)| labels.contains(&format!("\"{main}\""))).map(|it| it.1[0]);
    assert_eq!((of("old"), of("__other__"), of("unknown")), (Some(1), Some(1), Some(1)));
}

#[test]
fn a_server_that_invents_statuses_and_services_stays_bounded() {
    let mut recorder = Recorder::new(SeriesConfig::default());
    let id = recorder.account(&account("a"));
    for number in 0..20_000u16 {
        let service = recorder.service(&format!("s{}", number % 300));
        recorder.exchange(&ExchangeSample { status: Some(number), ..sample(service, id, None) }, 0);
    }
    let requests = series(&recorder.reader(), "http_requests_total");
    assert_eq!(requests.len(), 4097);
    assert_eq!(requests.iter().map(|(_, cells)| cells[0]).sum::<u64>(), 20_000);
    assert!(requests.iter().any(|(labels, _)| labels.ends_with(
        r#"service="__other__",method="__other__",handler="__other__",status_code="__other__",outcome="__other__""#
    )));
}

#[test]
fn a_scrape_sees_an_exchange_whole_or_not_at_all() {
    let mut recorder = Recorder::new(SeriesConfig::default());
    let (service, id) = (recorder.service("api"), recorder.account(&account("a")));
    let reader = recorder.reader();
    let scraper = std::thread::spawn(move || {
        let mut seen = 0;
        while seen < 20_000 {
            let snapshot = reader.snapshot();
            let value = |index: usize| {
                let family = snapshot.family(index).expect("a family");
                family.series(0).map_or(0, |series| series.cells[0])
            };
            seen = value(0);
            assert_eq!((seen, seen), (value(8), value(9)), "requests, operations and objects go together");
        }
    });
    for round in 0..20_000 {
        recorder.exchange(&sample(service, id, Some(PUT)), round);
    }
    scraper.join().expect("no half exchange");
}

proptest::proptest! {
    /// Whatever the order, the budget and the sweeps: no update is lost or counted twice.
    #[test]
    fn sums_over_accounts_are_exact_whatever_comes(
        max_series in 0usize..300,
        steps in proptest::collection::vec((0u8..30, 0u16..4, 0u8..8), 1..400),
    ) {
        let idle = std::time::Duration::from_secs(50);
        let config = SeriesConfig { max_series, max_series_per_family: max_series / 2, idle };
        let mut recorder = Recorder::new(config);
        let (service, reader) = (recorder.service("api"), recorder.reader());
        let (mut truth, mut dropped, mut other) = (0, 0, 0);
        for (step, (who, status, action)) in steps.into_iter().enumerate() {
            let now_ns = step as u64 * 10 * SECOND;
            let id = recorder.account(&account(who));
            recorder.exchange(&ExchangeSample { status: Some(200 + status), ..sample(service, id, Some(PUT)) }, now_ns);
            truth += 1;
            if action == 0 {
                let before = sum(&reader, "http_requests_total");
                for _ in 0..14 {
                    recorder.tick(now_ns);
                }
                dropped += before - sum(&reader, "http_requests_total");
            }
            let requests = series(&reader, "http_requests_total");
            proptest::prop_assert_eq!(requests.iter().map(|(_, cells)| cells[0]).sum::<u64>() + dropped, truth);
            let folded: u64 = requests.iter().filter(|(labels, _)| labels.contains("__other__")).map(|it| it.1[0]).sum();
            proptest::prop_assert!(folded >= other, "what was folded stays");
            other = folded;
            let own = requests.iter().filter(|(labels, _)| !labels.contains("__other__")).count();
            proptest::prop_assert!(own <= max_series / 2);
        }
    }
}
