//! A server that plays a script on one connection: the only way to get bytes on the wire that no real server writes.

use std::io::{self, Read as _, Write as _};
use std::net::{IpAddr, Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::os::unix::net::UnixListener;
use std::path::Path;
use std::thread::JoinHandle;
use std::time::Duration;

use anyhow::{Context, Result, anyhow, ensure};

use crate::clients::raw::set_option;
use crate::{ports, sockets, wait};

#[derive(Clone, Debug)]
pub enum Step {
    /// Reads up to and including an empty line.
    ReadHead,
    /// Reads exactly so many bytes.
    Read(usize),
    /// Reads until the client closes.
    ReadToEnd,
    Write(Vec<u8>),
    /// Writes in pieces of so many bytes, one call each.
    WriteCut(Vec<u8>, usize),
    /// Writes so many bytes, or until the client is gone.
    WriteRefused(usize),
    Pause(Duration),
    /// Closes with RST.
    Reset,
}

impl Step {
    pub fn write(bytes: impl AsRef<[u8]>) -> Self {
        Self::Write(bytes.as_ref().to_vec())
    }
}

/// Bytes that the server's calls returned.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Counts {
    pub received: u64,
    pub sent: u64,
}

pub struct Scripted {
    pub address: SocketAddr,
    thread: JoinHandle<Result<Counts>>,
}

impl Scripted {
    /// Listens now and plays the script on the first connection; the end of the script closes it.
    pub fn start(steps: Vec<Step>) -> Result<Self> {
        Self::start_on(Ipv4Addr::LOCALHOST.into(), steps)
    }

    pub fn start_on(address: IpAddr, steps: Vec<Step>) -> Result<Self> {
        let listener = TcpListener::bind((address, ports::free()))?;
        let address = listener.local_addr()?;
        let accept = move || {
            let (stream, _) = listener.accept()?;
            stream.set_nodelay(true)?;
            Ok(stream)
        };
        Ok(Self { address, ..Self::start_with(address.port(), steps, accept) })
    }

    /// The same on a Unix socket.
    pub fn start_unix(path: &Path, steps: Vec<Step>) -> Result<Self> {
        let listener = UnixListener::bind(path)?;
        Ok(Self::start_with(0, steps, move || sockets::unix_accept(&listener)))
    }

    /// On whatever accepts.
    pub fn start_with(
        port: u16,
        steps: Vec<Step>,
        accept: impl FnOnce() -> io::Result<TcpStream> + Send + 'static,
    ) -> Self {
        let thread = std::thread::spawn(move || play(accept()?, &steps));
        Self { address: (Ipv4Addr::LOCALHOST, port).into(), thread }
    }

    pub fn port(&self) -> u16 {
        self.address.port()
    }

    /// Waits for the end of the script.
    pub fn finish(self) -> Result<Counts> {
        self.thread.join().map_err(|_| anyhow!("the scripted server panicked"))?
    }
}

fn play(mut stream: TcpStream, steps: &[Step]) -> Result<Counts> {
    stream.set_read_timeout(Some(wait::WIDE))?;
    let mut counts = Counts::default();
    let mut ahead = Vec::new();
    for step in steps {
        play_step(&mut stream, step, &mut counts, &mut ahead).with_context(|| format!("{step:?}"))?;
    }
    Ok(counts)
}

fn play_step(stream: &mut TcpStream, step: &Step, counts: &mut Counts, ahead: &mut Vec<u8>) -> Result<()> {
    match step {
        Step::ReadHead => loop {
            if let Some(at) = ahead.windows(4).position(|four| four == b"\r\n\r\n") {
                ahead.drain(..at + 4);
                return Ok(());
            }
            ensure!(fill(stream, counts, ahead)? > 0, "closed in mid-head");
        },
        Step::Read(count) => {
            while ahead.len() < *count {
                ensure!(fill(stream, counts, ahead)? > 0, "closed {} of {count} bytes in", ahead.len());
            }
            ahead.drain(..*count);
        }
        Step::ReadToEnd => {
            // A reset ends the reading as well.
            while fill(stream, counts, ahead).is_ok_and(|got| got > 0) {}
            ahead.clear();
        }
        Step::Write(bytes) => write(stream, counts, bytes)?,
        Step::WriteCut(bytes, size) => {
            for piece in bytes.chunks(*size) {
                write(stream, counts, piece)?;
            }
        }
        Step::WriteRefused(count) => {
            // The error is what is waited for.
            let _ = write(stream, counts, &vec![b'r'; *count]);
        }
        Step::Pause(time) => std::thread::sleep(*time),
        Step::Reset => set_option(stream, libc::SO_LINGER, &libc::linger { l_onoff: 1, l_linger: 0 })?,
    }
    Ok(())
}

fn fill(stream: &mut TcpStream, counts: &mut Counts, ahead: &mut Vec<u8>) -> Result<usize> {
    let mut buffer = [0; 65_536];
    let got = stream.read(&mut buffer)?;
    ahead.extend_from_slice(&buffer[..got]);
    counts.received += got as u64;
    Ok(got)
}

fn write(stream: &mut TcpStream, counts: &mut Counts, mut bytes: &[u8]) -> Result<()> {
    while !bytes.is_empty() {
        let count = stream.write(bytes)?;
        counts.sent += count as u64;
        bytes = &bytes[count..];
    }
    Ok(())
}
