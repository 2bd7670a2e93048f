//! The three phases of an exchange, and what must not be counted as one.

use crate::script::{Script, Told};

/// A millisecond; the script's own ticks are far below it.
const MS: u64 = 1_000_000;
const OK: &str = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";
const GET: &str = "GET / HTTP/1.1\r\n\r\n";

/// Receive, process, send, total in whole milliseconds.
fn phases(told: &Told, id: usize) -> [u64; 4] {
    let finished = told.finished(id);
    let process_ns = finished.process_ns.expect("there is a response");
    let send_ns = finished.send_ns.expect("there is a response");
    [finished.receive_ns, process_ns, send_ns, finished.total_ns].map(|ns| ns / MS)
}

#[test]
fn phases_lie_between_the_bytes() {
    let told = Script::new()
        .wait(1000 * MS)
        .recv("PUT / HTTP/1.1\r\nContent-")
        .wait(10 * MS)
        .recv("Length: 10\r\n\r\n01234")
        .wait(20 * MS)
        .recv("56789")
        .wait(300 * MS)
        .send("HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n01234")
        .wait(4000 * MS)
        .send("56789")
        .wait(50_000 * MS)
        .close()
        .told()
        .clean();
    assert_eq!(phases(&told, 0), [30, 300, 4000, 4330]);
}

#[test]
fn idle_time_between_requests_is_nobodys() {
    let told = Script::new().recv(GET).send(OK).wait(5000 * MS).recv(GET).wait(7 * MS).send(OK).close().told().clean();
    assert_eq!(phases(&told, 0), [0, 0, 0, 0]);
    assert_eq!(phases(&told, 1), [0, 7, 0, 7]);
}

#[test]
fn interim_responses_are_not_the_first_byte() {
    let told = Script::new()
        .recv("PUT / HTTP/1.1\r\nExpect: 100-continue\r\nContent-Length: 5\r\n\r\n")
        .wait(10 * MS)
        .send("HTTP/1.1 100 Continue\r\n\r\n")
        .wait(20 * MS)
        .recv("hello")
        .wait(40 * MS)
        .send(OK)
        .close()
        .told()
        .clean();
    assert_eq!(phases(&told, 0), [30, 40, 0, 70]);
}

#[test]
fn pipelined_requests_wait_for_those_before_them() {
    let told = Script::new().recv(GET.repeat(3)).wait(10 * MS).send(OK).wait(20 * MS).send(OK.repeat(2)).close().told();
    assert_eq!(phases(&told, 0), [0, 10, 0, 10]);
    assert_eq!(phases(&told, 1), [0, 30, 0, 30]);
    assert_eq!(phases(&told, 2), [0, 30, 0, 30]);
}

#[test]
fn a_chunked_response_lasts_until_its_last_chunk() {
    let told = Script::new()
        .recv(GET)
        .wait(5 * MS)
        .send("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
        .wait(10 * MS)
        .send("5\r\nhello\r\n")
        .wait(20 * MS)
        .send("0\r\n\r\n")
        .wait(9000 * MS)
        .recv(GET)
        .send(OK)
        .close()
        .told()
        .clean();
    assert_eq!(phases(&told, 0), [0, 5, 30, 35]);
}

#[test]
fn a_message_that_shares_its_call_ends_with_its_own_last_byte() {
    // The rest of the first body, a whole upload and the beginning of a third, in one call.
    let put = "PUT / HTTP/1.1\r\nContent-Length: 4\r\n\r\n";
    let told = Script::new()
        .recv(format!("{put}ab"))
        .wait(10 * MS)
        .recv(format!("cd{put}efgh{put}"))
        .wait(20 * MS)
        .recv("ijkl")
        .wait(40 * MS)
        .send(OK.repeat(3))
        .close()
        .told()
        .clean();
    assert_eq!(phases(&told, 0), [10, 60, 0, 70]);
    assert_eq!(phases(&told, 1), [0, 60, 0, 60]);
    assert_eq!(phases(&told, 2), [20, 40, 0, 60]);
}

#[test]
fn an_exchange_without_a_response_has_no_phases_of_it() {
    let told = Script::new().recv(GET).wait(30 * MS).close().told().clean();
    let finished = told.finished(0);
    assert_eq!((finished.process_ns, finished.send_ns), (None, None));
    assert_eq!((finished.receive_ns, finished.total_ns), (0, 0));
}
