//! The beginning of an error response's body is captured: the S3 error code stands there.

use crate::script::{Look, Script};

const GET: &str = "GET /b/k HTTP/1.1\r\n\r\n";
const OK: &str = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";
const ERROR: &str = "<?xml version=\"1.0\"?><Error><Code>NoSuchKey</Code><Message>none</Message></Error>";

fn captured(script: &Script) -> String {
    let told = script.run(Look::Never).0.clean();
    String::from_utf8(told.exchanges[0].body.clone()).expect("text")
}

#[test]
fn an_error_body_is_captured_whatever_calls_it_comes_in() {
    let head = format!("HTTP/1.1 404 Not Found\r\nContent-Length: {}\r\n\r\n", ERROR.len());
    let at_once = Script::new().recv(GET).send(format!("{head}{ERROR}"));
    let apart = Script::new().recv(GET).send(&head).send(ERROR);
    let in_pieces = Script::new().recv(GET).send_by(9, format!("{head}{ERROR}"));
    for script in [at_once, apart, in_pieces] {
        let script = script.recv(GET).send(OK).close();
        script.told().clean();
        assert_eq!(captured(&script), ERROR);
    }
}

#[test]
fn a_chunked_error_body_is_captured_with_its_framing() {
    let head = "HTTP/1.1 403 Forbidden\r\nTransfer-Encoding: chunked\r\n\r\n";
    let body = format!("{:x}\r\n{ERROR}\r\n0\r\n\r\n", ERROR.len());
    let at_once = Script::new().recv(GET).send(format!("{head}{body}"));
    let apart = Script::new().recv(GET).send(head).send(&body);
    for script in [at_once, apart] {
        let script = script.recv(GET).send(OK).close();
        script.told().clean();
        assert_eq!(captured(&script), body);
    }
}

#[test]
fn a_long_error_body_is_captured_in_part() {
    for size in [511, 512, 513, 5000] {
        let page = "x".repeat(size);
        let head = format!("HTTP/1.1 500 Internal Server Error\r\nContent-Length: {size}\r\n\r\n");
        for script in [
            Script::new().recv(GET).send(format!("{head}{page}")),
            Script::new().recv(GET).send(&head).send(&page),
            Script::new().recv(GET).send_by(100, format!("{head}{page}")),
        ] {
            let script = script.recv(GET).send(OK).close();
            let told = script.told().clean();
            assert_eq!(told.sizes()[0][1], (head.len() as u64, size as u64, 0));
            assert_eq!(captured(&script), page[..size.min(512)], "{size}");
        }
    }
}

#[test]
fn an_error_without_a_body_waits_for_none() {
    for (request, response) in [
        ("HEAD /b/k HTTP/1.1\r\n\r\n", "HTTP/1.1 404 Not Found\r\nContent-Length: 300\r\n\r\n"),
        (GET, "HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n"),
    ] {
        let script = Script::new().recv(request).send(response).recv(GET).send(OK).close();
        script.told().clean();
        assert_eq!(captured(&script), "");
    }
}

#[test]
fn an_error_body_behind_a_long_request_is_still_framed() {
    let long = format!("GET /b/k HTTP/1.1\r\nX: {}\r\n\r\n", "x".repeat(1800));
    let head = format!("HTTP/1.1 404 Not Found\r\nContent-Length: {}\r\n\r\n", ERROR.len());
    let script = Script::new().recv(long).send(format!("{head}{ERROR}")).recv(GET).send(OK).close();
    let told = script.told().clean();
    assert_eq!(told.sizes()[0][1], (head.len() as u64, ERROR.len() as u64, 0));
    assert_eq!(captured(&script), ERROR);
}
