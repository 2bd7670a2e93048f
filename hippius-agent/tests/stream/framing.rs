//! Where bodies end (RFC 9112 section 6.3): sizes of heads, bodies and framing, apart.

use hippius_agent::exchange::Outcome;

use crate::script::{Script, Step};

type Sizes = (u64, u64, u64);

/// One request and one response, in calls of several sizes: sizes of both, all bytes moved, nothing lost.
fn exchange(name: &str, request: &str, response: &str, sizes: [Sizes; 2], status: u16) {
    for by in [usize::MAX, 1, 2, 3, 7, 64] {
        let at_once = by == usize::MAX;
        let script = Script::new();
        let script = if at_once {
            script.recv(request).send(response)
        } else {
            script.recv_by(by, request).send_by(by, response)
        };
        let told = script.close().told().clean();
        assert_eq!(told.results(), [(Some(status), Outcome::Complete)], "{name} by {by}");
        assert_eq!(told.sizes(), [sizes], "{name} by {by}");
        assert_eq!(told.moved(), [[request.len() as u64, response.len() as u64]], "{name} by {by}");
    }
}

#[test]
fn bodies_end_where_their_heads_say() {
    let get = "GET /b/k HTTP/1.1\r\nHost: s3\r\n\r\n";
    let got = (31, 0, 0);
    for (name, request, response, sizes, status) in [
        ("content-length", get, "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello", [got, (38, 5, 0)], 200),
        ("content-length 0", get, "HTTP/1.1 200 OK\r\ncontent-length:0\r\n\r\n", [got, (37, 0, 0)], 200),
        ("no content", get, "HTTP/1.1 204 No Content\r\n\r\n", [got, (27, 0, 0)], 204),
        ("204 with length", get, "HTTP/1.1 204 No Content\r\nContent-Length: 9\r\n\r\n", [got, (46, 0, 0)], 204),
        ("not modified", get, "HTTP/1.1 304 Not Modified\r\nContent-Length: 512\r\n\r\n", [got, (50, 0, 0)], 304),
        (
            "range",
            "GET /b/k HTTP/1.1\r\nRange: bytes=2-4\r\n\r\n",
            "HTTP/1.1 206 Partial Content\r\nContent-Range: bytes 2-4/9\r\nContent-Length: 3\r\n\r\nllo",
            [(39, 0, 0), (79, 3, 0)],
            206,
        ),
        (
            "head",
            "HEAD /b/k HTTP/1.1\r\n\r\n",
            "HTTP/1.1 200 OK\r\nContent-Length: 12345\r\n\r\n",
            [(22, 0, 0), (42, 0, 0)],
            200,
        ),
        (
            "upload",
            "PUT /b/k HTTP/1.1\r\nContent-Length: 10\r\n\r\n0123456789",
            "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n",
            [(41, 10, 0), (38, 0, 0)],
            200,
        ),
        (
            "http/1.0",
            "GET / HTTP/1.0\r\n\r\n",
            "HTTP/1.0 200 OK\r\nContent-Length: 2\r\n\r\nok",
            [(18, 0, 0), (38, 2, 0)],
            200,
        ),
        (
            "bare line feeds",
            "GET / HTTP/1.1\nHost: s3\n\n",
            "HTTP/1.1 200 OK\nContent-Length: 2\n\nok",
            [(25, 0, 0), (35, 2, 0)],
            200,
        ),
        (
            "identity is no coding",
            get,
            "HTTP/1.1 200 OK\r\nTransfer-Encoding: identity\r\nContent-Length: 2\r\n\r\nok",
            [got, (67, 2, 0)],
            200,
        ),
        (
            "any token is a method",
            "X-Y.z_1 / HTTP/1.1\r\nContent-Length: 1\r\n\r\n!",
            "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n",
            [(41, 1, 0), (38, 0, 0)],
            200,
        ),
    ] {
        exchange(name, request, response, sizes, status);
    }
}

#[test]
fn chunked_bodies_end_with_their_last_chunk() {
    let head = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n";
    let get = "GET / HTTP/1.1\r\n\r\n";
    for (name, body, payload) in [
        ("empty", "0\r\n\r\n", 0),
        ("one", "5\r\nhello\r\n0\r\n\r\n", 5),
        ("two", "5\r\nhello\r\n6\r\n world\r\n0\r\n\r\n", 11),
        ("letters", "a\r\n0123456789\r\n0B\r\n0123456789a\r\n0\r\n\r\n", 21),
        ("extensions", "5;name=value\r\nhello\r\n2 ; x=\"y;z\"\r\nyo\r\n0;last\r\n\r\n", 7),
        ("trailers", "5\r\nhello\r\n0\r\nx-amz-checksum-crc32: abc=\r\nY: z\r\n\r\n", 5),
        ("bare line feeds", "5\nhello\r\n0\n\n", 5),
        ("zeros", "00005\r\nhello\r\n000\r\n\r\n", 5),
    ] {
        let response = format!("{head}{body}");
        let framing = body.len() as u64 - payload;
        exchange(name, get, &response, [(18, 0, 0), (head.len() as u64, payload, framing)], 200);
        let put = "PUT / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n";
        let request = format!("{put}{body}");
        let done = "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n";
        exchange(name, &request, done, [(put.len() as u64, payload, framing), (38, 0, 0)], 200);
    }
}

#[test]
fn many_chunks_in_few_calls_are_counted_as_far_as_one_call_may_be_read() {
    let head = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n";
    let chunk = format!("400\r\n{}\r\n", "x".repeat(0x400));
    for chunks in [30, 300] {
        let mut script = Script::new().recv("GET / HTTP/1.1\r\n\r\n").send(head);
        for _ in 0..chunks / 30 {
            script = script.send(chunk.repeat(30));
        }
        let told = script.send("0\r\n\r\n").close().told().clean();
        let payload = chunks * 0x400;
        assert_eq!(told.sizes()[0][1], (head.len() as u64, payload, chunks * 7 + 5));
    }
}

#[test]
fn a_body_without_length_ends_with_the_connection() {
    let body = "x".repeat(5000);
    let head = "HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n";
    for by in [1, 100, 1000, 10_000] {
        let told = Script::new()
            .recv("GET / HTTP/1.1\r\n\r\n")
            .send_by(by, format!("{head}{body}"))
            .then(Step::LocalFin)
            .then(Step::PeerFin)
            .then(Step::Close(0))
            .told()
            .clean();
        assert_eq!(told.results(), [(Some(200), Outcome::Complete)], "by {by}");
        assert_eq!(told.sizes()[0][1], (head.len() as u64, 5000, 0), "by {by}");
    }
}

#[test]
fn more_than_four_gigabytes_are_counted_in_full() {
    let size = 5_u64 << 32; // 21 474 836 480, a multiple of ten
    let mut script = Script::new().recv(format!("PUT / HTTP/1.1\r\nContent-Length: {size}\r\n\r\n"));
    for _ in 0..10 {
        script = script.then(Step::UnreadableIn(size / 10));
    }
    let told = script.send("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n").close().told().clean();
    assert_eq!(told.finished(0).request.body, size);
    assert_eq!(told.finished(0).outcome, Outcome::Complete);
}
