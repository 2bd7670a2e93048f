use hippius_common::flow::{FIRST_COPY_BYTES, NEXT_COPY_BYTES};

use super::super::testing::{Connection, streams};

fn pattern(len: usize) -> Vec<u8> {
    (0..len).map(|index| (index % 251) as u8).collect()
}

#[test]
fn a_question_waits_for_its_answer_and_no_longer() {
    let mut connection = Connection::new();
    streams::<false>(&mut connection, b"*1\r\n$4\r\nPING\r\n", 33);
    assert_eq!(connection.emitted.0, b"", "the request waits");
    streams::<true>(&mut connection, b"+PONG\r\n", 33);
    assert_eq!(connection.emitted, (b"*1\r\n$4\r\nPING\r\n".to_vec(), b"+PONG\r\n".to_vec()));
    streams::<false>(&mut connection, b"first", 33);
    streams::<false>(&mut connection, b"second", 33);
    assert!(connection.emitted.0.ends_with(b"first"), "the next request sends the one before on its way");
}

#[test]
fn every_byte_of_a_long_call_is_copied_in_order() {
    for len in [1, 700, 1280, 1281, 1536, 1537, 2048, 5000, 20_000] {
        let bytes = pattern(len);
        let mut connection = Connection::new();
        streams::<false>(&mut connection, &bytes, 33);
        streams::<true>(&mut connection, &bytes, 33);
        assert_eq!((connection.emitted.0.len(), connection.emitted.1.len()), (len, len));
        assert!(connection.emitted == (bytes.clone(), bytes), "{len} bytes");
    }
}

#[test]
fn what_is_too_long_is_counted_and_goes_on_behind_a_gap() {
    let bytes = pattern(9000);
    let mut connection = Connection::new();
    streams::<true>(&mut connection, &bytes, 3);
    let copied = (FIRST_COPY_BYTES + NEXT_COPY_BYTES) as usize;
    assert!(connection.emitted.1.len() <= 3 * copied);
    let seen = connection.emitted.1.len() - 64;
    assert_eq!(connection.emitted.1, [&bytes[..seen], &bytes[9000 - 64..]].concat(), "the beginning and the end");
    assert_eq!(connection.records.last().map(|record| (record.out_at, record.outbound.total)), Some((8936, 9000)));
    assert_eq!(connection.flow.header.outbound.total, 9000);
    streams::<true>(&mut connection, b"next", 33);
    assert_eq!((connection.flow.header.out_at, connection.flow.header.outbound.total), (9000, 9004));
}

#[test]
fn the_end_of_what_is_a_little_too_long_is_no_gap() {
    let one = FIRST_COPY_BYTES as usize;
    for more in [1, 63, 64, 65, 200] {
        let bytes = pattern(one + more);
        let mut connection = Connection::new();
        streams::<true>(&mut connection, &bytes, 1);
        let seen = one + more.min(64);
        assert_eq!(connection.emitted.1.len(), seen, "{more} more");
        assert_eq!(connection.emitted.1[one..], bytes[one + more - more.min(64)..]);
    }
}

#[test]
fn of_a_request_that_is_too_long_the_end_is_not_needed() {
    let mut connection = Connection::new();
    streams::<false>(&mut connection, &pattern(9000), 3);
    assert!(connection.emitted.0.len() < 9000 - 64 && connection.flow.header.inbound.total == 9000);
}
