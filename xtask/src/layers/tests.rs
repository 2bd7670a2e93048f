//! Good and bad sample sources, judged by all rules.

use super::{Source, check};

/// The findings in one sample file, as `line: what`.
fn judged(path: &str, text: &str) -> Vec<String> {
    judged_all(&[(path, text)])
}

fn judged_all(files: &[(&str, &str)]) -> Vec<String> {
    let sources: Vec<_> =
        files.iter().map(|(path, text)| Source { path: (*path).into(), text: (*text).into() }).collect();
    let findings = check(&sources).expect("samples parse");
    findings.iter().map(|finding| format!("{}: {}", finding.line, finding.what)).collect()
}

#[track_caller]
fn good(path: &str, text: &str) {
    assert_eq!(judged(path, text), Vec::<String>::new());
}

#[track_caller]
fn bad(path: &str, text: &str, expected: &[&str]) {
    assert_eq!(judged(path, text), expected);
}

const DECODE: &str = "hippius-agent/src/decode/http1.rs";
const EXCHANGE: &str = "hippius-agent/src/exchange/mod.rs";
const RECORD: &str = "hippius-agent/src/record/mod.rs";

#[test]
fn a_stage_uses_what_is_on_its_left() {
    good(EXCHANGE, "use crate::{config::Limits, connection::Turn, decode::http1};");
    good(RECORD, "use crate::poll::Sample; use hippius_common::Reason;");
    good("hippius-agent/src/pipeline.rs", "use crate::{export, kernel, record};");
}

#[test]
fn a_stage_uses_nothing_on_its_right() {
    bad(EXCHANGE, "use crate::attribute::Account;", &["1: `crate::attribute::Account`"]);
    bad(EXCHANGE, "\nuse crate::{decode::X, record::{self, Y}};", &["2: `crate::record::Y`", "2: `crate::record`"]);
    bad(EXCHANGE, "fn f(_: &hippius_agent::record::X) {}", &["1: `hippius_agent::record::X`"]);
    bad(DECODE, "use super::super::exchange::Outcome;", &["1: `crate::exchange::Outcome`"]);
    bad(DECODE, "use crate::pipeline::Pipeline;", &["1: `crate::pipeline::Pipeline`"]);
    bad(EXCHANGE, "mod inner { use super::super::record::X; }", &["1: `crate::record::X`"]);
}

#[test]
fn poll_joins_at_record_and_config_knows_no_stage() {
    bad("hippius-agent/src/poll/redis.rs", "use crate::record::X;", &["1: `crate::record::X`"]);
    bad("hippius-agent/src/classify/mod.rs", "use crate::poll::Sample;", &["1: `crate::poll::Sample`"]);
    bad("hippius-agent/src/config/mod.rs", "use crate::classify::Rule;", &["1: `crate::classify::Rule`"]);
}

#[test]
fn a_module_without_a_place_is_refused() {
    bad(DECODE, "use crate::util::x;", &["1: `crate::util::x`"]);
    bad("hippius-agent/src/util.rs", "use crate::decode::X;", &["1: `crate::decode::X`"]);
    good(DECODE, "use crate::version;");
}

#[test]
fn pure_stages_do_no_io_and_read_no_clock() {
    bad(DECODE, "use std::{fs, net::TcpStream};", &["1: `std::fs`", "1: `std::net::TcpStream`"]);
    bad(DECODE, "use std::time;\nfn f() { time::Instant::now(); }", &["2: `std::time::Instant::now`"]);
    bad(DECODE, "use std::time::SystemTime as T;\nfn f() { T::now(); }", &["2: `std::time::SystemTime::now`"]);
    bad(DECODE, "fn f(i: X) {\n i.elapsed(); }", &["2: `.elapsed`"]);
    bad(EXCHANGE, "fn f() {\n println!(\"{}\", tokio::spawn(x)); }", &["2: `tokio::spawn`"]);
    bad("hippius-agent/src/attribute/rules/sigv4.rs", "use redis::Client;", &["1: `redis::Client`"]);
    bad(RECORD, "use tokio::sync::mpsc;", &["1: `tokio::sync::mpsc`"]);
}

#[test]
fn io_lives_where_it_may() {
    good("hippius-agent/src/attribute/store/redis.rs", "use redis::Client; use std::time::Instant;");
    good("hippius-agent/src/kernel/loader.rs", "use aya::Ebpf; fn f() { std::fs::read(x); }");
    good("hippius-agent/src/pipeline.rs", "use tokio::sync::mpsc;");
    bad("hippius-agent/src/pipeline.rs", "use tokio::net::TcpStream;", &["1: `tokio::net::TcpStream`"]);
    good(DECODE, "use std::net::{IpAddr, SocketAddr}; use std::time::{Duration, Instant};");
}

#[test]
fn unsafe_lives_in_the_kernel_modules() {
    let text = "fn f() {\n unsafe { g() } }";
    bad(DECODE, text, &["2: `unsafe`"]);
    bad("hippius-ebpf/src/capture/head.rs", text, &["2: `unsafe`"]);
    good("hippius-agent/src/kernel/ring.rs", text);
    good("hippius-ebpf/src/hooks/send.rs", text);
    bad(DECODE, "unsafe impl Send for X {}", &["1: `unsafe`"]);
    bad(DECODE, "macro_rules! m { () => { unsafe { g() } } }", &["1: `unsafe`"]);
}

#[test]
fn capture_knows_nothing_of_the_kernel() {
    let capture = "hippius-ebpf/src/capture/head.rs";
    bad(capture, "use aya_ebpf::programs::FEntryContext;", &["1: `aya_ebpf::programs::FEntryContext`"]);
    good("hippius-ebpf/src/emit.rs", "use aya_ebpf::maps::RingBuf;");
}

#[test]
fn tests_may_do_what_their_stage_may_not() {
    good(DECODE, "#[cfg(test)] mod tests { use std::fs; fn f() { crate::record::x(); } }");
    good(DECODE, "#[test] fn f() { std::fs::read(x); }");
    bad(DECODE, "#[cfg(not(test))] use std::fs;", &["1: `std::fs`"]);
    let declared = ("hippius-agent/src/decode/mod.rs", "#[cfg(test)] mod samples;");
    let file = ("hippius-agent/src/decode/samples.rs", "use std::fs;");
    assert!(judged_all(&[declared, file]).is_empty());
    assert_eq!(judged_all(&[("hippius-agent/src/decode/mod.rs", "mod samples;"), file]).len(), 1);
}

#[test]
fn unfinished_work_is_refused_everywhere() {
    bad("tests/src/lib.rs", "#[test]\n#[ignore = \"slow\"]\nfn f() {}", &["2: `#[ignore]`"]);
    bad("xtask/src/x.rs", "fn f() { todo!() }", &["1: `todo!`"]);
    bad("xtask/src/x.rs", "fn f() { vec![std::unimplemented!()]; }", &["1: `unimplemented!`"]);
    good("xtask/src/x.rs", "/// #[ignore] and todo!() in words\nfn f() { let _ = \"todo!()\"; }");
}
