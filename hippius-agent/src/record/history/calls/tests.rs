use super::*;

fn page(gets: u64, errors: u64) -> String {
    let within = gets - gets / 2;
    format!(
        "http_client_requests_total{{peer=\"store:80\",method=\"GET\",status_code=\"200\"}} {gets}\n\
         http_client_requests_total{{peer=\"store:80\",method=\"GET\",status_code=\"503\"}} {errors}\n\
         http_client_requests_total{{peer=\"store:80\",method=\"PUT\",status_code=\"none\"}} 1\n\
         http_client_request_duration_seconds_bucket{{peer=\"store:80\",method=\"GET\",status_code=\"200\",le=\"0.01\"}} {within}\n\
         http_client_request_duration_seconds_bucket{{peer=\"store:80\",method=\"GET\",status_code=\"200\",le=\"0.1\"}} {gets}\n\
         http_client_request_duration_seconds_bucket{{peer=\"store:80\",method=\"GET\",status_code=\"200\",le=\"+Inf\"}} {gets}\n\
         http_client_bytes_total{{peer=\"store:80\",direction=\"in\"}} 500\n\
         ipfs_operations_total{{operation=\"add\",success=\"true\"}} {gets}\n\
         ipfs_operations_total{{operation=\"add\",success=\"false\"}} {gets}\n\
         db_client_operation_duration_seconds_bucket{{system=\"redis\",operation=\"GET\",le=\"0.001\"}} {gets}\n\
         db_client_operation_duration_seconds_bucket{{system=\"redis\",operation=\"BRPOP\",le=\"+Inf\"}} {gets}\n\
         db_client_operation_duration_seconds_count{{system=\"redis\",operation=\"GET\"}} {gets}\n\
         db_client_operation_duration_seconds_count{{system=\"redis\",operation=\"BRPOP\"}} 3\n\
         tls_opaque_bytes_total{{peer=\"kms:443\",direction=\"out\"}} 77\n"
    )
}

fn row<'a>(rows: &'a [Row], group: &str) -> &'a Row {
    rows.iter().find(|row| row.group == group).expect(group)
}

#[test]
fn rows_have_totals_rates_and_percentiles() {
    let mut calls = Calls::default();
    calls.sample(&page(0, 0));
    calls.sample(&page(10, 2));
    let rows = calls.rows(5.0);
    let http = row(&rows, "http");
    assert_eq!((&*http.name, http.requests, http.failed.total), ("store:80", Rate { total: 13, per_second: 2.4 }, 3));
    assert_eq!((http.received.total, http.p50_s), (500, Some(0.01)));
    assert!(http.p99_s.is_some_and(|p99| p99 > 0.09 && p99 < 0.1), "{:?}", http.p99_s);
    let redis = row(&rows, "database");
    assert_eq!((&*redis.name, redis.requests.total), ("redis", 13));
    assert!(redis.p99_s.is_some_and(|p99| p99 < 0.001), "waiting for a queue is no slow answer: {:?}", redis.p99_s);
    assert_eq!((row(&rows, "tls").sent.total, row(&rows, "ipfs").failed.total), (77, 10));
    assert_eq!(rows.len(), 4, "commands and queues are no peers");
}

#[test]
fn charts_have_percentiles_and_shares_of_their_step() {
    let mut calls = Calls::default();
    calls.sample(&page(0, 0));
    calls.sample(&page(10, 0));
    let of = |calls: &Calls, name| calls.derived().filter(|one| one.name == name).collect::<Vec<_>>();
    assert_eq!(of(&calls, IPFS_SUCCESS)[0].short, Some(0.5));
    let commands = of(&calls, COMMAND_P95);
    assert_eq!((commands.len(), &*commands[0].label), (1, "redis GET"), "what waits on purpose has no chart");
    calls.sample(&page(10, 0));
    assert_eq!(of(&calls, HTTP_P95)[0].short, None, "nothing was called");
    assert!(of(&calls, HTTP_P95)[0].long.is_some(), "something was, in the long step");
}

#[test]
fn names_are_bounded_and_sums_stay() {
    let mut calls = Calls::default();
    let line =
        |peer: usize| format!("http_client_requests_total{{peer=\"{peer}\",method=\"GET\",status_code=\"200\"}} 1\n");
    calls.sample(&(0..1000).map(line).collect::<String>());
    let rows = calls.rows(1.0);
    assert_eq!(rows.len(), MAX_CALLS + 1);
    assert_eq!(rows.iter().map(|row| row.requests.total).sum::<u64>(), 1000);
    assert!(calls.bytes() < 1 << 20);
}
