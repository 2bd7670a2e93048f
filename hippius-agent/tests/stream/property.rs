//! Any exchanges, cut into any calls, looked at at any time: every byte is told once, and of the right message.

use hippius_agent::exchange::Outcome;
use proptest::prelude::*;

use crate::script::{Look, Script, Step};

/// A request and its response, with the sizes of their parts.
#[derive(Clone)]
struct Exchange {
    request: Vec<u8>,
    response: Vec<u8>,
    /// Head, body and framing of the request, then of the response.
    sizes: [(u64, u64, u64); 2],
    status: u16,
}

impl std::fmt::Debug for Exchange {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let text =
            |bytes: &[u8]| String::from_utf8_lossy(bytes).replace("pp", "").chars().take(200).collect::<String>();
        write!(out, "{:?} -> {:?} {:?}", text(&self.request), text(&self.response), self.sizes)
    }
}

#[derive(Debug, Clone)]
enum Body {
    None,
    Length(usize),
    Chunked(Vec<usize>, bool),
}

impl Body {
    /// The field that announces it, its bytes, and how many of them are framing.
    fn build(&self) -> (String, Vec<u8>, usize) {
        match self {
            Self::None => (String::new(), Vec::new(), 0),
            Self::Length(size) => (format!("Content-Length: {size}\r\n"), filler(*size), 0),
            Self::Chunked(chunks, trailer) => {
                let mut bytes = Vec::new();
                for size in chunks {
                    let extension = if size % 3 == 0 { ";sig=0123456789" } else { "" };
                    bytes.extend(format!("{size:x}{extension}\r\n").bytes());
                    bytes.extend(filler(*size));
                    bytes.extend(b"\r\n");
                }
                bytes.extend(b"0\r\n");
                if *trailer {
                    bytes.extend(b"x-amz-checksum: abc\r\n");
                }
                bytes.extend(b"\r\n");
                let framing = bytes.len() - chunks.iter().sum::<usize>();
                ("Transfer-Encoding: chunked\r\n".into(), bytes, framing)
            }
        }
    }
}

/// A body that looks like anything: line ends, heads, chunk sizes.
fn filler(size: usize) -> Vec<u8> {
    b"GET / HTTP/1.1\r\n\r\n5\r\nHTTP/1.1 200 OK\r\n\r\n".iter().copied().cycle().take(size).collect()
}

fn body() -> impl Strategy<Value = Body> {
    prop_oneof![
        Just(Body::None),
        (0..6000_usize).prop_map(Body::Length),
        (prop::collection::vec(1..2000_usize, 0..3), any::<bool>())
            .prop_map(|(sizes, last)| Body::Chunked(sizes, last)),
    ]
}

/// `longest`: of a field in the response's head, in bytes.
fn exchange(longest: usize) -> impl Strategy<Value = Exchange> {
    let methods = prop::sample::select(vec!["GET", "PUT", "HEAD", "POST", "DELETE", "OPTIONS"]);
    let statuses = prop::sample::select(vec![200_u16, 201, 204, 206, 304, 307, 403, 404, 500]);
    (methods, statuses, body(), body(), 0..3_usize, 0..2500_usize).prop_map(
        move |(method, status, request, response, interim, padding)| {
            let (field, request_body, request_framing) = request.build();
            let pad = "p".repeat(padding);
            let mut bytes = format!("{method} /b/k HTTP/1.1\r\nX-Pad: {pad}\r\n{field}\r\n").into_bytes();
            let request_head = bytes.len();
            bytes.extend(&request_body);
            let bodiless = method == "HEAD" || status == 204 || status == 304;
            // A response without any length lasts until the end of the connection.
            let response = if matches!(response, Body::None) && !bodiless { Body::Length(0) } else { response };
            let (field, response_body, response_framing) = response.build();
            let mut answer = "HTTP/1.1 100 Continue\r\n\r\n".repeat(interim);
            answer += &format!("HTTP/1.1 {status} Any\r\nX-Pad: {}\r\n{field}\r\n", &pad[..padding.min(longest)]);
            let response_head = answer.len();
            let mut answer = answer.into_bytes();
            let (body, framing) =
                if bodiless { (0, 0) } else { (response_body.len() - response_framing, response_framing) };
            if !bodiless {
                answer.extend(&response_body);
            }
            let request_sizes = (request_head, request_body.len() - request_framing, request_framing);
            let wide = |(head, body, framing): (usize, usize, usize)| (head as u64, body as u64, framing as u64);
            Exchange {
                request: bytes,
                response: answer,
                sizes: [wide(request_sizes), wide((response_head, body, framing))],
                status,
            }
        },
    )
}

/// Cuts bytes into calls; the sizes go round.
fn cut<'a>(bytes: &'a [u8], sizes: &'a [usize]) -> impl Iterator<Item = Vec<u8>> + 'a {
    let mut at = 0;
    let mut sizes = sizes.iter().cycle();
    std::iter::from_fn(move || {
        let size = (*sizes.next()?).min(bytes.len() - at);
        at += size;
        (size != 0).then(|| bytes[at - size..at].to_vec())
    })
}

/// Sizes of calls. The longest keep what one call carries within what the runs of a program may read.
fn sizes(longest: usize) -> impl Strategy<Value = Vec<usize>> {
    prop::collection::vec(prop_oneof![1..20_usize, 1..600_usize, 500..3000_usize, 3000..longest], 1..6)
}

/// Requests and responses as they come: a response may go out once its request is there, while others still come in.
fn interleaved(exchanges: &[Exchange], into: &[usize], out_of: &[usize], turns: u64) -> Script {
    let requests: Vec<u8> = exchanges.iter().flat_map(|exchange| exchange.request.clone()).collect();
    let mut calls = cut(&requests, into);
    let mut answers = exchanges.iter().scan(0, |end, exchange| {
        *end += exchange.request.len();
        Some((*end, &exchange.response))
    });
    let mut answer = answers.next();
    let (mut script, mut received) = (Script::new(), 0);
    for turn in 0.. {
        let ready = answer.filter(|(end, _)| received >= *end);
        let answers_now = turns.rotate_right(turn) & 1 != 0;
        if let Some((_, response)) = ready.filter(|_| answers_now) {
            script.steps.extend(cut(response, out_of).map(|bytes| Step::Out(vec![bytes])));
            answer = answers.next();
        } else if let Some(bytes) = calls.next() {
            received += bytes.len();
            script.steps.push(Step::In(vec![bytes]));
        } else if answer.is_none() {
            break;
        }
    }
    script.close()
}

/// Groups of pipelined exchanges: all requests of a group are sent before the first response.
fn script(groups: &[Vec<Exchange>], into: &[usize], out_of: &[usize]) -> Script {
    let mut script = Script::new();
    for group in groups {
        let requests: Vec<u8> = group.iter().flat_map(|exchange| exchange.request.clone()).collect();
        let responses: Vec<u8> = group.iter().flat_map(|exchange| exchange.response.clone()).collect();
        script.steps.extend(cut(&requests, into).map(|bytes| Step::In(vec![bytes])));
        script.steps.extend(cut(&responses, out_of).map(|bytes| Step::Out(vec![bytes])));
    }
    script.close()
}

/// Runs the script with and without sweeps and compares what is told with what was sent.
fn check(script: &Script, exchanges: &[&Exchange], looks: u64) -> Result<(), TestCaseError> {
    let (plain, _) = script.run(Look::Never);
    for look in [Look::Bits(looks), Look::Behind, Look::Ahead] {
        let (swept, _) = script.run(look);
        prop_assert_eq!(&swept, &plain, "sweeps {:?} change what is told", look);
    }
    let told = plain.clean();
    prop_assert_eq!(told.exchanges.len(), exchanges.len());
    let results: Vec<_> = exchanges.iter().map(|exchange| (Some(exchange.status), Outcome::Complete)).collect();
    prop_assert_eq!(told.results(), results);
    let sizes: Vec<_> = exchanges.iter().map(|exchange| exchange.sizes).collect();
    prop_assert_eq!(told.sizes(), sizes);
    let moved = |exchange: &&Exchange| [exchange.request.len() as u64, exchange.response.len() as u64];
    prop_assert_eq!(told.moved(), exchanges.iter().map(moved).collect::<Vec<_>>());
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn every_byte_is_told_once_and_of_the_right_message(
        groups in prop::collection::vec(prop::collection::vec(exchange(2500), 1..4), 1..4),
        into in sizes(70_000),
        out_of in sizes(70_000),
        looks in any::<u64>(),
    ) {
        let script = script(&groups, &into, &out_of);
        check(&script, &groups.iter().flatten().collect::<Vec<_>>(), looks)?;
    }

    #[test]
    fn requests_may_come_in_while_responses_go_out(
        exchanges in prop::collection::vec(exchange(300), 1..8),
        into in sizes(4000),
        out_of in sizes(4000),
        looks in any::<u64>(),
        turns in any::<u64>().prop_filter("some turns are answers", |turns| *turns != 0),
    ) {
        let script = interleaved(&exchanges, &into, &out_of, turns);
        check(&script, &exchanges.iter().collect::<Vec<_>>(), looks)?;
    }
}
