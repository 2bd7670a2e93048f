use hippius_common::flow::phase;

use super::super::testing::{Connection, request};

#[test]
fn a_head_ends_at_its_empty_line_however_it_is_cut() {
    for head in [
        &b"GET / HTTP/1.1\r\nHost: h\r\n\r\n"[..],
        b"GET / HTTP/1.0\nHost: h\n\n",
        b"\r\n\nGET / HTTP/1.1\r\n\r\n",
        b"GET / HTTP/1.1\r\nA: b\r\n folded\r\n\tagain\r\n\r\n",
        b"GET / HTTP/1.1\r\nA:\r\n\n",
    ] {
        for piece in 1..=head.len() {
            let inbound = request(head, piece).header.inbound;
            let found = (inbound.messages, inbound.phase, inbound.next);
            assert_eq!(found, (1, phase::HEAD, head.len() as u64), "{:?} by {piece}", String::from_utf8_lossy(head));
            assert_eq!(request(&head[..head.len() - 1], piece).header.inbound.messages, 0, "it is not complete");
        }
    }
}

#[test]
fn content_length_is_read_in_the_forms_that_clients_write() {
    for (field, length) in [
        ("Content-Length: 7", 7),
        ("content-length:7", 7),
        ("CONTENT-LENGTH: \t 0007 ", 7),
        ("Content-Length: 18446744073709551", 18_446_744_073_709_551),
        ("Content-Length: 0", 0),
        ("Content-Length: x", 0),
        ("Content-Length:", 0),
        ("Content-Length : 7", 0),
        ("X-Content-Length: 7", 0),
        ("Content-Lengths: 7", 0),
        ("Content-Language: 7", 0),
        (" Content-Length: 7", 0),
    ] {
        for end in ["\r\n", "\n"] {
            let head = format!("PUT / HTTP/1.1{end}A: b{end}{field}{end}C: 5{end}{end}");
            for piece in [1, 3, 8, head.len()] {
                let inbound = request(head.as_bytes(), piece).header.inbound;
                assert_eq!(inbound.next, head.len() as u64 + length, "{field} by {piece}");
            }
        }
    }
}

#[test]
fn transfer_encoding_frames_unless_it_is_identity() {
    for (field, expected) in [
        ("Transfer-Encoding: chunked", phase::CHUNKED),
        ("transfer-encoding:chunked", phase::CHUNKED),
        ("TRANSFER-ENCODING: Chunked", phase::CHUNKED),
        ("Transfer-Encoding: gzip, chunked", phase::CHUNKED),
        ("Transfer-Encoding: identity", phase::BODY),
        ("Transfer-Encoding:identity", phase::BODY),
        ("Transfer-Encoding:", phase::BODY),
        ("Transfer-Encodinh: chunked", phase::BODY),
        ("Transfer-Encoding-X: chunked", phase::BODY),
        ("TE: chunked", phase::BODY),
    ] {
        for head in [
            format!("PUT / HTTP/1.1\r\nContent-Length: 9\r\n{field}\r\n\r\n"),
            format!("PUT / HTTP/1.1\r\n{field}\r\nContent-Length: 9\r\n\r\n"),
        ] {
            for piece in [1, 5, head.len()] {
                assert_eq!(request(head.as_bytes(), piece).header.inbound.phase, expected, "{field} by {piece}");
            }
        }
    }
}

#[test]
fn what_begins_otherwise_is_not_http() {
    for (start, expected) in [
        ("GET / HTTP/1.1", phase::HEAD),
        ("get /?HTTP/2 http/1.0", phase::HEAD),
        ("PRI * HTTP/2.0", phase::OPAQUE),
        ("GET /", phase::OPAQUE),
        ("x", phase::OPAQUE),
    ] {
        assert_eq!(request(format!("{start}\r\n\r\n").as_bytes(), 100).header.inbound.phase, expected, "{start}");
    }
    let mut connection = Connection::new();
    connection.moves::<true>(b"SSH-2.0-x\r\n\r\n", 100);
    assert_eq!(connection.flow.header.outbound.phase, phase::OPAQUE);
}
