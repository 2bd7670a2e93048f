use hippius_common::flow::{MAX_HEAD_BYTES, phase};
use hippius_common::loss;

use super::super::testing::{Connection, request};

/// A request of `len` bytes up to the lines `last`, in lines of `line` bytes.
fn long_head(first: &str, len: usize, line: usize, last: &str) -> String {
    let mut head = first.to_owned();
    while head.len() + 2 * line < len {
        head += &format!("{:a<width$}\r\n", "X: ", width = line - 2);
    }
    let rest = len - head.len() - 2;
    format!("{head}{:b<rest$}\r\n{last}", "Y: ")
}

#[test]
fn a_content_length_that_stands_before_a_long_rest_of_the_head_counts() {
    let head = long_head("PUT / HTTP/1.1\r\nContent-Length: 9\r\n", 4000, 70, "\r\n");
    for piece in [100, 700, head.len()] {
        assert_eq!(request(head.as_bytes(), piece).header.inbound.next, head.len() as u64 + 9, "by {piece}");
    }
}

#[test]
fn a_line_that_begins_where_a_copy_ends_is_read() {
    for len in 1200..1600 {
        for last in ["\r\n", "Content-Length: 0\r\nContent-Length: 0\r\n\r\n"] {
            let head = long_head("PUT / HTTP/1.1\r\n", len, 60, last);
            for piece in [len, head.len()] {
                let inbound = request(head.as_bytes(), piece).header.inbound;
                assert_eq!((inbound.messages, inbound.next), (1, head.len() as u64), "{len} by {piece}");
            }
        }
    }
}

#[test]
fn a_long_target_is_http_and_its_method_is_known() {
    for len in [1500, 1519, 1520, 1530, 2500, 9000] {
        let head = format!("HEAD /{} HTTP/1.1\r\nContent-Length: 3\r\n\r\n", "k".repeat(len));
        for piece in [900, head.len()] {
            let mut connection = Connection::new();
            connection.moves::<false>(head.as_bytes(), piece);
            let header = &connection.flow.header;
            assert_eq!((header.inbound.phase, header.inbound.next), (phase::BODY, head.len() as u64 + 3), "{len}");
            assert_eq!(connection.flow.bodiless, 1, "{len} by {piece}");
        }
    }
}

#[test]
fn a_response_between_the_parts_of_a_head_is_no_part_of_it() {
    let mut connection = Connection::new();
    connection.moves::<false>(b"GET /a HTTP/1.1\r\n\r\nGET /b HTTP/1.1\r\nHost", 100);
    connection.moves::<true>(b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n", 100);
    connection.moves::<false>(b": h\r\n\r\n", 100);
    let inbound = connection.flow.header.inbound;
    assert_eq!((inbound.messages, inbound.phase, inbound.next), (2, phase::HEAD, inbound.total));
}

#[test]
fn a_request_between_the_parts_of_a_response_head_is_no_part_of_it() {
    let mut connection = Connection::new();
    connection.moves::<true>(b"HTTP/1.1 200 OK\r\n", 100);
    connection.moves::<false>(b"GET /b HTTP/1.1\r\n\r\n", 100);
    connection.moves::<true>(b"Content-Length: 9\r\n\r\n", 100);
    let outbound = connection.flow.header.outbound;
    assert_eq!((outbound.messages, outbound.phase, outbound.next), (1, phase::BODY, outbound.total + 9));
}

#[test]
fn captured_heads_are_the_bytes_that_moved() {
    let head = long_head("PUT / HTTP/1.1\r\n", 5000, 90, "\r\n");
    for piece in [33, 800, 1536, head.len()] {
        let mut connection = Connection::new();
        connection.moves::<false>(head.as_bytes(), piece);
        connection.moves::<true>(b"HTTP/1.1 204 N\r\n\r\n", 100);
        assert_eq!(connection.emitted.0, head.as_bytes(), "by {piece}");
        assert_eq!(connection.emitted.1, b"HTTP/1.1 204 N\r\n\r\n");
    }
}

#[test]
fn a_head_beyond_the_limit_is_a_loss() {
    let head = long_head("PUT / HTTP/1.1\r\n", MAX_HEAD_BYTES as usize + 900, 90, "");
    let inbound = request(head.as_bytes(), 700).header.inbound;
    assert_eq!((inbound.phase, inbound.loss()), (phase::LOST, loss::HEAD_TOO_LONG));
    assert_eq!(inbound.total, head.len() as u64);
}
