//! Connections to polled servers: TCP, Unix sockets and TLS, with a limit on what an answer may weigh.

use super::resolve::Resolver;
use super::source::Reason;
use crate::config::TlsFiles;
use crate::connect::tls::verifying;
use rustls::ClientConfig;
use rustls::pki_types::ServerName;
use std::io;
use std::path::Path;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::{Context, Poll};
use tokio::io::{AsyncRead, AsyncWrite, BufReader, ReadBuf};
use tokio::net::{TcpStream, UnixStream};
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

/// A stream of either kind.
pub trait Stream: AsyncRead + AsyncWrite + Unpin + Send {}
impl<T: AsyncRead + AsyncWrite + Unpin + Send> Stream for T {}

/// Reads as much at a time as an ordinary answer has: parsers ask for a few kilobytes, and each time that is a system
/// call.
pub fn read_ahead<S: Stream>(stream: S) -> BufReader<S> {
    const BYTES: usize = 16 * 1024;
    BufReader::with_capacity(BYTES, stream)
}

/// Connects to the first address that accepts.
pub async fn tcp(resolver: &Resolver) -> Result<TcpStream, Reason> {
    for address in resolver.addresses().await? {
        if let Ok(stream) = TcpStream::connect(address).await {
            // Requests are small and waited for.
            let _ = stream.set_nodelay(true);
            return Ok(stream);
        }
    }
    Err(Reason::Connect)
}

/// Connects to a Unix socket.
pub async fn unix(path: &Path) -> Result<UnixStream, Reason> {
    UnixStream::connect(path).await.map_err(|_| Reason::Connect)
}

/// Speaks TLS on `stream`; the certificate must be for `host`.
pub async fn tls<S: Stream>(stream: S, host: &str, config: Arc<ClientConfig>) -> Result<TlsStream<S>, Reason> {
    let name = ServerName::try_from(host.trim_matches(['[', ']']).to_owned()).map_err(|_| Reason::Tls)?;
    TlsConnector::from(config).connect(name, stream).await.map_err(|_| Reason::Tls)
}

/// What a TLS client trusts and shows. The files are read anew for each connection, because certificates are renewed.
pub fn tls_config(files: &TlsFiles) -> Result<Arc<ClientConfig>, Reason> {
    let client = files.client.as_ref().map(|(certificate, key)| (certificate.as_path(), key.as_path()));
    verifying(files.ca.as_deref(), client).map(Arc::new).map_err(|_| Reason::Tls)
}

/// Bytes that may still be read from a stream. Whoever asks sets it anew before each question.
#[derive(Debug, Clone)]
pub struct Allowance(Arc<AtomicU64>);

impl Allowance {
    /// For answers of this size.
    pub fn new(bytes: u64) -> Self {
        Self(Arc::new(AtomicU64::new(bytes)))
    }

    /// Allows this many bytes from now on.
    pub fn set(&self, bytes: u64) {
        self.0.store(bytes, Ordering::Relaxed);
    }

    /// Whether an answer was longer than it may be.
    pub fn is_spent(&self) -> bool {
        self.0.load(Ordering::Relaxed) == 0
    }
}

/// A stream that fails once more was read than is allowed: a parser in front of it cannot be made to fill the memory.
#[derive(Debug)]
pub struct Bounded<S> {
    stream: S,
    left: Allowance,
}

impl<S> Bounded<S> {
    /// Reads from `stream` as long as `left` allows.
    pub fn new(stream: S, left: Allowance) -> Self {
        Self { stream, left }
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Bounded<S> {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, out: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let before = out.filled().len();
        let polled = Pin::new(&mut self.stream).poll_read(cx, out);
        let read = (out.filled().len() - before) as u64;
        let left = self.left.0.load(Ordering::Relaxed);
        if read > left || (left == 0 && read > 0) {
            self.left.set(0);
            return Poll::Ready(Err(io::Error::new(io::ErrorKind::InvalidData, "the answer is too long")));
        }
        self.left.set(left - read);
        polled
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Bounded<S> {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(cx, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}
