//! What cannot be seen is known to be lost, and nothing else suffers.

use hippius_agent::exchange::Outcome;

use crate::script::{Look, Script, Step, Told};

const OK: &str = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";
const DONE: (Option<u16>, Outcome) = (Some(200), Outcome::Complete);
const UNSEEN: (Option<u16>, Outcome) = (None, Outcome::Unobserved);

fn get(number: usize) -> String {
    format!("GET /{number} HTTP/1.1\r\n\r\n")
}

fn targets(told: &Told) -> Vec<&str> {
    told.exchanges.iter().map(|seen| seen.target.as_str()).collect()
}

#[test]
fn counted_and_lost_are_all_whichever_record_is_dropped() {
    let mut script = Script::new();
    for number in 0..6 {
        script = script.recv(get(number)).send(OK);
    }
    let script = script.close();
    for lost in [&[0][..], &[1], &[3], &[5], &[0, 1], &[2, 3, 4], &[1, 4], &[0, 1, 2, 3, 4, 5]] {
        let told = script.clone().drop_records(lost).run(Look::Never).0;
        assert_eq!(told.exchanges.len() + told.lost as usize, 6, "without {lost:?}");
        assert_eq!(told.lost as usize, lost.len(), "without {lost:?}");
        assert_eq!(told.results(), vec![DONE; 6 - lost.len()], "without {lost:?}");
        assert_eq!(told.moved(), vec![[19, 40]; 6 - lost.len()], "without {lost:?}");
    }
}

#[test]
fn a_lost_record_of_pipelined_exchanges_never_moves_an_answer_to_another_request() {
    let requests: String = (0..4).map(get).collect();
    let script = Script::new().recv(&requests).send(OK.repeat(4)).recv(get(4)).send(OK).close();
    let records = 8;
    for lost in 0..records {
        let told = script.clone().drop_records(&[lost]).run(Look::Never).0;
        assert_eq!(told.exchanges.len() + told.lost as usize, 5, "without record {lost}");
        for seen in &told.exchanges {
            let finished = seen.finished.expect("the exchange is over");
            let is_whole = finished.status == Some(200) && finished.outcome == Outcome::Complete;
            assert!(is_whole || finished.outcome == Outcome::Unobserved, "without record {lost}: {finished:?}");
        }
        let last = told.exchanges.last().expect("the last exchange");
        assert!(last.target == "/4" || lost >= 7, "without record {lost}: {}", last.target);
    }
}

#[test]
fn a_response_that_cannot_be_read_leaves_its_exchange_unobserved() {
    let told = Script::new()
        .recv(get(0))
        .then(Step::UnreadableOut(40))
        .recv(get(1))
        .send(OK)
        .recv(get(2))
        .send(OK)
        .close()
        .told();
    assert_eq!(told.results(), [UNSEEN, DONE, DONE]);
    assert_eq!(told.moved(), [[19, 0], [19, 40], [19, 40]]);
    assert_eq!(told.unattributed.get("no_buffer"), Some(&40));
}

#[test]
fn a_request_that_cannot_be_read_is_nobodys_and_so_is_its_answer() {
    let told =
        Script::new().recv(get(0)).send(OK).then(Step::UnreadableIn(19)).send(OK).recv(get(2)).send(OK).close().told();
    assert_eq!(told.results(), [DONE, DONE]);
    assert_eq!(targets(&told), ["/0", "/2"]);
    assert_eq!(told.moved(), [[19, 40], [19, 40]]);
    assert_eq!(told.unattributed.values().sum::<u64>(), 59);
}

#[test]
fn a_body_need_not_be_readable() {
    let told = Script::new()
        .recv("PUT / HTTP/1.1\r\nContent-Length: 500\r\n\r\n")
        .then(Step::UnreadableIn(499))
        .then(Step::UnreadableIn(1))
        .send("HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n")
        .then(Step::UnreadableOut(1000))
        .recv(get(1))
        .send(OK)
        .close()
        .told()
        .clean();
    assert_eq!(told.results(), [DONE; 2]);
    assert_eq!(told.sizes()[0], [(39, 500, 0), (41, 1000, 0)]);
}

#[test]
fn a_connection_joined_in_the_middle_counts_from_its_next_request() {
    for (name, script, before) in [
        ("idle", Script::joined(), 0),
        ("in a response", Script::joined().send("x".repeat(100)).send("y".repeat(50)), 150),
        ("in a response head", Script::joined().send("ength: 2\r\n\r\nok"), 14),
        ("before a response", Script::joined().send(OK), 40),
        ("in an upload", Script::joined().recv("x".repeat(70)).recv("y".repeat(20)).send(OK), 130),
        ("in a request head", Script::joined().recv("ost: s3\r\n\r\n").send(OK), 51),
    ] {
        let told = script.recv(get(1)).send(OK).recv(get(2)).send(OK).close().told();
        assert_eq!(targets(&told), ["/1", "/2"], "{name}");
        assert_eq!(told.results(), [DONE; 2], "{name}");
        assert_eq!(told.moved(), [[19, 40]; 2], "{name}");
        assert_eq!(told.unattributed.values().sum::<u64>(), before, "{name}: {:?}", told.unattributed);
        assert_eq!((told.lost, told.malformed), (0, 0), "{name}");
    }
}

#[test]
fn broken_chunks_are_lost_and_the_next_request_is_seen() {
    let told = Script::new()
        .recv(get(0))
        .send("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzzzz\r\nwhat is this\r\n")
        .recv(get(1))
        .send(OK)
        .close()
        .told();
    assert_eq!(targets(&told), ["/0", "/1"]);
    assert_eq!(told.results()[0], (Some(200), Outcome::Unobserved), "nobody knows where it has ended");
    assert_eq!((told.results()[1], told.moved()[1]), (DONE, [19, 40]));
}

#[test]
fn a_chunked_response_whose_framing_was_not_seen_is_not_said_to_be_complete() {
    let head = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n";
    let lost = (Some(200), Outcome::Unobserved);
    for (name, script) in [
        ("its end", Script::new().recv(get(0)).send(head).then(Step::UnreadableOut(30))),
        ("the middle", Script::new().recv(get(0)).send(head).then(Step::UnreadableOut(9)).send("rest\r\n0\r\n\r\n")),
        (
            "all but the last chunk",
            Script::new().recv(get(0)).send(format!("{head}5\r\nab")).then(Step::UnreadableOut(9)),
        ),
    ] {
        for look in [Look::Never, Look::Behind, Look::Ahead] {
            let told = script.clone().recv(get(1)).send(OK).close().run(look).0;
            assert_eq!(told.results(), [lost, DONE], "{name}");
        }
    }
    // Inside of a chunk nothing is read.
    let whole =
        Script::new().recv(get(0)).send(format!("{head}9\r\n")).then(Step::UnreadableOut(9)).send("\r\n0\r\n\r\n");
    assert_eq!(whole.recv(get(1)).send(OK).close().told().results(), [DONE, DONE]);
}

#[test]
fn a_connection_that_ends_in_a_loss_ends_unobserved() {
    let told = Script::new().recv(get(0)).then(Step::UnreadableOut(40)).close().told();
    assert_eq!(told.results(), [UNSEEN]);
}

#[test]
fn what_is_no_http_is_nobodys() {
    let told = Script::new()
        .recv("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\x00\x00\x00")
        .send("\x00\x00\x00\x04\x00\x00\x00\x00\x00")
        .recv("\x01\x02\x03")
        .close()
        .told();
    assert_eq!(told.exchanges, []);
    assert_eq!(told.unattributed.values().sum::<u64>(), 27 + 9 + 3);
}

#[test]
fn more_chunks_in_one_call_than_can_be_read_are_lost_and_the_next_request_is_seen() {
    let chunks = "1\r\nx\r\n".repeat(100);
    let response = format!("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n{chunks}0\r\n\r\n");
    let told = Script::new().recv(get(0)).send(&response).recv(get(1)).send(OK).close().told();
    assert_eq!(targets(&told), ["/0", "/1"]);
    assert_eq!((told.results()[1], told.moved()[1]), (DONE, [19, 40]));
    assert_eq!(told.results()[0].0, Some(200));
    assert_eq!(told.moved()[0], [19, response.len() as u64]);
}
