//! How a connection to the server is made.

use super::limits::Limits;
use super::session::{Session, reason};
use crate::config::PostgresTarget;
use crate::connect::postgres::Address;
use crate::poll::net::{self, Allowance, Bounded, Stream};
use crate::poll::resolve::Resolver;
use crate::poll::source::Reason;
use std::path::PathBuf;
use std::time::Duration;
use tokio::io::BufReader;
use tokio_postgres::config::Host;
use tokio_postgres::tls::MakeTlsConnect;

const DEFAULT_PORT: u16 = 5432;

/// How the server is reached.
#[derive(Clone)]
pub struct Link {
    address: Address,
    client: Option<(PathBuf, PathBuf)>,
    place: Place,
    limits: Limits,
}

#[derive(Clone)]
enum Place {
    Tcp(Resolver, String),
    Unix(PathBuf),
    /// The configuration was read by somebody else than the one who checks it.
    Nowhere,
}

/// What a kind of session asks for.
#[derive(Debug, Clone, Copy)]
pub struct Manners {
    /// Longest that the server may work on one statement.
    pub statement_timeout: Duration,
    /// Names are looked up in the catalogue of the system alone: nothing that a user has made can take their place.
    pub catalogue_only: bool,
}

impl Link {
    /// For a target of the configuration.
    pub fn new(config: &PostgresTarget) -> Self {
        let limits = Limits::new(config);
        let client = config.tls.client.clone();
        let Some(mut address) = Address::parse(config.url.expose()) else {
            let address = Address::parse("host=/").unwrap_or_else(|| unreachable!("a folder is an address"));
            return Self { address, client, place: Place::Nowhere, limits };
        };
        if let Some(password) = &config.password {
            address.config_mut().password(password.expose());
        }
        if let Some(ca) = &config.tls.ca {
            address.trust(ca.clone());
        }
        let port = address.config().get_ports().first().copied().unwrap_or(DEFAULT_PORT);
        let number = address.config().get_hostaddrs().first().map(ToString::to_string);
        let place = match (address.config().get_hosts().first(), number) {
            (Some(Host::Unix(folder)), _) => Place::Unix(folder.join(format!(".s.PGSQL.{port}"))),
            (Some(Host::Tcp(host)), number) => {
                Place::Tcp(Resolver::new(number.as_ref().unwrap_or(host), port), host.clone())
            }
            (None, Some(number)) => Place::Tcp(Resolver::new(&number, port), number),
            (None, None) => Place::Nowhere,
        };
        Self { address, client, place, limits }
    }

    /// Connects, logs in, and sets the session's limits.
    pub async fn open(&self, manners: Manners) -> Result<Session, Reason> {
        match &self.place {
            Place::Tcp(resolver, host) => self.log_in(net::tcp(resolver).await?, host, manners).await,
            Place::Unix(path) => self.log_in(net::unix(path).await?, "", manners).await,
            Place::Nowhere => Err(Reason::Connect),
        }
    }

    async fn log_in<S: Stream + 'static>(&self, stream: S, host: &str, manners: Manners) -> Result<Session, Reason> {
        let client = self.client.as_ref().map(|(certificate, key)| (certificate.as_path(), key.as_path()));
        let mut tls = self.address.tls(client).map_err(|_| Reason::Tls)?;
        let allowance = Allowance::new(self.limits.answer_bytes());
        let stream = Bounded::new(net::read_ahead(stream), allowance.clone());
        let Ok(tls) = MakeTlsConnect::<Bounded<BufReader<S>>>::make_tls_connect(&mut tls, host);
        let connected = self.address.config().connect_raw(stream, tls).await;
        let (client, connection) = connected.map_err(|error| reason(&error))?;
        let driver = tokio::spawn(async move {
            // What broke it is told to whoever waits for an answer.
            let _ = connection.await;
        });
        let mut session = Session::new(client, driver.abort_handle(), allowance, self.limits);
        session.introduce(manners).await?;
        Ok(session)
    }
}
