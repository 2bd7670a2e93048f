use hippius_common::flow::phase;
use hippius_common::loss;

use super::super::testing::request;

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
