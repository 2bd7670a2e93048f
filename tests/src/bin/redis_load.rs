//! A client of Redis for the benchmark: pipelines of `SET` and `GET` in turns, over some connections in one thread, as fast
//! as they are answered or at an offered rate. Every byte of the answers is compared.
//!
//! Usage: redis_load PORT CONNECTIONS PIPELINE. Each line of the input, `BATCHES [COMMANDS-PER-SECOND]`, is a run over new
//! connections; the seconds that it took are printed. A batch is one pipeline on each connection.

use std::io::{Read as _, Write as _};
use std::net::{Ipv4Addr, TcpStream};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail, ensure};

const VALUE: [u8; 100] = [b'v'; 100];

fn main() -> Result<()> {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let [port, connections, pipeline] = numbers(&words.join(" "))?[..] else {
        bail!("usage: redis_load PORT CONNECTIONS PIPELINE")
    };
    for line in std::io::stdin().lines() {
        let (batches, rate) = match numbers(&line?)?[..] {
            [batches] => (batches, None),
            [batches, rate] => (batches, Some(rate)),
            _ => bail!("BATCHES [COMMANDS-PER-SECOND]"),
        };
        let pause = rate.map(|rate| Duration::from_secs_f64((connections * pipeline) as f64 / rate as f64));
        println!("{}", run(u16::try_from(port)?, connections, pipeline, batches, pause)?.as_secs_f64());
    }
    Ok(())
}

fn numbers(text: &str) -> Result<Vec<u64>> {
    text.split_whitespace().map(|word| word.parse().with_context(|| format!("{word} is no number"))).collect()
}

fn run(port: u16, connections: u64, pipeline: u64, batches: u64, pause: Option<Duration>) -> Result<Duration> {
    let mut streams = Vec::new();
    for _ in 0..connections {
        let stream = TcpStream::connect((Ipv4Addr::LOCALHOST, port))?;
        stream.set_nodelay(true)?;
        stream.set_read_timeout(Some(Duration::from_secs(60)))?;
        streams.push(stream);
    }
    let (question, answer) = batch(pipeline);
    let mut found = vec![0; answer.len()];
    let start = Instant::now();
    for number in 0..batches {
        if let Some(pause) = pause {
            // From the start, so that what came late is caught up with.
            let due = start + pause.mul_f64(number as f64);
            std::thread::sleep(due.saturating_duration_since(Instant::now()));
        }
        for stream in &mut streams {
            stream.write_all(&question)?;
        }
        for stream in &mut streams {
            stream.read_exact(&mut found).context("answers")?;
            ensure!(found == answer, "another answer: {}", String::from_utf8_lossy(&found));
        }
    }
    Ok(start.elapsed())
}

/// So many commands, and what the server answers.
fn batch(commands: u64) -> (Vec<u8>, Vec<u8>) {
    let (mut question, mut answer) = (Vec::new(), Vec::new());
    for number in 0..commands {
        let key = format!("key:{:012}", number / 2);
        let (length, value) = (key.len(), String::from_utf8_lossy(&VALUE));
        if number % 2 == 0 {
            let set = format!("*3\r\n$3\r\nSET\r\n${length}\r\n{key}\r\n$100\r\n{value}\r\n");
            question.extend_from_slice(set.as_bytes());
            answer.extend_from_slice(b"+OK\r\n");
        } else {
            question.extend_from_slice(format!("*2\r\n$3\r\nGET\r\n${length}\r\n{key}\r\n").as_bytes());
            answer.extend_from_slice(format!("$100\r\n{value}\r\n").as_bytes());
        }
    }
    (question, answer)
}
