//! The configuration file: read, validated once, then typed and immutable.
//!
//! Everything is optional, and no file at all is a valid configuration. [`Config::load`] either gives a whole
//! [`Config`] or everything that is wrong with the file. The caller keeps the result behind an `Arc` and swaps it as
//! one piece on a reload; [`diff`] says which of the changes wait for a restart.
//!
//! A new key takes a line in [`schema`], its reading in the file of its section and a row in `diff.rs`; the tests
//! then ask for it in `monitoring/hippius-agent.example.toml` and `docs/configuration.md`.

mod attribution;
mod capture;
mod client;
mod container;
mod diff;
mod error;
mod labels;
mod log;
mod operation;
mod pattern;
mod peer;
mod poll;
mod ports;
mod postgres;
mod process;
pub mod queues;
mod read;
mod redis;
pub mod schema;
mod secret;
mod service;
mod sockets;
mod suggest;

pub use attribution::{Attribution, SOURCES, Source};
pub use capture::{BACKENDS, Backend, Capture};
pub use client::Client;
pub use container::{Candidate, ContainerPattern};
pub use diff::{Applies, Changes, applies, diff};
pub use error::{ConfigErrors, Problem};
pub use labels::Labels;
pub use log::LogFilter;
pub use operation::Operation;
pub use pattern::{PathPattern, QueryParameter, Segment};
pub use peer::{PEER_PROFILES, Peer, PeerAddress, PeerProfile};
pub use poll::{Pace, TlsFiles};
pub use ports::Ports;
pub use postgres::{POSTGRES_PROFILES, PostgresProfile, PostgresTarget};
pub use process::ProcessPattern;
pub use read::Surroundings;
pub use redis::{REDIS_PROFILES, RedisKey, RedisProfile, RedisTarget, Sweep};
pub use secret::SecretUrl;
pub use service::{PROFILES, Profile, Service};
pub use sockets::Sockets;

use error::{Refusal, shown};
use operation::checked;
use read::{Reading, Section};
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};

/// Address of the metrics where nothing else is said: loopback only.
pub const DEFAULT_LISTEN: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 10187);

/// The whole configuration.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Config {
    /// Address of the metrics.
    pub listen: SocketAddr,
    /// TLS and basic auth, in the format of the Prometheus exporters.
    pub web_config_file: Option<PathBuf>,
    /// How much goes to the log.
    pub log: LogFilter,
    /// The kernel side.
    pub capture: Capture,
    /// Limits on the number of series.
    pub labels: Labels,
    /// Watched services, in the order of the file.
    pub services: Vec<Service>,
    /// Further processes whose outgoing connections are watched, in the order of the file.
    pub clients: Vec<Client>,
    /// Whom watched processes call, in the order of the file.
    pub peers: Vec<Peer>,
    /// Names for endpoints of every service; a service's own come first.
    pub operations: Vec<Operation>,
    /// How a credential becomes an account.
    pub attribution: Attribution,
    /// Polled Redis servers.
    pub redis: Vec<RedisTarget>,
    /// Polled PostgreSQL servers.
    pub postgres: Vec<PostgresTarget>,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            listen: DEFAULT_LISTEN,
            web_config_file: None,
            log: LogFilter::default(),
            capture: Capture::default(),
            labels: Labels::default(),
            services: Vec::new(),
            clients: Vec::new(),
            peers: Vec::new(),
            operations: Vec::new(),
            attribution: Attribution::default(),
            redis: Vec::new(),
            postgres: Vec::new(),
        }
    }
}

impl Config {
    /// Reads and validates a file. Relative paths in it start at its folder.
    pub fn load(path: &Path) -> Result<Self, ConfigErrors> {
        let text = std::fs::read_to_string(path)
            .map_err(|error| ConfigErrors::of_file(path, format!("cannot read the configuration: {error}")))?;
        let folder = path.parent().unwrap_or(Path::new(""));
        Self::parse(&text, path, &Surroundings { folder, environment: &|name| std::env::var(name).ok() })
    }

    /// Validates `text`; `file` is only named in messages.
    pub fn parse(text: &str, file: &Path, around: &Surroundings<'_>) -> Result<Self, ConfigErrors> {
        let reading = Reading::new(text, around);
        if let Err(error) = toml::de::DeTable::parse(text) {
            reading.refuse_syntax(error.message(), error.span());
            return reading.finish(file).map(|()| Self::default());
        }
        let document = match toml_edit::Document::parse(text) {
            Ok(document) => document,
            Err(error) => {
                reading.refuse_syntax(error.message(), error.span());
                return reading.finish(file).map(|()| Self::default());
            }
        };
        let config = Self::read(&Section::root(&reading, &schema::ROOT, document.as_table()));
        reading.finish(file).map(|()| config)
    }

    /// Names of endpoints for `service`, in the order in which they are tried.
    pub fn operations_of<'c>(&'c self, service: &'c Service) -> impl Iterator<Item = &'c Operation> {
        service.operations.iter().chain(&self.operations)
    }

    /// The service that a listening socket belongs to: the first in the file of which everything fits that it says.
    pub fn service_of(&self, candidate: &Candidate<'_>) -> Option<&Service> {
        let process = |service: &Service| {
            let pattern = service.process.as_ref();
            pattern.is_none_or(|pattern| pattern.matches(candidate.comm, candidate.executable))
        };
        let fits = |service: &&Service| {
            service.listens_on(candidate.port, candidate.socket)
                && process(service)
                && service.within.matches(candidate)
        };
        self.services.iter().find(fits)
    }

    /// Whether connections that processes open are watched: anybody's.
    pub fn follows_clients(&self) -> bool {
        self.capture.outbound || self.capture.tls || !self.clients.is_empty()
    }

    /// Whether connections over Unix sockets are watched: services are looked for everywhere, or named by such sockets.
    pub fn follows_unix_sockets(&self) -> bool {
        let is_over_unix = |service: &Service| service.is_anywhere() || !service.sockets.is_empty();
        self.capture.discover || self.services.iter().any(is_over_unix)
    }

    /// The first client in the file that this process is.
    pub fn client_of(&self, comm: Option<&str>, executable: Option<&str>, command: Option<&str>) -> Option<&Client> {
        self.clients.iter().find(|client| client.matches(comm, executable, command))
    }

    fn read(root: &Section<'_>) -> Self {
        let default = Self::default();
        let services = root.sections(&schema::SERVICE);
        let capture = root.section(&schema::CAPTURE);
        Self {
            listen: root.string("listen").and_then(|found| checked(root, found, listen)).unwrap_or(default.listen),
            web_config_file: root.readable_file("web_config_file").map(|found| found.value),
            log: root.string("log").and_then(|found| checked(root, found, LogFilter::read)).unwrap_or(default.log),
            capture: Capture::read(capture.as_ref(), root.has("service"), root.has("client")),
            labels: root.section(&schema::LABELS).map_or(default.labels, |section| Labels::read(&section)),
            services: service::read_all(&services),
            clients: client::read_all(&root.sections(&schema::CLIENT)),
            peers: peer::read_all(&root.sections(&schema::PEER)),
            operations: operation::read_all(&root.sections(&schema::OPERATION)),
            attribution: root
                .section(&schema::ATTRIBUTION)
                .map_or(default.attribution, |section| Attribution::read(&section)),
            redis: redis::read_all(&root.sections(&schema::REDIS)),
            postgres: postgres::read_all(&root.sections(&schema::POSTGRES)),
        }
    }
}

fn listen(text: &str) -> Result<SocketAddr, Refusal> {
    const ALLOWED: &str = "IP:PORT, such as \"127.0.0.1:10187\" or \"[::1]:10187\"";
    let refuse = |what: String| Refusal::new(what).allowed(ALLOWED);
    let Ok(address) = text.parse::<SocketAddr>() else {
        return Err(refuse(format!("{} is no address to listen on", shown(text))));
    };
    let broadcast = address.ip() == IpAddr::V4(Ipv4Addr::BROADCAST);
    if address.port() == 0 {
        Err(refuse("port 0 would be another one at each start".to_owned()))
    } else if address.ip().is_multicast() || broadcast {
        Err(refuse(format!("{} cannot be listened on", address.ip())))
    } else {
        Ok(address)
    }
}
