//! The HTTP server: accepts, bounds and ends connections.

use std::convert::Infallible;
use std::io;
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use arc_swap::ArcSwap;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::server::graceful::{GracefulShutdown, Watcher};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tokio::task::JoinSet;
use tokio::time::timeout;
use tokio_rustls::TlsAcceptor;

use super::auth::{NoRandomness, Verifier};
use super::exposition::Exposition;
use super::page::Overview;
use super::routes::{Peer, Routes};
use super::stall::Impatient;
use super::web_config::{WebConfig, WebConfigError};

/// Room for a request's head; more is answered with 431.
const MAX_HEAD_BYTES: usize = 16 * 1024;

/// How often the files of the web config are looked at.
const RELOAD_INTERVAL: Duration = Duration::from_secs(1);

/// After how many looks a bad web config is read again: a file that it names may have come meanwhile.
const RETRY_LOOKS: u32 = 30;

/// How long responses may go on after the end was asked for; the rest of two seconds is the caller's.
const GRACE: Duration = Duration::from_millis(1500);

/// Why the server cannot start.
#[derive(Debug, thiserror::Error)]
pub enum ServerError {
    /// The address is taken.
    #[error(
        "cannot listen on {0}: another program listens there; stop it (`ss -ltnp 'sport = :{port}'` names it) or \
         choose another address in the configuration",
        port = .0.port()
    )]
    InUse(SocketAddr),
    /// The address cannot be used.
    #[error("cannot listen on {0}: {1}; choose an address of this host in the configuration")]
    Listen(SocketAddr, io::Error),
    /// The web config file is not good.
    #[error(transparent)]
    WebConfig(#[from] WebConfigError),
    /// No key for the password cache.
    #[error(transparent)]
    NoRandomness(#[from] NoRandomness),
}

/// Where and how to serve.
#[derive(Debug, Clone)]
pub struct ServerConfig {
    /// Address to listen on.
    pub listen: SocketAddr,
    /// `web.config.file` of the Prometheus exporters.
    pub web_config: Option<PathBuf>,
    /// Compress for clients on this host too, who save nothing by it.
    pub gzip_loopback: bool,
    /// Most pages that are printed at once; more are answered with 503.
    pub max_scrapes: usize,
    /// Most open connections; more wait to be accepted.
    pub max_connections: usize,
    /// How long a request's head may take, the wait for it on a kept connection included.
    pub head_timeout: Duration,
    /// How long a client may take nothing of its response.
    pub write_timeout: Duration,
}

impl Default for ServerConfig {
    fn default() -> Self {
        Self {
            listen: SocketAddr::from(([127, 0, 0, 1], 10187)),
            web_config: None,
            gzip_loopback: false,
            max_scrapes: 4,
            max_connections: 128,
            head_timeout: Duration::from_secs(30),
            write_timeout: Duration::from_secs(10),
        }
    }
}

/// Whether the probes are attached, for `/readyz`. Clones share it.
#[derive(Debug, Clone, Default)]
pub struct Readiness(Arc<AtomicBool>);

impl Readiness {
    /// Says so.
    pub fn set(&self, ready: bool) {
        self.0.store(ready, Ordering::Relaxed);
    }

    /// Asks.
    pub fn get(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }
}

/// A server that listens and does not yet answer.
#[derive(Debug)]
pub struct Server {
    listener: TcpListener,
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    config: ServerConfig,
    routes: Routes,
    web: ArcSwap<WebConfig>,
}

impl Server {
    /// Reads the web config and takes the port.
    pub async fn bind(
        config: ServerConfig,
        exposition: Arc<Exposition>,
        overview: Arc<Overview>,
        readiness: Readiness,
    ) -> Result<Self, ServerError> {
        let web = config.web_config.as_deref().map(WebConfig::load).transpose()?.unwrap_or_default();
        let routes = Routes::new(&config, exposition, overview, readiness, Verifier::new()?);
        let listener = TcpListener::bind(config.listen).await.map_err(|error| match error.kind() {
            io::ErrorKind::AddrInUse => ServerError::InUse(config.listen),
            _ => ServerError::Listen(config.listen, error),
        })?;
        Ok(Self { listener, shared: Arc::new(Shared { config, routes, web: ArcSwap::from_pointee(web) }) })
    }

    /// The address that it listens on.
    pub fn local_addr(&self) -> io::Result<SocketAddr> {
        self.listener.local_addr()
    }

    /// Where a browser on this host finds the page.
    pub fn url(&self) -> io::Result<String> {
        let scheme = if self.shared.web.load().tls.is_some() { "https" } else { "http" };
        let mut address = self.local_addr()?;
        if address.ip().is_unspecified() {
            address.set_ip(match address {
                SocketAddr::V4(_) => Ipv4Addr::LOCALHOST.into(),
                SocketAddr::V6(_) => Ipv6Addr::LOCALHOST.into(),
            });
        }
        Ok(format!("{scheme}://{address}/"))
    }

    /// Answers until `shutdown` is over, then ends within two seconds.
    pub async fn run(self, shutdown: impl Future<Output = ()>) {
        let graceful = GracefulShutdown::new();
        let mut connections = JoinSet::new();
        let room = Arc::new(Semaphore::new(self.shared.config.max_connections));
        tokio::pin!(shutdown);
        connections.spawn(Arc::clone(&self.shared).watch());
        loop {
            let accepted = async {
                let permit = Arc::clone(&room).acquire_owned().await;
                (self.listener.accept().await, permit)
            };
            let (accepted, permit) = tokio::select! {
                accepted = accepted => accepted,
                () = &mut shutdown => break,
                Some(_) = connections.join_next() => continue,
            };
            match accepted {
                Ok((stream, peer)) => {
                    let (shared, watcher) = (Arc::clone(&self.shared), graceful.watcher());
                    connections.spawn(async move {
                        shared.connection(stream, peer, watcher).await;
                        drop(permit);
                    });
                }
                Err(error) => {
                    // Out of descriptors, or the peer is gone: neither ends the server, nor may it spin.
                    tracing::warn!(%error, "cannot accept a connection");
                    tokio::time::sleep(Duration::from_millis(100)).await;
                }
            }
        }
        drop(self.listener);
        if timeout(GRACE, graceful.shutdown()).await.is_err() {
            tracing::info!("responses that were still being sent are cut off");
        }
        connections.abort_all();
    }
}

impl Shared {
    async fn connection(self: Arc<Self>, stream: TcpStream, peer: SocketAddr, watcher: Watcher) {
        let peer = Peer { loopback: peer.ip().to_canonical().is_loopback() };
        // Pieces are large and a page's last one should not wait for an acknowledgement.
        let _ = stream.set_nodelay(true);
        let stream = Impatient::new(stream, self.config.write_timeout);
        let Some(tls) = self.web.load().tls.clone() else {
            return self.serve(stream, peer, watcher).await;
        };
        match timeout(self.config.head_timeout, TlsAcceptor::from(tls).accept(stream)).await {
            Ok(Ok(stream)) => self.serve(stream, peer, watcher).await,
            Ok(Err(error)) => tracing::debug!(%error, "TLS handshake failed"),
            Err(_) => tracing::debug!("TLS handshake timed out"),
        }
    }

    async fn serve<S>(self: Arc<Self>, stream: S, peer: Peer, watcher: Watcher)
    where
        S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    {
        let head_timeout = self.config.head_timeout;
        let service = service_fn(move |request: hyper::Request<hyper::body::Incoming>| {
            let shared = Arc::clone(&self);
            async move {
                let web = shared.web.load_full();
                Ok::<_, Infallible>(shared.routes.answer(&web, peer, &request).await)
            }
        });
        let connection = http1::Builder::new()
            .timer(TokioTimer::new())
            .header_read_timeout(head_timeout)
            .max_buf_size(MAX_HEAD_BYTES)
            .serve_connection(TokioIo::new(stream), service);
        if let Err(error) = watcher.watch(connection).await {
            tracing::debug!(%error, "connection ended early");
        }
    }

    /// Reads the web config again when one of its files changed; a bad one leaves the old in force.
    async fn watch(self: Arc<Self>) {
        let Some(path) = self.config.web_config.clone() else { return };
        let mut failed_looks = None;
        loop {
            tokio::time::sleep(RELOAD_INTERVAL).await;
            failed_looks = failed_looks.map(|looks| looks + 1);
            let retry = failed_looks.is_some_and(|looks| looks >= RETRY_LOOKS);
            let (path, current) = (path.clone(), self.web.load_full());
            let read = move || {
                let seen = (retry || current.changed()).then(|| current.accept());
                seen.map(|seen| (WebConfig::load(&path), seen))
            };
            let Ok(Some((loaded, seen))) = tokio::task::spawn_blocking(read).await else { continue };
            let reloads = &self.routes.exposition.agent().config_reloads;
            match loaded {
                Ok(web) => {
                    failed_looks = None;
                    self.web.store(Arc::new(web));
                    reloads.with_label_values(&["success"]).inc();
                    tracing::info!("web config read again");
                }
                Err(error) => {
                    failed_looks = Some(0);
                    self.web.store(Arc::new(seen));
                    reloads.with_label_values(&["failure"]).inc();
                    tracing::error!(%error, "web config not read again; the old one stays in force");
                }
            }
        }
    }
}
