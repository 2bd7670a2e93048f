use proptest::prelude::{ProptestConfig, proptest};

use super::*;
use crate::decode::http1::HeadBuffer;

const HIPPIUS: &[u8] = b"<?xml version='1.0' encoding='UTF-8'?>\n<Error>\n  <Code>NoSuchKey</Code>\n  <Message>The specified key does not exist.</Message>\n  <RequestId>x</RequestId>\n  <HostId>hippius-s3</HostId>\n</Error>\n";

#[test]
fn the_code_is_found_in_the_forms_that_services_send() {
    for (body, code) in [
        (HIPPIUS, "NoSuchKey"),
        (b"<Error><Code>AccessDenied</Code></Error>", "AccessDenied"),
        (b"\r\n <Error xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\"><Code> SlowDown\n</Code>", "SlowDown"),
        (b"<s3:Error xmlns:s3='x'><s3:Code>InternalError</s3:Code></s3:Error>", "InternalError"),
        (b"\xef\xbb\xbf<Error><!-- <Code>No</Code> --><Code>Yes</Code></Error>", "Yes"),
        (b"<ErrorResponse><Error><Type>Sender</Type><Code>Throttling</Code></Error></ErrorResponse>", "Throttling"),
        (b"<Error><Message>a &lt;Code&gt;b</Message><Code>Last</Code></Error>", "Last"),
        (b"2a\r\n<Error><Code>MadeUpCode</Code></Error>\r\n0\r\n\r\n", "MadeUpCode"),
    ] {
        assert_eq!(body_code(body), Some(code), "{}", String::from_utf8_lossy(body));
    }
}

#[test]
fn chunk_borders_may_fall_anywhere() {
    let body = b"<Error><Code>NoSuchBucket</Code></Error>";
    for cut in 1..body.len() {
        let (first, second) = body.split_at(cut);
        let mut framed = format!("{:x}\r\n", first.len()).into_bytes();
        framed.extend_from_slice(first);
        framed.extend_from_slice(format!("\r\n{:X};e=1\r\n", second.len()).as_bytes());
        framed.extend_from_slice(second);
        framed.extend_from_slice(b"\r\n0\r\n\r\n");
        assert_eq!(body_code(&framed), Some("NoSuchBucket"), "cut at {cut}");
    }
}

#[test]
fn a_cut_off_body_gives_the_whole_code_or_none() {
    let end = HIPPIUS.windows(7).position(|window| window == b"</Code>").expect("a code");
    for length in 0..HIPPIUS.len() {
        let wanted = (length > end).then_some("NoSuchKey");
        assert_eq!(body_code(HIPPIUS.get(..length).expect("shorter")), wanted, "{length} bytes");
    }
}

#[test]
fn what_is_no_error_document_has_no_code() {
    let deleted = b"<DeleteResult><Error><Key>k</Key><Code>AccessDenied</Code></Error></DeleteResult>";
    let mut late = vec![b' '; MAX_ERROR_BODY_BYTES];
    late.splice(0..0, b"<Error>".iter().copied());
    late.extend_from_slice(b"<Code>Late</Code>");
    for body in [
        &deleted[..],
        b"",
        b"Internal Server Error",
        b"{\"Code\":\"x\"}",
        b"<html><Code>x</Code></html>",
        b"<Error></Error>",
        b"<Error><Code/></Error>",
        b"<Error><Code></Code></Error>",
        b"<Error><Code>not a code</Code></Error>",
        b"<Error><Code>caf\xc3\xa9</Code></Error>",
        b"</Error><Code>x</Code>",
        &late,
    ] {
        assert_eq!(body_code(body), None, "{}", String::from_utf8_lossy(body));
    }
    let long = format!("<Error><Code>{}</Code></Error>", "a".repeat(MAX_CODE_BYTES + 1));
    assert_eq!(body_code(long.as_bytes()), None);
}

#[test]
fn the_header_wins_where_it_can_be_a_label() {
    let mut buffer = HeadBuffer::default();
    let head = buffer.response(b"HTTP/1.1 403 F\r\nX-Amz-Error-Code: SlowDown \r\n\r\n").expect("a head");
    assert_eq!(error_code(&head.fields, HIPPIUS), Some("SlowDown"));
    let head = buffer.response(b"HTTP/1.1 403 F\r\nX-Amz-Error-Code: slow down\r\n\r\n").expect("a head");
    assert_eq!(error_code(&head.fields, HIPPIUS), Some("NoSuchKey"));
    let head = buffer.response(b"HTTP/1.1 403 F\r\n\r\n").expect("a head");
    assert_eq!(error_code(&head.fields, b""), None);
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_bytes_give_a_label_or_nothing(body: Vec<u8>) {
        if let Some(code) = body_code(&body) {
            assert!(label(code.as_bytes()) == Some(code));
        }
    }

    #[test]
    fn almost_xml_gives_a_label_or_nothing(body in "[0-9a-f]{0,2}(\r\n)?(<|>|/|!|-|\\[|\\]|Error|Code|:| |a){0,60}") {
        if let Some(code) = body_code(body.as_bytes()) {
            assert!(label(code.as_bytes()) == Some(code));
        }
    }
}
