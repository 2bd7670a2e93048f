//! Every way to frame a message: not one byte off.

use std::time::Duration;

use anyhow::{Result, ensure};
use hippius_tests::clients::raw::{Raw, request};
use hippius_tests::config::Config;
use hippius_tests::expect::Expected;
use hippius_tests::servers::scripted::{Scripted, Step};
use hippius_tests::wire::{self, chunked, ok};
use hippius_tests::{expect, lab};

fn one(status: &'static str) -> Expected {
    Expected::requests(1).statuses(&[(status, 1)]).outcomes(&[("complete", 1)])
}

#[test]
fn content_length_both_ways() {
    let steps = vec![Step::ReadHead, Step::Read(5000), Step::Write(ok("answer")), Step::ReadToEnd];
    let client = |raw: &mut Raw| {
        raw.send(request("PUT", "/a", &["Content-Length: 5000"]))?;
        raw.send(vec![b'x'; 5000])?;
        raw.read_response().map(drop)
    };
    wire::exactly("content-length", steps, client, one("200").bodies(5000, 6));
}

#[test]
fn chunked_both_ways() {
    let body = chunked(&["hello ", "chunked ", "world"]);
    let answer =
        format!("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n{}", chunked(&["ab", &"c".repeat(70_000)]));
    let steps = vec![Step::ReadHead, Step::Read(body.len()), Step::write(answer), Step::ReadToEnd];
    let client = move |raw: &mut Raw| {
        raw.send(request("PUT", "/a", &["Transfer-Encoding: chunked"]) + &body)?;
        raw.read_response().map(drop)
    };
    wire::exactly("chunked", steps, client, one("200").bodies(19, 70_002));
}

#[test]
fn many_tiny_chunks_each_in_its_own_write() {
    let pieces = vec!["t"; 2000];
    let body = chunked(&pieces);
    let head = Step::write("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n");
    let steps = vec![Step::ReadHead, head, Step::WriteCut(body.into_bytes(), 6), Step::ReadToEnd];
    let client = |raw: &mut Raw| {
        raw.send(request("GET", "/a", &[]))?;
        raw.read_response().map(drop)
    };
    wire::exactly("tiny-chunks", steps, client, one("200").bodies(0, 2000));
}

#[test]
fn chunk_size_line_split_over_writes() {
    let head = Step::write("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1");
    let rest = format!("0\r\n{}\r", "d".repeat(16));
    let steps = vec![
        Step::ReadHead,
        head,
        Step::Pause(Duration::from_millis(20)),
        Step::write(rest),
        Step::Pause(Duration::from_millis(20)),
        Step::write("\n0\r"),
        Step::Pause(Duration::from_millis(20)),
        Step::write("\n\r\n"),
        // The same connection goes on: the end of the chunked body was found.
        Step::ReadHead,
        Step::Write(ok("again")),
        Step::ReadToEnd,
    ];
    let client = |raw: &mut Raw| {
        for _ in 0..2 {
            raw.send(request("GET", "/a", &[]))?;
            raw.read_response()?;
        }
        Ok(())
    };
    wire::exactly("split-chunk-size", steps, client, Expected::requests(2).bodies(0, 21).outcomes(&[("complete", 2)]));
}

#[test]
fn chunk_extensions_and_trailers_are_framing() {
    let body = "5;name=value;q=\"a;b\"\r\nhello\r\n0;last\r\nTrailer-One: 1\r\nTrailer-Two: 2\r\n\r\n";
    let answer = format!("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nTrailer: Trailer-One\r\n\r\n{body}");
    let steps = vec![Step::ReadHead, Step::Read(body.len()), Step::write(answer), Step::ReadToEnd];
    let client = move |raw: &mut Raw| {
        raw.send(request("PUT", "/a", &["Transfer-Encoding: chunked"]) + body)?;
        raw.read_response().map(drop)
    };
    wire::exactly("extensions-trailers", steps, client, one("200").bodies(5, 5));
}

#[test]
fn aws_chunked_payload_is_the_decoded_length() {
    lab::with_agent("aws-chunked", |lab| {
        let body = "b\r\nhello world\r\n0\r\nx-amz-checksum-crc32:DUoRhQ==\r\n\r\n";
        let server =
            Scripted::start(vec![Step::ReadHead, Step::Read(body.len()), Step::Write(ok("")), Step::ReadToEnd])?;
        let agent = lab.agent(&Config::new().service_with("wire", &[server.port()], "s3", ""))?;
        let mut raw = Raw::connect(server.address)?;
        let length = format!("Content-Length: {}", body.len());
        let headers = [length.as_str(), "Content-Encoding: aws-chunked", "X-Amz-Decoded-Content-Length: 11"];
        raw.send(request("PUT", "/bucket/key", &headers) + body)?;
        raw.read_response()?;
        drop(raw);
        let counts = server.finish()?;
        let metrics = expect::exactly(lab, &agent, "wire", &one("200").bytes(counts.received, counts.sent))?;
        let uploaded = metrics.sum("s3_bytes_uploaded_total", &[("service", "wire")]);
        ensure!(uploaded == 11, "s3_bytes_uploaded_total: expected 11, found {uploaded}");
        Ok(())
    });
}

#[test]
fn answers_without_a_body_are_framed_by_their_status() {
    let answers = [
        ("HEAD", "HTTP/1.1 200 OK\r\nContent-Length: 1000000\r\n\r\n"),
        ("GET", "HTTP/1.1 204 No Content\r\n\r\n"),
        ("GET", "HTTP/1.1 304 Not Modified\r\nContent-Length: 77\r\nETag: \"e\"\r\n\r\n"),
        ("HEAD", "HTTP/1.1 404 Not Found\r\nTransfer-Encoding: chunked\r\n\r\n"),
    ];
    let mut steps: Vec<Step> = answers.iter().flat_map(|(_, text)| [Step::ReadHead, Step::write(text)]).collect();
    steps.extend([Step::ReadHead, Step::Write(ok("end")), Step::ReadToEnd]);
    let client = move |raw: &mut Raw| {
        for (method, _) in answers {
            raw.send(request(method, "/a", &[]))?;
            raw.read_head()?;
        }
        raw.send(request("GET", "/a", &[]))?;
        raw.read_response().map(drop)
    };
    let statuses = [("200", 2), ("204", 1), ("304", 1), ("404", 1)];
    wire::exactly("no-body", steps, client, Expected::requests(5).bodies(0, 3).statuses(&statuses));
}

#[test]
fn interim_answers_belong_to_the_exchange_and_are_not_its_status() {
    let steps = vec![
        Step::ReadHead,
        Step::write("HTTP/1.1 100 Continue\r\n\r\n"),
        Step::Read(3000),
        Step::write("HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n"),
        Step::Pause(Duration::from_millis(10)),
        Step::Write(ok("done")),
        Step::ReadToEnd,
    ];
    let client = |raw: &mut Raw| {
        raw.send(request("PUT", "/a", &["Content-Length: 3000", "Expect: 100-continue"]))?;
        raw.read_head()?;
        raw.send(vec![b'x'; 3000])?;
        raw.read_head()?;
        raw.read_response().map(drop)
    };
    wire::exactly("interim", steps, client, one("200").bodies(3000, 4));
}

#[test]
fn close_delimited_answer_of_http_1_0_ends_with_the_connection() {
    let steps =
        vec![Step::ReadHead, Step::write("HTTP/1.0 200 OK\r\n\r\n"), Step::WriteCut(vec![b'c'; 90_000], 10_000)];
    let client = |raw: &mut Raw| {
        raw.send("GET /a HTTP/1.0\r\n\r\n")?;
        let answer = raw.read_to_end()?;
        ensure!(answer.len() == 90_019, "{}", answer.len());
        Ok(())
    };
    wire::exactly("close-delimited", steps, client, one("200").bodies(0, 90_000));
}

#[test]
fn upgraded_connection_is_opaque_after_the_101() {
    let steps = vec![
        Step::ReadHead,
        Step::write("HTTP/1.1 101 Switching Protocols\r\nUpgrade: echo\r\nConnection: Upgrade\r\n\r\n"),
        Step::Read(41),
        Step::write("GET /not HTTP/1.1\r\n\r\n"),
        Step::ReadToEnd,
    ];
    lab::with_agent("upgrade", |lab| {
        let server = Scripted::start(steps)?;
        let agent = lab.agent(&Config::new().service("wire", server.port()))?;
        let mut raw = Raw::connect(server.address)?;
        raw.send(request("GET", "/chat", &["Connection: Upgrade", "Upgrade: echo"]))?;
        raw.read_head()?;
        raw.send("PUT /not HTTP/1.1\r\nContent-Length: 9\r\n\r\nx")?;
        raw.read_exact(21)?;
        drop(raw);
        let counts = server.finish()?;
        // What follows the 101 looks like HTTP and is not: no second request, and no byte unexplained.
        expect::all_bytes(lab, &agent, "wire", counts.received + counts.sent)?;
        expect::exactly(lab, &agent, "wire", &Expected::requests(1).statuses(&[("101", 1)]))?;
        Ok(())
    });
}

#[test]
fn tunnel_is_opaque_after_connect_was_accepted_and_only_then() {
    let refusal = "HTTP/1.1 405 Method Not Allowed\r\nContent-Length: 5\r\n\r\nnever";
    let steps = vec![
        Step::ReadHead,
        Step::write(refusal),
        Step::ReadHead,
        Step::write("HTTP/1.1 200 OK\r\n\r\n"),
        Step::Read(24),
        Step::write("HTTP/1.1 500 Not\r\n\r\n"),
        Step::ReadToEnd,
    ];
    lab::with_agent("connect", |lab| {
        let server = Scripted::start(steps)?;
        let agent = lab.agent(&Config::new().service("wire", server.port()))?;
        let mut raw = Raw::connect(server.address)?;
        raw.send("CONNECT far:443 HTTP/1.1\r\nHost: far:443\r\n\r\n")?;
        raw.read_exact(refusal.len())?;
        raw.send("CONNECT far:443 HTTP/1.1\r\nHost: far:443\r\n\r\n")?;
        raw.read_head()?;
        raw.send("PUT /not HTTP/1.1\r\n\r\nxyz")?;
        raw.read_exact(20)?;
        drop(raw);
        let counts = server.finish()?;
        expect::all_bytes(lab, &agent, "wire", counts.received + counts.sent)?;
        expect::exactly(lab, &agent, "wire", &Expected::requests(2).statuses(&[("200", 1), ("405", 1)]))?;
        Ok(())
    });
}

#[test]
fn head_of_16_kib_is_read_to_its_end() {
    let filler = format!("X-Filler: {}", "f".repeat(16_000));
    big_head("head-16k", &filler, None);
}

#[test]
fn head_one_byte_at_a_time_is_read_to_its_end() {
    big_head("head-by-byte", "X-Filler: short", Some(1));
}

fn big_head(name: &str, header: &str, cut: Option<usize>) {
    let head = request("PUT", "/a", &[header, "Content-Length: 4"]);
    let steps = vec![Step::ReadHead, Step::Read(4), Step::WriteCut(ok("answer"), cut.unwrap_or(1000)), Step::ReadToEnd];
    let client = move |raw: &mut Raw| {
        raw.send_cut(head.as_bytes(), cut.unwrap_or(head.len()))?;
        raw.send("body")?;
        raw.read_response().map(drop)
    };
    wire::exactly(name, steps, client, one("200").bodies(4, 6));
}

#[test]
fn unusual_method_tokens_are_requests() {
    let steps =
        ["A", "M-SEARCH", "VERSION-CONTROL", "X!#$%&'*+.^_`|~9"].map(|_| [Step::ReadHead, Step::Write(ok("m"))]);
    let steps = steps.into_iter().flatten().chain([Step::ReadToEnd]).collect();
    let client = |raw: &mut Raw| {
        for method in ["A", "M-SEARCH", "VERSION-CONTROL", "X!#$%&'*+.^_`|~9"] {
            raw.send(request(method, "/a", &[]))?;
            raw.read_response()?;
        }
        Ok(())
    };
    wire::exactly("methods", steps, client, Expected::requests(4).outcomes(&[("complete", 4)]));
}

#[test]
fn ipv6_is_counted_like_ipv4() {
    lab::with_agent("ipv6", |lab| -> Result<()> {
        let steps = vec![Step::ReadHead, Step::Write(ok("six")), Step::ReadToEnd];
        let server = Scripted::start_on(std::net::Ipv6Addr::LOCALHOST.into(), steps)?;
        let agent = lab.agent(&Config::new().service("wire", server.port()))?;
        let mut raw = Raw::connect(server.address)?;
        raw.send(request("GET", "/a", &[]))?;
        raw.read_response()?;
        drop(raw);
        let counts = server.finish()?;
        expect::exactly(lab, &agent, "wire", &one("200").bytes(counts.received, counts.sent))?;
        Ok(())
    });
}
