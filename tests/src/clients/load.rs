//! A load generator that sends an exact number of requests over keep-alive connections and counts every byte.
//!
//! One thread, epoll, one request in flight per connection. With a rate it offers load: latency counts from the moment at
//! which a request was due, so a stalled server cannot hide its stalls.

use std::io::{self, Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};

use super::epoll::Epoll;

#[derive(Clone, Debug)]
pub struct Load {
    pub address: SocketAddr,
    /// One whole request, head and body.
    pub request: Vec<u8>,
    pub connections: usize,
    pub requests: u64,
    /// Requests per second offered; as fast as possible without it.
    pub rate: Option<f64>,
}

#[derive(Clone, Debug, Default)]
pub struct Report {
    pub requests: u64,
    pub bytes_sent: u64,
    pub bytes_received: u64,
    pub body_bytes_received: u64,
    pub elapsed: Duration,
    /// Sorted, in nanoseconds.
    pub latencies_ns: Vec<u64>,
}

impl Report {
    pub fn per_second(&self) -> f64 {
        self.requests as f64 / self.elapsed.as_secs_f64()
    }
}

struct Connection {
    stream: TcpStream,
    /// Bytes of the answer so far: a head that is not complete, or the number of body bytes still to come.
    head: Vec<u8>,
    body_left: Option<u64>,
    due: Instant,
    busy: bool,
}

/// Runs the load to its end. Any answer but 2xx, and any close, is an error: the counts would not be what was asked.
pub fn run(load: &Load) -> Result<Report> {
    let mut run = Run::new(load)?;
    let start = Instant::now();
    let mut idle: Vec<usize> = (0..run.connections.len()).collect();
    let mut started = 0;
    while run.report.requests < load.requests {
        while started < load.requests && !idle.is_empty() {
            let due =
                load.rate.map_or_else(Instant::now, |rate| start + Duration::from_secs_f64(started as f64 / rate));
            if due > Instant::now() {
                break;
            }
            run.send(idle.pop().context("an idle connection")?, due)?;
            started += 1;
        }
        let next = load.rate.filter(|_| started < load.requests && !idle.is_empty());
        let wait = next.map(|rate| {
            (start + Duration::from_secs_f64(started as f64 / rate)).saturating_duration_since(Instant::now())
        });
        run.receive(wait, &mut idle)?;
    }
    run.report.elapsed = start.elapsed();
    run.report.latencies_ns.sort_unstable();
    Ok(run.report)
}

struct Run<'a> {
    load: &'a Load,
    connections: Vec<Connection>,
    epoll: Epoll,
    buffer: Vec<u8>,
    report: Report,
}

impl<'a> Run<'a> {
    fn new(load: &'a Load) -> Result<Self> {
        let epoll = Epoll::new(load.connections)?;
        let mut connections = Vec::with_capacity(load.connections);
        for index in 0..load.connections {
            let stream = TcpStream::connect(load.address).with_context(|| format!("connect to {}", load.address))?;
            stream.set_nodelay(true)?;
            stream.set_nonblocking(true)?;
            epoll.add(&stream, index as u64)?;
            connections.push(Connection {
                stream,
                head: Vec::new(),
                body_left: None,
                due: Instant::now(),
                busy: false,
            });
        }
        let report = Report { latencies_ns: Vec::with_capacity(load.requests as usize), ..Report::default() };
        Ok(Self { load, connections, epoll, buffer: vec![0; 1 << 18], report })
    }

    /// Writes one request. A large one waits for room right here: one client thread, so nothing else is held up unfairly.
    fn send(&mut self, index: usize, due: Instant) -> Result<()> {
        let connection = &mut self.connections[index];
        (connection.due, connection.busy) = (due, true);
        let mut rest = self.load.request.as_slice();
        while !rest.is_empty() {
            match connection.stream.write(rest) {
                Ok(count) => rest = &rest[count..],
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => std::thread::yield_now(),
                Err(error) => return Err(error).context("send a request"),
            }
        }
        self.report.bytes_sent += self.load.request.len() as u64;
        Ok(())
    }

    fn receive(&mut self, wait: Option<Duration>, idle: &mut Vec<usize>) -> Result<()> {
        let ready = self.epoll.wait(wait)?;
        for index in ready {
            let index = index as usize;
            let connection = &mut self.connections[index];
            let got = match connection.stream.read(&mut self.buffer) {
                Ok(got) => got,
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => continue,
                Err(error) => return Err(error).context("read an answer"),
            };
            ensure!(got > 0 && connection.busy, "the server closed a connection (busy: {})", connection.busy);
            self.report.bytes_received += got as u64;
            if take(connection, &self.buffer[..got], &mut self.report)? {
                connection.busy = false;
                self.report.latencies_ns.push(connection.due.elapsed().as_nanos() as u64);
                self.report.requests += 1;
                idle.push(index);
            }
        }
        Ok(())
    }
}

/// Moves the connection on by some bytes; true at the end of the answer.
fn take(connection: &mut Connection, bytes: &[u8], report: &mut Report) -> Result<bool> {
    let body = match connection.body_left {
        Some(left) => left.checked_sub(bytes.len() as u64).context("more than Content-Length announced")?,
        None if connection.head.is_empty() => match read_head(bytes, report)? {
            Some(left) => left,
            None => {
                connection.head.extend_from_slice(bytes);
                return Ok(false);
            }
        },
        None => {
            connection.head.extend_from_slice(bytes);
            let Some(left) = read_head(&connection.head, report)? else { return Ok(false) };
            connection.head.clear();
            left
        }
    };
    connection.body_left = (body > 0).then_some(body);
    Ok(body == 0)
}

/// Body bytes still to come after these, or nothing while the head is not complete.
fn read_head(bytes: &[u8], report: &mut Report) -> Result<Option<u64>> {
    let mut headers = [httparse::EMPTY_HEADER; 64];
    let mut response = httparse::Response::new(&mut headers);
    let httparse::Status::Complete(head) = response.parse(bytes)? else { return Ok(None) };
    let code = response.code.unwrap_or(0);
    ensure!((200..300).contains(&code), "answer {code}");
    let length = response.headers.iter().find(|header| header.name.eq_ignore_ascii_case("content-length"));
    let length = length.map_or(Ok(0), |header| std::str::from_utf8(header.value)?.parse::<u64>().context("length"))?;
    report.body_bytes_received += length;
    let there = (bytes.len() - head) as u64;
    Ok(Some(length.checked_sub(there).context("more than Content-Length announced")?))
}
