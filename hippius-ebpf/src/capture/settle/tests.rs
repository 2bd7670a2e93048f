use hippius_common::flow::{ERROR_BODY_BYTES, phase};

use super::super::testing::Connection;

#[test]
fn what_follows_a_response_head_depends_on_status_and_method() {
    for (method, status, field, expected) in [
        ("GET", 200, "Content-Length: 5", phase::BODY),
        ("GET", 200, "Content-Length: 0", phase::HEAD),
        ("GET", 200, "Transfer-Encoding: chunked", phase::CHUNKED),
        ("GET", 200, "A: b", phase::UNTIL_CLOSE),
        ("GET", 204, "A: b", phase::HEAD),
        ("GET", 304, "Content-Length: 5", phase::HEAD),
        ("GET", 100, "A: b", phase::HEAD),
        ("GET", 101, "A: b", phase::OPAQUE),
        ("HEAD", 200, "Content-Length: 5", phase::HEAD),
        ("HEAD", 404, "Transfer-Encoding: chunked", phase::HEAD),
        ("CONNECT", 200, "A: b", phase::OPAQUE),
        ("CONNECT", 200, "Content-Length: 5", phase::OPAQUE),
        ("CONNECT", 405, "Content-Length: 5", phase::BODY),
        ("HEADS", 200, "Content-Length: 5", phase::BODY),
    ] {
        let mut connection = Connection::new();
        connection.moves::<false>(format!("{method} / HTTP/1.1\r\n\r\n").as_bytes(), 100);
        connection.moves::<true>(format!("HTTP/1.1 {status} X\r\n{field}\r\n\r\n").as_bytes(), 100);
        assert_eq!(connection.flow.header.outbound.phase, expected, "{method} {status} {field}");
        assert_eq!(connection.flow.header.unanswered, u32::from(status == 100), "{method} {status}");
    }
}

#[test]
fn pipelined_methods_meet_their_responses_in_order() {
    let mut connection = Connection::new();
    connection.moves::<false>(b"HEAD / HTTP/1.1\r\n\r\nGET / HTTP/1.1\r\n\r\nHEAD / HTTP/1.1\r\n\r\n", 7);
    for expected in [phase::HEAD, phase::BODY, phase::HEAD] {
        connection.moves::<true>(b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\n", 7);
        assert_eq!(connection.flow.header.outbound.phase, expected);
        if expected == phase::BODY {
            connection.moves::<true>(b"x", 1);
        }
    }
    assert_eq!((connection.flow.header.unanswered, connection.flow.bodiless), (0, 0));
}

#[test]
fn the_beginning_of_an_error_is_captured() {
    let body = vec![b'e'; 600];
    let mut message = b"HTTP/1.1 403 F\r\nContent-Length: 600\r\n\r\n".to_vec();
    let wanted = message.len() + ERROR_BODY_BYTES as usize;
    message.extend_from_slice(&body);
    for piece in [50, 512, message.len()] {
        let mut connection = Connection::new();
        connection.moves::<true>(&message, piece);
        assert_eq!(connection.emitted.1, &message[..wanted], "by {piece}");
    }
}
