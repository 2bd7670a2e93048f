use hippius_common::flow::{flag, phase};
use hippius_common::loss;

use super::super::testing::{Connection, request};

const HEAD: &str = "PUT / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n";

#[test]
fn chunks_are_counted_however_they_are_cut() {
    for (body, payload) in [
        ("0\r\n\r\n", 0),
        ("5\r\nhello\r\n0\r\n\r\n", 5),
        ("5\nhello\r\n0\n\n", 5),
        ("00a;name=\"v\"\r\n0123456789\r\n1 \r\nx\r\n0\r\n\r\n", 11),
        ("3\r\n\r\n0\r\n0\r\nTrailer: x\r\nOther: y\r\n\r\n", 3),
        ("1F\r\n0123456789012345678901234567890\r\n000\r\n\r\n", 31),
    ] {
        let message = format!("{HEAD}{body}");
        for piece in 1..=message.len() {
            let inbound = request(message.as_bytes(), piece).header.inbound;
            let found = (inbound.phase, inbound.payload, inbound.total);
            assert_eq!(found, (phase::HEAD, payload, message.len() as u64), "{body:?} by {piece}");
            let cut = request(&message.as_bytes()[..message.len() - 1], piece);
            assert_eq!(cut.header.inbound.phase, phase::CHUNKED, "{body:?} goes on");
        }
    }
}

/// The trailer of a node that failed after it had answered (<https://github.com/ipfs/kubo/issues/2386>).
#[test]
fn a_trailer_that_tells_of_an_error_is_noticed_and_told_once() {
    const RESPONSE: &str = "HTTP/1.1 200 OK\r\nTrailer: X-Stream-Error\r\nTransfer-Encoding: chunked\r\n\r\n";
    let emitted = |message: &str, piece: usize| {
        let mut connection = Connection::new();
        connection.moves::<false>(b"POST /api/v0/cat?arg=x HTTP/1.1\r\n\r\n", 4096);
        connection.moves::<true>(message.as_bytes(), piece);
        (connection.records.clone(), connection.flow.header)
    };
    for (trailer, fails) in [
        ("X-Stream-Error: context canceled\r\n", true),
        ("x-stream-error:\r\n", true),
        ("Server-Timing: a\r\nX-STREAM-ERROR: b\r\nX-Other: c\r\n", true),
        ("", false),
        ("X-Stream-Errors: a\r\n", false),
        ("X-Stream\r\n-Error: a\r\n", false),
        ("Note: X-Stream-Error: a\r\n", false),
        ("X\rStream\rError: a\r\n", false),
    ] {
        let message = format!("{RESPONSE}5\r\nhello\r\n0\r\n{trailer}\r\n");
        for piece in 1..=message.len() {
            let (records, header) = emitted(&message, piece);
            assert_eq!(header.flags & flag::STREAM_ERROR != 0, fails, "{trailer:?} by {piece}");
            assert_eq!(
                (header.outbound.phase, header.outbound.total),
                (phase::HEAD, message.len() as u64),
                "{trailer:?}"
            );
            let told = records.iter().filter(|record| record.flags & flag::STREAM_ERROR != 0);
            assert_eq!(told.count(), usize::from(fails), "{trailer:?} by {piece}");
        }
    }
}

#[test]
fn the_next_response_has_no_error_of_the_one_before() {
    let failed = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\nX-Stream-Error: a\r\n\r\n";
    let messages = format!("{failed}HTTP/1.1 204 N\r\n\r\n");
    for piece in 1..=messages.len() {
        let mut connection = Connection::new();
        connection.moves::<false>(b"GET /a HTTP/1.1\r\n\r\nGET /b HTTP/1.1\r\n\r\n", 4096);
        connection.moves::<true>(messages.as_bytes(), piece);
        let told = connection.records.iter().filter(|record| record.flags & flag::STREAM_ERROR != 0);
        let told: Vec<u64> = told.map(|record| record.outbound.head_at).collect();
        assert_eq!(told, [0], "by {piece}");
        assert_eq!(connection.flow.header.flags & flag::STREAM_ERROR, 0, "by {piece}");
    }
}

#[test]
fn what_is_no_chunk_is_a_loss() {
    for body in ["x\r\n", "-1\r\n", "5\rhello", "5\r\nhelloX", "5\r\nhello\rX", "0\r\n\rX"] {
        let message = format!("{HEAD}{body} and more");
        for piece in [1, 7, message.len()] {
            let inbound = request(message.as_bytes(), piece).header.inbound;
            assert_eq!((inbound.phase, inbound.loss()), (phase::LOST, loss::BAD_CHUNK), "{body:?} by {piece}");
            assert_eq!(inbound.total, message.len() as u64, "bytes are counted nevertheless");
        }
    }
}
