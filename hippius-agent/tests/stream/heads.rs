//! Heads of any length in any segmentation.

use hippius_agent::exchange::Outcome;
use hippius_common::flow::MAX_HEAD_BYTES;

use crate::script::Script;

const OK: &str = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";

/// A head of exactly `len` bytes with fields of `field` bytes; Content-Length stands last.
fn head(start: &str, field: usize, len: usize, last: &str) -> String {
    let mut head = format!("{start}\r\n");
    let end = format!("{last}\r\n\r\n");
    while head.len() + end.len() < len {
        let left = len - head.len() - end.len();
        let size = if left < field + 16 { left } else { field };
        head += &format!("X: {}\r\n", "v".repeat(size.saturating_sub(5)));
    }
    head += &end;
    assert_eq!(head.len(), len, "the head is as long as asked for");
    head
}

#[test]
fn heads_up_to_the_limit_get_through_in_any_segmentation() {
    for (len, field) in [
        (100, 20),
        (1535, 64),
        (1536, 64),
        (1537, 64),
        (2047, 300),
        (2048, 300),
        (2049, 300),
        (4096, 700),
        (5000, 4000),
        (8000, 800),
        (16_384, 160),
        (16_384, 16_000),
    ] {
        let request = head("PUT /b/k HTTP/1.1", field, len, "Content-Length: 5") + "hello";
        let response = head("HTTP/1.1 200 OK", field, len, "content-length: 7") + "goodbye";
        for by in [1, 13, 512, 600, 768, 1000, 1536, 4096, 65_536] {
            let told = Script::new().recv_by(by, &request).send_by(by, &response).close().told().clean();
            assert_eq!(told.results(), [(Some(200), Outcome::Complete)], "{len} in fields of {field} by {by}");
            let len = len as u64;
            assert_eq!(told.sizes(), [[(len, 5, 0), (len, 7, 0)]], "{len} in fields of {field} by {by}");
        }
    }
}

#[test]
fn a_head_beyond_the_limit_is_counted_as_lost_and_the_next_request_is_seen() {
    let long = head("GET /long HTTP/1.1", 500, MAX_HEAD_BYTES as usize + 4000, "Host: s3");
    for by in [700, 4096, 65_536] {
        let told = Script::new()
            .recv_by(by, &long)
            .send("HTTP/1.1 431 Request Header Fields Too Large\r\nContent-Length: 0\r\n\r\n")
            .recv("GET /next HTTP/1.1\r\n\r\n")
            .send(OK)
            .close()
            .told();
        let next = told.exchanges.last().expect("the next request");
        assert_eq!(next.target, "/next", "by {by}");
        assert_eq!(told.results().last(), Some(&(Some(200), Outcome::Complete)), "by {by}");
        assert_eq!(told.moved().last(), Some(&[22, 40]), "by {by}");
        assert_eq!(
            told.unattributed.get("head_too_long"),
            Some(&(long.len() as u64)),
            "by {by}: {:?}",
            told.unattributed
        );
    }
}

#[test]
fn empty_lines_before_a_request_are_ignored() {
    let told = Script::new()
        .recv("\r\nGET /0 HTTP/1.1\r\n\r\n")
        .send(OK)
        .recv("\r\n")
        .recv("\r\nGET /1 HTTP/1.1\r\n\r\n")
        .send(OK)
        .close()
        .told()
        .clean();
    assert_eq!(told.results(), [(Some(200), Outcome::Complete); 2]);
    assert_eq!(told.moved(), [[21, 40], [23, 40]]);
}

#[test]
fn fields_that_only_look_like_framing_frame_nothing() {
    for field in [
        "X-Content-Length: 9",
        "Content-Lengthy: 9",
        "X: Content-Length: 9",
        "Content-Language: 9",
        "Transfer-Encodings: chunked",
        "X-Transfer-Encoding: chunked",
        "X: Transfer-Encoding: chunked",
        "Content-Length-X: 9",
    ] {
        let request = format!("PUT / HTTP/1.1\r\n{field}\r\nContent-Length: 3\r\n\r\nabc");
        let told = Script::new().recv(request).send(OK).recv("GET / HTTP/1.1\r\n\r\n").send(OK).close().told().clean();
        assert_eq!(told.results(), [(Some(200), Outcome::Complete); 2], "{field}");
        assert_eq!(told.sizes()[0][0].1, 3, "{field}");
    }
}

#[test]
fn spelling_of_framing_fields_does_not_matter() {
    for (field, body) in [
        ("CONTENT-LENGTH:3", "abc"),
        ("content-length:   3  ", "abc"),
        ("Content-Length:\t3", "abc"),
        ("Content-Length: 00003", "abc"),
        ("transfer-encoding:chunked", "3\r\nabc\r\n0\r\n\r\n"),
        ("TRANSFER-ENCODING:   CHUNKED", "3\r\nabc\r\n0\r\n\r\n"),
        ("Transfer-Encoding: gzip, chunked", "3\r\nabc\r\n0\r\n\r\n"),
        ("Content-Length: 999\r\nTransfer-Encoding: chunked", "3\r\nabc\r\n0\r\n\r\n"),
        ("Transfer-Encoding: chunked\r\nContent-Length: 999", "3\r\nabc\r\n0\r\n\r\n"),
    ] {
        let request = format!("PUT / HTTP/1.1\r\n{field}\r\n\r\n{body}");
        let told = Script::new().recv(&request).send(OK).recv("GET / HTTP/1.1\r\n\r\n").send(OK).close().told().clean();
        assert_eq!(told.results(), [(Some(200), Outcome::Complete); 2], "{field}");
        assert_eq!(told.moved()[0][0], request.len() as u64, "{field}");
        assert_eq!(told.sizes()[0][0].1, 3, "{field}");
    }
}
