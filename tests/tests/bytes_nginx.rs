//! nginx and real files: ranges, sendfile, slow readers, pipelines, objects beyond 32 bits.

use anyhow::{Result, ensure};
use hippius_tests::agent::Agent;
use hippius_tests::clients::curl;
use hippius_tests::clients::raw::{Raw, header, request};
use hippius_tests::config::Config;
use hippius_tests::expect::{self, Expected};
use hippius_tests::lab::{self, Lab};
use hippius_tests::servers::hyper;
use hippius_tests::servers::nginx::Nginx;
use hippius_tests::watched::{self, all_agree};

fn with_nginx(name: &str, test: impl FnOnce(&Lab, &Nginx, &Agent) -> Result<()>) {
    lab::with_agent(name, |lab| watched::nginx(lab, test));
}

#[test]
fn range_counts_the_part_that_was_sent() {
    with_nginx("range", |lab, nginx, agent| {
        let mut raw = Raw::connect(nginx.server.address())?;
        raw.send(request("GET", "/files/65536", &["Range: bytes=100-299"]))?;
        let (head, body) = raw.read_response()?;
        ensure!(body.len() == 200, "{head}");
        raw.send(request("GET", "/files/65536", &["Range: bytes=0-9,20-29"]))?;
        let (_, parts) = raw.read_response()?;
        raw.send(request("GET", "/files/1024", &["Range: bytes=5000-"]))?;
        let (_, refusal) = raw.read_response()?;
        let bodies = (body.len() + parts.len() + refusal.len()) as u64;
        let expected = Expected::requests(3).bodies(0, bodies).statuses(&[("206", 2), ("416", 1)]);
        all_agree(lab, nginx, agent, (raw.sent, raw.received), expected)
    });
}

#[test]
fn sendfile_of_ten_mebibytes() {
    with_nginx("sendfile", |lab, nginx, agent| {
        let mut raw = Raw::connect(nginx.server.address())?;
        for _ in 0..3 {
            raw.send(request("GET", "/files/10485760", &[]))?;
            raw.read_response()?;
        }
        all_agree(lab, nginx, agent, (raw.sent, raw.received), Expected::requests(3).bodies(0, 3 * (10 << 20)))
    });
}

#[test]
fn slow_reader_makes_partial_writes() {
    with_nginx("slow-reader", |lab, nginx, agent| {
        let mut raw = Raw::connect(nginx.server.address())?;
        raw.receive_buffer(4096)?;
        raw.send(request("GET", "/files/1048576", &[]))?;
        let head = raw.read_head()?;
        ensure!(header(&head, "content-length") == Some("1048576"), "{head}");
        for _ in 0..16 {
            raw.discard(65_536)?;
            raw.pause(std::time::Duration::from_millis(3));
        }
        all_agree(lab, nginx, agent, (raw.sent, raw.received), Expected::requests(1).bodies(0, 1 << 20))
    });
}

#[test]
fn chunked_answer_of_nginx() {
    with_nginx("nginx-chunked", |lab, nginx, agent| {
        let mut raw = Raw::connect(nginx.server.address())?;
        raw.send(request("GET", "/chunked/1048576", &[]))?;
        let (head, body) = raw.read_response()?;
        ensure!(header(&head, "transfer-encoding") == Some("chunked") && body.len() == 1 << 20, "{head}");
        all_agree(lab, nginx, agent, (raw.sent, raw.received), Expected::requests(1).bodies(0, 1 << 20))
    });
}

#[test]
fn close_delimited_answer_of_nginx_to_http_1_0() {
    with_nginx("nginx-close-delimited", |lab, nginx, agent| {
        let mut raw = Raw::connect(nginx.server.address())?;
        raw.send("GET /chunked/65536 HTTP/1.0\r\n\r\n")?;
        raw.read_to_end()?;
        all_agree(lab, nginx, agent, (raw.sent, raw.received), Expected::requests(1).bodies(0, 65_536))
    });
}

#[test]
fn sixteen_pipelined_gets() {
    with_nginx("pipelined-gets", |lab, nginx, agent| {
        let mut raw = Raw::connect(nginx.server.address())?;
        for _ in 0..50 {
            raw.send(request("GET", "/k1", &[]).repeat(16))?;
            for _ in 0..16 {
                raw.read_response()?;
            }
        }
        let expected = Expected::requests(800).bodies(0, 800 * 1024).outcomes(&[("complete", 800)]);
        all_agree(lab, nginx, agent, (raw.sent, raw.received), expected)
    });
}

/// The heads of the later uploads lie in the middle of calls, beyond what was copied.
#[test]
fn pipelined_puts_whose_heads_lie_in_mid_call() {
    with_nginx("pipelined-puts", |lab, nginx, agent| {
        let mut raw = Raw::connect(nginx.server.address())?;
        let put =
            |number: usize| request("PUT", &format!("/dav/{number}"), &["Content-Length: 9000"]) + &"p".repeat(9000);
        raw.send((0..8).map(put).collect::<String>())?;
        for _ in 0..8 {
            raw.read_response()?;
        }
        let expected = Expected::requests(8).bodies(72_000, 0).statuses(&[("201", 8)]);
        all_agree(lab, nginx, agent, (raw.sent, raw.received), expected)
    });
}

#[test]
fn upload_of_curl_with_expect() {
    with_nginx("curl-upload", |lab, nginx, agent| {
        let file = lab.workdir.write("upload", vec![b'u'; 3_000_000])?;
        let address = format!("http://{}/dav/up", nginx.server.address());
        let answer = curl::curl(&["-H", "Expect: 100-continue", "-T", &file.display().to_string(), &address])?;
        let moved = (answer.head_sent + answer.body_sent, answer.head_received + answer.body_received);
        all_agree(lab, nginx, agent, moved, Expected::requests(1).bodies(3_000_000, 0).statuses(&[("201", 1)]))
    });
}

const FIVE_GIB: u64 = 5 << 30;

#[test]
fn object_beyond_32_bits_comes_down() {
    with_nginx("five-gib-down", |lab, nginx, agent| {
        let folder = lab.workdir.join("www/big");
        std::fs::create_dir_all(&folder)?;
        // Sparse: it takes no room on the disk.
        std::fs::File::create(folder.join("object"))?.set_len(FIVE_GIB)?;
        let mut raw = Raw::connect(nginx.server.address())?;
        raw.send(request("GET", "/big/object", &[]))?;
        raw.read_head()?;
        raw.discard(FIVE_GIB)?;
        all_agree(lab, nginx, agent, (raw.sent, raw.received), Expected::requests(1).bodies(0, FIVE_GIB))
    });
}

#[test]
fn object_beyond_32_bits_goes_up() {
    lab::with_agent("five-gib-up", |lab| {
        let server = hyper(&lab.workdir)?;
        let agent = lab.agent(&Config::new().service("hyper", server.port))?;
        let mut raw = Raw::connect(server.address())?;
        raw.send(request("PUT", "/", &[&format!("Content-Length: {FIVE_GIB}")]))?;
        let block = vec![0; 1 << 20];
        for _ in 0..FIVE_GIB >> 20 {
            raw.send(&block)?;
        }
        let (_, body) = raw.read_response()?;
        ensure!(body == FIVE_GIB.to_string().as_bytes(), "the server read another number of bytes");
        let expected = Expected::requests(1).bytes(raw.sent, raw.received).bodies(FIVE_GIB, body.len() as u64);
        expect::exactly(lab, &agent, "hyper", &expected)?;
        Ok(())
    });
}
