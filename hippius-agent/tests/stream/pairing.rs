//! Which response answers which request: pipelining, interim responses, upgrades.

use hippius_agent::exchange::Outcome;

use crate::script::{Script, Told};

const OK: &str = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";
const EMPTY: &str = "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n";

fn all_complete(told: &Told, statuses: &[u16]) {
    let expected: Vec<_> = statuses.iter().map(|status| (Some(*status), Outcome::Complete)).collect();
    assert_eq!(told.results(), expected);
}

#[test]
fn keep_alive_requests_follow_each_other() {
    let mut script = Script::new();
    for number in 0..5 {
        script = script.recv(format!("GET /{number} HTTP/1.1\r\n\r\n")).send(OK);
    }
    let told = script.close().told().clean();
    all_complete(&told, &[200; 5]);
    assert_eq!(told.moved(), [[19, 40]; 5]);
    assert_eq!(told.exchanges[3].target, "/3");
}

#[test]
fn sixteen_pipelined_requests_are_answered_in_order() {
    for (requests_by, responses_by) in [(usize::MAX, usize::MAX), (7, 11), (1, 1), (1000, 3), (3, 1000)] {
        let (mut requests, mut responses) = (String::new(), String::new());
        for number in 0..16 {
            if number % 3 == 1 {
                requests += &format!("HEAD /{number} HTTP/1.1\r\n\r\n");
                responses += "HTTP/1.1 200 OK\r\nContent-Length: 77\r\n\r\n";
            } else {
                requests += &format!("GET /{number} HTTP/1.1\r\n\r\n");
                responses += OK;
            }
        }
        let told = Script::new()
            .recv_by(requests_by.min(requests.len()), &requests)
            .send_by(responses_by.min(responses.len()), &responses)
            .close()
            .told()
            .clean();
        all_complete(&told, &[200; 16]);
        for (number, [_, response]) in told.sizes().into_iter().enumerate() {
            assert_eq!(response, if number % 3 == 1 { (39, 0, 0) } else { (38, 2, 0) }, "number {number}");
        }
    }
}

#[test]
fn pipelined_uploads_begin_where_the_last_one_ends() {
    let put = |number: usize, size: usize| {
        format!("PUT /{number} HTTP/1.1\r\nContent-Length: {size}\r\n\r\n{}", "x".repeat(size))
    };
    let sizes = [3000, 5, 20_000, 1536, 0, 777];
    let requests: String = sizes.iter().enumerate().map(|(number, size)| put(number, *size)).collect();
    for by in [1, 1000, 4096, 65_536] {
        let told = Script::new().recv_by(by, &requests).send(EMPTY.repeat(sizes.len())).close().told().clean();
        all_complete(&told, &[200; 6]);
        let bodies: Vec<_> = told.sizes().iter().map(|[request, _]| request.1 as usize).collect();
        assert_eq!(bodies, sizes, "by {by}");
    }
}

#[test]
fn a_response_may_come_before_the_next_pipelined_request() {
    let told = Script::new()
        .recv("GET /0 HTTP/1.1\r\n\r\nGET /1 HTTP/1.1\r\n\r\nGET /2 HT")
        .send(OK)
        .recv("TP/1.1\r\n\r\n")
        .send([OK, "HTTP/1.1 404 Not Found\r\nContent-"].concat())
        .send("Length: 0\r\n\r\n")
        .close()
        .told()
        .clean();
    all_complete(&told, &[200, 200, 404]);
    assert_eq!(told.moved(), [[19, 40], [19, 40], [19, 45]]);
}

#[test]
fn interim_responses_belong_to_the_exchange_and_end_nothing() {
    let proceed = "HTTP/1.1 100 Continue\r\n\r\n";
    let hints = "HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n";
    let put = "PUT / HTTP/1.1\r\nContent-Length: 10\r\nExpect: 100-continue\r\n\r\n";
    for (name, script, interim, interim_bytes) in [
        ("expected", Script::new().recv(put).send(proceed).recv("0123456789").send(OK), vec![100], 25),
        ("in mid-body", Script::new().recv(put).recv("01234").send(proceed).recv("56789").send(OK), vec![100], 25),
        ("with the head", Script::new().recv(put).recv("0123456789").send([proceed, OK].concat()), vec![100], 25),
        (
            "several, byte by byte",
            Script::new().recv(put).send_by(1, [proceed, hints].concat()).recv("0123456789").send_by(1, OK),
            vec![100, 103],
            25 + 40,
        ),
    ] {
        let told = script.close().told().clean();
        all_complete(&told, &[200]);
        assert_eq!(told.exchanges[0].interim, interim, "{name}");
        assert_eq!(told.sizes(), [[(60, 10, 0), (38 + interim_bytes, 2, 0)]], "{name}");
        assert_eq!(told.moved(), [[70, 40 + interim_bytes]], "{name}");
    }
}

#[test]
fn a_refused_expectation_needs_no_body() {
    let put = "PUT /refused HTTP/1.1\r\nContent-Length: 1000\r\nExpect: 100-continue\r\n\r\n";
    let refusal = "HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\n\r\n";
    let told = Script::new().recv(put).send(refusal).recv("GET /next HTTP/1.1\r\n\r\n").send(OK).close().told().clean();
    all_complete(&told, &[403, 200]);
    assert_eq!(told.moved(), [[69, 45], [22, 40]]);
    assert_eq!(told.exchanges[1].target, "/next");
}

#[test]
fn a_body_that_comes_after_its_answer_is_still_the_requests() {
    let put = "PUT / HTTP/1.1\r\nContent-Length: 1000\r\n\r\n";
    let refusal = "HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\n\r\n";
    let told = Script::new()
        .recv(put)
        .recv("x".repeat(100))
        .send(refusal)
        .recv("x".repeat(900))
        .recv("GET /next HTTP/1.1\r\n\r\n")
        .send(OK)
        .close()
        .told()
        .clean();
    all_complete(&told, &[403, 200]);
    assert_eq!(told.moved(), [[1000 + put.len() as u64, 45], [22, 40]]);
}

#[test]
fn what_follows_an_upgrade_is_opaque() {
    let told = Script::new()
        .recv("GET /ws HTTP/1.1\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n")
        .send("HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n\r\n\x01\x02\x03")
        .recv("GET / HTTP/1.1\r\n\r\n")
        .send("\x04")
        .close()
        .told();
    all_complete(&told, &[101]);
    assert_eq!(told.moved(), [[61, 56]]);
    assert_eq!(told.unattributed.iter().map(|(reason, bytes)| (*reason, *bytes)).collect::<Vec<_>>(), [("opaque", 22)]);
    assert_eq!((told.lost, told.malformed, told.desynced.len()), (0, 0, 0));
}

#[test]
fn a_tunnel_is_opaque_once_it_is_granted() {
    let told = Script::new()
        .recv("CONNECT far:443 HTTP/1.1\r\n\r\n")
        .send("HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\n\r\n")
        .recv("GET / HTTP/1.1\r\n\r\n")
        .send(OK)
        .close()
        .told()
        .clean();
    all_complete(&told, &[403, 200]);
}

#[test]
fn a_scattered_buffer_is_read_piece_by_piece() {
    let request = b"GET / HTTP/1.1\r\nHost: s3\r\n\r\n";
    let response = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n";
    for size in [2, 5, 9, 31] {
        let scatter = |bytes: &[u8]| bytes.chunks(size).map(<[u8]>::to_vec).take(16).collect::<Vec<_>>();
        let whole = |bytes: &[u8]| scatter(bytes).concat().len() == bytes.len();
        let mut script = Script::new();
        script =
            if whole(request) { script.then(crate::script::Step::In(scatter(request))) } else { script.recv(request) };
        script = if whole(response) {
            script.then(crate::script::Step::Out(scatter(response)))
        } else {
            script.send(response)
        };
        let told = script.close().told().clean();
        all_complete(&told, &[200]);
        assert_eq!(told.sizes(), [[(28, 0, 0), (47, 5, 10)]], "by {size}");
    }
}

#[test]
fn a_chunked_upload_goes_on_while_an_earlier_request_is_answered() {
    let put = "PUT / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n";
    for cut in 1..34 {
        let body = format!("{}0\r\n\r\n", "1\r\nx\r\n".repeat(5));
        let told = Script::new()
            .recv(format!("GET / HTTP/1.1\r\n\r\n{put}{}", &body[..cut]))
            .send(OK)
            .recv(&body[cut..])
            .send_by(7, OK)
            .close()
            .told()
            .clean();
        assert_eq!(told.sizes()[1], [(46, 5, 30), (38, 2, 0)], "cut at {cut}");
    }
}

#[test]
fn a_response_may_cut_a_pipelined_upload_anywhere() {
    for padding in [10, 700, 900, 1600, 2100] {
        let head = format!("PUT / HTTP/1.1\r\nX-Pad: {}\r\nContent-Length: 7\r\n\r\n", "p".repeat(padding));
        let body = "GET /\r\n";
        let put = format!("{head}{body}");
        let long = format!("HTTP/1.1 200 OK\r\nX-Pad: {}\r\nContent-Length: 2\r\n\r\nok", "p".repeat(300));
        for cut in (0..put.len()).filter(|cut| cut % 61 == 0 || cut + 60 > put.len() || *cut < 30) {
            for by in [1, 1000] {
                let told = Script::new()
                    .recv(format!("GET / HTTP/1.1\r\n\r\n{}", &put[..cut]))
                    .send_by(by, &long)
                    .recv(&put[cut..])
                    .send(OK)
                    .close()
                    .told();
                let told = told.clean();
                assert_eq!(told.sizes()[1][0], (head.len() as u64, 7, 0), "{padding} cut at {cut} by {by}");
            }
        }
    }
}
