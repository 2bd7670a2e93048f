//! Connections that end too early, by flags and error.

use hippius_agent::exchange::Outcome;

use crate::script::{Script, Step};

const ECONNRESET: u16 = 104;
const ETIMEDOUT: u16 = 110;
const EPIPE: u16 = 32;

const GET: &str = "GET / HTTP/1.1\r\n\r\n";
const HALF: &str = "HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n0123456789";

#[test]
fn who_ended_an_exchange_is_told_by_fins_and_error() {
    let client = [Step::PeerFin, Step::LocalFin, Step::Close(0)];
    let server = [Step::LocalFin, Step::PeerFin, Step::Close(0)];
    let reset = [Step::Close(ECONNRESET)];
    let pipe = [Step::PeerFin, Step::Close(EPIPE)];
    let timeout = [Step::Close(ETIMEDOUT)];
    let silent = [Step::Close(0)];
    for (name, end, outcome) in [
        ("client closes", &client[..], Outcome::ClientAbort),
        ("server closes", &server, Outcome::ServerAbort),
        ("client resets", &reset, Outcome::ClientAbort),
        ("written to after the client closed", &pipe, Outcome::ClientAbort),
        ("timeout", &timeout, Outcome::Timeout),
        ("server resets", &silent, Outcome::ServerAbort),
    ] {
        for (stage, script, status, moved) in [
            ("waiting", Script::new().recv(GET), None, [18, 0]),
            ("sending", Script::new().recv(GET).send(HALF), Some(200), [18, 50]),
            ("receiving", Script::new().recv("PUT / HTTP/1.1\r\nContent-Length: 100\r\n\r\n01234"), None, [44, 0]),
            (
                "in chunks",
                Script::new().recv(GET).send("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhel"),
                Some(200),
                [18, 53],
            ),
        ] {
            let told = end.iter().cloned().fold(script, Script::then).told().clean();
            assert_eq!(told.results(), [(status, outcome)], "{name} while {stage}");
            assert_eq!(told.moved(), [moved], "{name} while {stage}");
        }
    }
}

#[test]
fn what_was_announced_but_never_moved_is_not_counted() {
    let told = Script::new().recv(GET).send(HALF).then(Step::Close(ECONNRESET)).told().clean();
    assert_eq!(told.sizes(), [[(18, 0, 0), (40, 10, 0)]]);
    let chunked = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhel";
    let told = Script::new().recv(GET).send(chunked).then(Step::Close(ECONNRESET)).told().clean();
    assert_eq!(told.sizes(), [[(18, 0, 0), (47, 3, 3)]]);
    let put = "PUT / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\nff\r\n01";
    let told = Script::new().recv(put).then(Step::PeerFin).then(Step::Close(0)).told().clean();
    assert_eq!(told.sizes(), [[(46, 7, 9), (0, 0, 0)]]);
}

#[test]
fn a_body_until_close_that_is_reset_is_not_complete() {
    let script = Script::new().recv(GET).send("HTTP/1.0 200 OK\r\n\r\nhello");
    let told = script.clone().then(Step::Close(ECONNRESET)).told().clean();
    assert_eq!(told.results(), [(Some(200), Outcome::ClientAbort)]);
    let told = script.then(Step::LocalFin).then(Step::PeerFin).then(Step::Close(0)).told().clean();
    assert_eq!(told.results(), [(Some(200), Outcome::Complete)]);
}

#[test]
fn a_response_that_is_complete_stays_complete_whatever_ends_the_connection() {
    for end in [Step::Close(ECONNRESET), Step::Close(ETIMEDOUT), Step::Close(0)] {
        let told = Script::new()
            .recv(GET)
            .send("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")
            .then(end.clone())
            .told()
            .clean();
        assert_eq!(told.results(), [(Some(200), Outcome::Complete)], "{end:?}");
    }
}

#[test]
fn all_pipelined_requests_end_with_the_connection() {
    let told = Script::new()
        .recv(GET.repeat(4))
        .send("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")
        .then(Step::Close(ECONNRESET))
        .told()
        .clean();
    let aborted = (None, Outcome::ClientAbort);
    assert_eq!(told.results(), [(Some(200), Outcome::Complete), aborted, aborted, aborted]);
    assert_eq!(told.moved(), [[18, 40], [18, 0], [18, 0], [18, 0]]);
}

#[test]
fn a_head_that_never_ends_is_nobodys() {
    let told = Script::new().recv("GET / HTTP/1.1\r\nHost").then(Step::PeerFin).then(Step::Close(0)).told();
    assert_eq!(told.exchanges, []);
    assert_eq!(told.unattributed.values().sum::<u64>(), 20);
    assert_eq!((told.lost, told.malformed), (0, 0));
}

#[test]
fn a_response_head_that_never_ends_leaves_the_exchange_without_status() {
    let told = Script::new().recv(GET).send("HTTP/1.1 200 OK\r\nConte").then(Step::Close(ECONNRESET)).told();
    assert_eq!(told.results(), [(None, Outcome::ClientAbort)]);
    assert_eq!(told.unattributed.values().sum::<u64>(), 22);
}

#[test]
fn an_early_answer_and_a_reset_leave_the_upload_where_it_was() {
    let told = Script::new()
        .recv("PUT / HTTP/1.1\r\nContent-Length: 1000\r\n\r\n01234")
        .send("HTTP/1.1 413 Content Too Large\r\nConnection: close\r\nContent-Length: 0\r\n\r\n")
        .recv("x".repeat(95))
        .then(Step::Close(ECONNRESET))
        .told()
        .clean();
    assert_eq!(told.results(), [(Some(413), Outcome::Complete)]);
    assert_eq!(told.moved(), [[40 + 100, 72]]);
}
