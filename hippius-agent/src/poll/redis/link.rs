//! One connection to a Redis server.
//!
//! The client library frames requests and replies; the socket below it is ours, so that names are looked up without the
//! runtime's threads, and no reply can be longer than what was asked for.

use crate::config::RedisTarget;
use crate::poll::net::{self, Allowance, Bounded, Stream};
use crate::poll::resolve::Resolver;
use crate::poll::source::Reason;
use redis::aio::MultiplexedConnection;
use redis::{
    AsyncConnectionConfig, ConnectionAddr, IntoConnectionInfo, Pipeline, ProtocolVersion, RedisConnectionInfo,
    RedisError, Value,
};
use std::path::PathBuf;
use tokio::task::AbortHandle;

/// Replies to `AUTH` and `SELECT`.
const GREETING_BYTES: u64 = 16 * 1024;

/// Where a server is, and a connection to it where there is one.
pub struct Link {
    /// `None` where the address cannot be used, which the configuration has refused before.
    place: Option<(Address, RedisConnectionInfo)>,
    tls: crate::config::TlsFiles,
    open: Option<Open>,
}

enum Address {
    Tcp(Resolver),
    Tls { resolver: Resolver, host: String },
    Unix(PathBuf),
}

struct Open {
    connection: MultiplexedConnection,
    allowance: Allowance,
    driver: AbortHandle,
}

impl Drop for Open {
    fn drop(&mut self) {
        self.driver.abort();
    }
}

impl Link {
    /// Nothing is connected to yet.
    pub fn new(config: &RedisTarget) -> Self {
        let place = config.url.expose().into_connection_info().ok().map(|info| {
            let address = match info.addr().clone() {
                ConnectionAddr::Tcp(host, port) => Address::Tcp(Resolver::new(&host, port)),
                ConnectionAddr::TcpTls { host, port, .. } => {
                    Address::Tls { resolver: Resolver::new(&host, port), host }
                }
                ConnectionAddr::Unix(path) => Address::Unix(path),
                // The type is not exhaustive; the library's URLs give these three.
                _ => Address::Unix(PathBuf::new()),
            };
            // Without naming the library to the server: that is one more command that the user must be allowed.
            let settings = info.redis_settings().clone().set_skip_set_lib_name().set_protocol(ProtocolVersion::RESP2);
            let settings = match &config.password {
                Some(password) => settings.set_password(password.expose()),
                None => settings,
            };
            (address, settings)
        });
        Self { place, tls: config.tls.clone(), open: None }
    }

    /// The database that the address names.
    pub fn db(&self) -> i64 {
        self.place.as_ref().map_or(0, |(_, settings)| settings.db())
    }

    /// Gives up the connection.
    pub fn close(&mut self) {
        self.open = None;
    }

    /// Sends `questions` and gives one answer to each, at most `bytes` long in all. An answer may be an error.
    pub async fn ask(&mut self, questions: &Pipeline, bytes: u64) -> Result<Vec<Value>, Reason> {
        if self.open.is_none() {
            self.open = Some(self.connect().await?);
        }
        let Some(open) = &mut self.open else { return Err(Reason::Connect) };
        open.allowance.set(bytes);
        let asked = questions.len();
        let answers = open.connection.send_packed_commands(questions, 0, asked).await;
        let (too_long, ended) = (open.allowance.is_spent(), open.allowance.has_ended());
        match answers {
            Ok(answers) if answers.len() == asked => Ok(answers),
            Ok(_) => Err(Reason::Malformed),
            Err(_) if too_long => Err(Reason::Malformed),
            Err(error) => match reason(&error) {
                Reason::Closed if ended => Err(unasked(&open.allowance)),
                // The library gave up, and not because the stream ended: it could not read what came.
                Reason::Closed if !ended => Err(Reason::Malformed),
                reason => Err(reason),
            },
        }
    }

    async fn connect(&self) -> Result<Open, Reason> {
        let (address, settings) = self.place.as_ref().ok_or(Reason::Connect)?;
        let stream: Box<dyn Stream> = match address {
            Address::Tcp(resolver) => Box::new(net::tcp(resolver).await?),
            Address::Tls { resolver, host } => {
                let config = net::tls_config(&self.tls)?;
                Box::new(net::tls(net::tcp(resolver).await?, host, config).await?)
            }
            Address::Unix(path) => Box::new(net::unix(path).await?),
        };
        let allowance = Allowance::new(GREETING_BYTES);
        let stream = Bounded::new(net::read_ahead(stream), allowance.clone());
        // The poll as a whole has a time limit.
        let config = AsyncConnectionConfig::new().set_connection_timeout(None).set_response_timeout(None);
        let opened = MultiplexedConnection::new_with_config(settings, stream, config).await;
        let (connection, driver) = opened.map_err(|error| match reason(&error) {
            Reason::Closed => unasked(&allowance),
            reason => reason,
        })?;
        Ok(Open { connection, allowance, driver: tokio::spawn(driver).abort_handle() })
    }
}

/// Why the server closed the connection: what it said first, where that is a refusal.
fn unasked(allowance: &Allowance) -> Reason {
    let first = allowance.first_bytes();
    let text = String::from_utf8_lossy(&first);
    let Some(refused) = text.strip_prefix('-') else { return Reason::Closed };
    let (code, detail) = refused.split_once(' ').unwrap_or((refused, ""));
    match refusal(code, detail) {
        Reason::Error => Reason::Closed,
        reason => reason,
    }
}

/// What a refusal means; nothing else of its text is used.
pub fn refusal(code: &str, detail: &str) -> Reason {
    match code {
        "WRONGPASS" | "NOAUTH" => Reason::Auth,
        // "DENIED": protected mode, which lets nobody in from another host.
        "NOPERM" | "DENIED" => Reason::Denied,
        "LOADING" | "BUSY" | "MASTERDOWN" | "TRYAGAIN" => Reason::Starting,
        _ if detail.contains("max number of clients") => Reason::Full,
        // Redis 5 and older say so in words only.
        _ if detail.contains("invalid password") || detail.contains("invalid username") => Reason::Auth,
        _ => Reason::Error,
    }
}

fn reason(error: &RedisError) -> Reason {
    let by_code = refusal(error.code().unwrap_or_default(), error.detail().unwrap_or_default());
    match error.kind() {
        _ if by_code != Reason::Error => by_code,
        redis::ErrorKind::AuthenticationFailed => Reason::Auth,
        redis::ErrorKind::Parse | redis::ErrorKind::UnexpectedReturnType => Reason::Malformed,
        _ if error.is_timeout() => Reason::Timeout,
        _ if error.code().is_some() => Reason::Error,
        _ if error.is_connection_refusal() => Reason::Connect,
        _ => Reason::Closed,
    }
}
