//! tcpdump on loopback: when the bytes of a request and of its answer were on the wire.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, ensure};

use crate::process::Process;
use crate::wait;
use crate::workdir::Workdir;

pub struct Tcpdump {
    process: Process,
    file: PathBuf,
    server_port: u16,
}

/// Times of one exchange, in nanoseconds since the epoch.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Exchange {
    pub request_first_ns: u64,
    pub request_last_ns: u64,
    pub response_first_ns: u64,
    pub response_last_ns: u64,
}

/// A segment with payload.
#[derive(Clone, Copy, Debug)]
struct Segment {
    time_ns: u64,
    client_port: u16,
    is_request: bool,
}

impl Tcpdump {
    pub fn start(workdir: &Workdir, server_port: u16) -> Result<Self> {
        let file = workdir.join("lo.pcap");
        let mut command = Command::new("tcpdump");
        command.args(["-i", "lo", "-n", "-U", "--immediate-mode", "-B", "32768", "-s", "128"]);
        command.args(["--time-stamp-precision", "nano", "-Z", "root", "-w"]).arg(&file);
        command.arg(format!("tcp port {server_port}"));
        let process = Process::spawn("tcpdump", command, workdir)?;
        wait::until("tcpdump listens", wait::WIDE, || process.log().contains("listening on").then_some(()))?;
        Ok(Self { process, file, server_port })
    }

    /// Stops once `count` exchanges are in the file; they are in the order of their first byte.
    pub fn finish(mut self, count: usize) -> Result<Vec<Exchange>> {
        let (file, port) = (self.file.clone(), self.server_port);
        wait::until(&format!("{count} exchanges in the capture"), wait::WIDE, || {
            exchanges(&file, port).ok().filter(|found| found.len() >= count)
        })?;
        self.process.stop(libc::SIGINT, wait::WIDE)?;
        ensure!(self.process.log().contains("0 packets dropped"), "tcpdump lost packets:\n{}", self.process.log());
        exchanges(&self.file, self.server_port)
    }
}

/// Splits each connection at the turns of direction: good for clients that do not pipeline and servers without 1xx.
fn exchanges(file: &Path, server_port: u16) -> Result<Vec<Exchange>> {
    let mut open: BTreeMap<u16, Exchange> = BTreeMap::new();
    let mut done = Vec::new();
    for segment in segments(&std::fs::read(file)?, server_port)? {
        let exchange = open.entry(segment.client_port).or_default();
        if segment.is_request {
            if exchange.response_first_ns != 0 {
                done.push(std::mem::take(exchange));
            }
            if exchange.request_first_ns == 0 {
                exchange.request_first_ns = segment.time_ns;
            }
            exchange.request_last_ns = segment.time_ns;
        } else if exchange.request_first_ns != 0 {
            if exchange.response_first_ns == 0 {
                exchange.response_first_ns = segment.time_ns;
            }
            exchange.response_last_ns = segment.time_ns;
        }
    }
    done.extend(open.into_values().filter(|exchange| exchange.response_first_ns != 0));
    done.sort_by_key(|exchange| exchange.request_first_ns);
    Ok(done)
}

/// The pcap format with nanoseconds (magic a1b23c4d), Ethernet frames as `lo` has them.
fn segments(file: &[u8], server_port: u16) -> Result<Vec<Segment>> {
    let word = |at: usize| -> Result<u64> {
        let bytes = file.get(at..at + 4).context("short file")?;
        Ok(u64::from(u32::from_le_bytes(bytes.try_into()?)))
    };
    ensure!(word(0)? == 0xa1b2_3c4d, "no pcap file with nanoseconds");
    ensure!(word(20)? == 1, "not Ethernet");
    let mut found = Vec::new();
    let mut at = 24;
    // The last packet may be half written while tcpdump runs.
    while at + 16 <= file.len() {
        let (seconds, nanos, kept) = (word(at)?, word(at + 4)?, word(at + 8)? as usize);
        let Some(frame) = file.get(at + 16..at + 16 + kept) else { break };
        if let Some(segment) = segment(frame, server_port, seconds * 1_000_000_000 + nanos) {
            found.push(segment);
        }
        at += 16 + kept;
    }
    Ok(found)
}

/// Reads Ethernet, IPv4 or IPv6 (RFC 791, 8200) and TCP (RFC 9293); nothing for a segment without payload.
fn segment(frame: &[u8], server_port: u16, time_ns: u64) -> Option<Segment> {
    let half = |at: usize| Some(u16::from_be_bytes([*frame.get(at)?, *frame.get(at + 1)?]));
    let (tcp, ip_payload) = match half(12)? {
        0x0800 => {
            let head = usize::from(frame.get(14)? & 0x0f) * 4;
            (14 + head, usize::from(half(16)?).checked_sub(head)?)
        }
        0x86dd => (54, usize::from(half(18)?)),
        _ => return None,
    };
    let tcp_head = usize::from(frame.get(tcp + 12)? >> 4) * 4;
    if ip_payload.checked_sub(tcp_head)? == 0 {
        return None;
    }
    let (from, to) = (half(tcp)?, half(tcp + 2)?);
    let is_request = to == server_port;
    Some(Segment { time_ns, client_port: if is_request { from } else { to }, is_request })
}
