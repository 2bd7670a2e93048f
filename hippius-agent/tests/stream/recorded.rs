//! Recorded streams of records, and the events that they become. Both are kept as files: `recorded/NAME.records` has a
//! record a line (ring or sweep, the header in hexadecimal, the captured bytes escaped), `recorded/NAME.events` what is
//! expected. After a change of the record's layout, `RECORD_AGAIN=1 cargo test --test stream recorded` writes them anew;
//! read the difference before you keep it.

use std::fmt::Write as _;
use std::path::PathBuf;

use hippius_common::flow::FlowHeader;

use crate::agent::Agent;
use crate::script::{Script, Step};
use crate::socket::Socket;

const OK: &str = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";

fn streams() -> [(&'static str, Script); 4] {
    let put = "PUT /b/k HTTP/1.1\r\nContent-Length: 6\r\nExpect: 100-continue\r\n\r\n";
    [
        (
            "keep_alive",
            Script::new()
                .recv("GET /0 HTTP/1.1\r\n\r\n")
                .send(OK)
                .recv("HEAD /1 HTTP/1.1\r\n\r\n")
                .send("HTTP/1.1 404 Not Found\r\nContent-Length: 9\r\n\r\n")
                .close(),
        ),
        (
            "upload",
            Script::new().recv(put).send("HTTP/1.1 100 Continue\r\n\r\n").recv("abc").recv("def").send(OK).close(),
        ),
        (
            "pipelined",
            Script::new()
                .recv("GET /0 HTTP/1.1\r\n\r\nGET /1 HTTP/1.1\r\n\r\nGET /2 HT")
                .send([OK, OK].concat())
                .recv("TP/1.1\r\n\r\n")
                .send("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhel")
                .then(Step::Close(104)),
        ),
        (
            "lost",
            Script::joined()
                .send("the end of something")
                .recv("GET /0 HTTP/1.1\r\n\r\n")
                .then(Step::UnreadableOut(40))
                .recv("GET /1 HTTP/1.1\r\n\r\n")
                .send(OK)
                .close(),
        ),
    ]
}

fn path(name: &str, kind: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/stream/recorded").join(format!("{name}.{kind}"))
}

/// What the agent's stages say about a file of records.
fn events(records: &str) -> String {
    let mut agent = Agent::default();
    for line in records.lines() {
        let mut words = line.splitn(3, ' ');
        let is_sweep = words.next() == Some("sweep");
        let mut record = unhex(words.next().expect("a header"));
        record.extend(unescape(words.next().unwrap_or_default()));
        agent.take(&record, is_sweep);
    }
    agent.journal.join("\n") + "\n"
}

fn line(kind: &str, record: &[u8]) -> String {
    let (header, capture) = record.split_at(size_of::<FlowHeader>());
    let hex = header.iter().fold(String::new(), |mut hex, byte| {
        let _ = write!(hex, "{byte:02x}");
        hex
    });
    format!("{kind} {hex} {}\n", capture.escape_ascii())
}

fn unhex(hex: &str) -> Vec<u8> {
    let digits: Vec<u8> = hex.chars().map(|digit| digit.to_digit(16).expect("a digit") as u8).collect();
    digits.chunks(2).map(|pair| pair[0] << 4 | pair[1]).collect()
}

/// Undoes `escape_ascii` as far as the streams here need it.
fn unescape(text: &str) -> Vec<u8> {
    text.replace("\\r", "\r").replace("\\n", "\n").into_bytes()
}

#[test]
fn recorded_streams_become_the_expected_events() {
    if std::env::var_os("RECORD_AGAIN").is_some() {
        record_again();
    }
    for (name, _) in streams() {
        let records = std::fs::read_to_string(path(name, "records")).expect("the records");
        let expected = std::fs::read_to_string(path(name, "events")).expect("the events");
        assert_eq!(events(&records), expected, "{name}");
    }
}

/// Writes the files that the test compares with.
fn record_again() {
    for (name, script) in streams() {
        let mut socket = if script.joined { Socket::joined() } else { Socket::fresh() };
        let (mut records, mut taken) = (String::new(), 0);
        for (index, step) in script.steps.iter().enumerate() {
            socket.take(step, (index as u64 + 1) * 1_000_000);
            for record in &socket.ring[taken..] {
                records += &line("ring", record);
            }
            taken = socket.ring.len();
            if !matches!(step, Step::Close(_)) {
                records += &line("sweep", &socket.frame());
            }
        }
        std::fs::write(path(name, "events"), events(&records)).expect("written");
        std::fs::write(path(name, "records"), records).expect("written");
    }
}
