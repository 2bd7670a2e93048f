//! One connection to a Redis server.
//!
//! The client library packs requests and reads replies; the socket below it is ours, so that names are looked up without
//! the runtime's threads, no reply can be longer than what was asked for, and whoever asks reads the answers itself.

use super::refused;
use crate::config::RedisTarget;
use crate::poll::net::{self, Allowance, Bounded, Stream};
use crate::poll::resolve::Resolver;
use crate::poll::source::Reason;
use redis::{
    Cmd, ConnectionAddr, IntoConnectionInfo, Parser, Pipeline, RedisConnectionInfo, RedisError, RedisResult, Value,
};
use std::future::poll_fn;
use std::io::{self, Read};
use std::path::PathBuf;
use std::pin::Pin;
use std::task::{Context, Poll};
use tokio::io::{AsyncRead, AsyncWriteExt as _, BufReader, ReadBuf};

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
    stream: Bounded<BufReader<Box<dyn Stream>>>,
    allowance: Allowance,
    /// Keeps what has come of a reply that is not whole yet.
    parser: Parser,
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
            let settings = info.redis_settings().clone();
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

    /// Sends `questions` and gives one answer to each, at most `bytes` long in all. An answer may be an error. Where
    /// that fails or is given up, the connection is gone, too: answers could come that nobody waits for.
    pub async fn ask(&mut self, questions: &Pipeline, bytes: u64) -> Result<Vec<Value>, Reason> {
        let mut open = match self.open.take() {
            Some(open) => open,
            None => self.connect().await?,
        };
        let answers = open.ask(questions, bytes).await?;
        self.open = Some(open);
        Ok(answers)
    }

    async fn connect(&mut self) -> Result<Open, Reason> {
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
        let mut open = Open { stream, allowance, parser: Parser::new() };
        open.greet(settings).await?;
        Ok(open)
    }
}

impl Open {
    /// Logs in and goes to the database. Nothing else is said: that would be one more command that the user must be
    /// allowed.
    async fn greet(&mut self, settings: &RedisConnectionInfo) -> Result<(), Reason> {
        if let Some(password) = settings.password() {
            let mut answer = self.ask_one(log_in(settings.username(), password)).await?;
            // Redis 5 and older know no users.
            if settings.username().is_some() && is_refused_for(&answer, "wrong number of arguments") {
                answer = self.ask_one(log_in(None, password)).await?;
            }
            match answer {
                Value::Okay => {}
                Value::ServerError(error) => return Err(refused(&error).or(Reason::Auth)),
                _ => return Err(Reason::Malformed),
            }
        }
        if settings.db() == 0 {
            return Ok(());
        }
        let mut select = redis::cmd("SELECT");
        select.arg(settings.db());
        match self.ask_one(select).await? {
            Value::Okay => Ok(()),
            Value::ServerError(error) => Err(refused(&error)),
            _ => Err(Reason::Malformed),
        }
    }

    async fn ask_one(&mut self, question: Cmd) -> Result<Value, Reason> {
        let mut questions = Pipeline::new();
        questions.add_command(question);
        self.ask(&questions, GREETING_BYTES).await?.pop().ok_or(Reason::Malformed)
    }

    async fn ask(&mut self, questions: &Pipeline, bytes: u64) -> Result<Vec<Value>, Reason> {
        self.allowance.set(bytes);
        // A server that has closed the connection has said why before, and that can still be read.
        let _ = self.send(&questions.get_packed_pipeline()).await;
        let mut answers = Vec::with_capacity(questions.len());
        while answers.len() < questions.len() {
            match self.answer().await {
                Ok(answer) => answers.push(answer),
                Err(error) => return Err(self.reason(&error, answers.first())),
            }
        }
        Ok(answers)
    }

    async fn send(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.stream.write_all(bytes).await?;
        self.stream.flush().await
    }

    /// The next reply. The parser reads as from a file, and goes on where it was when there is more.
    async fn answer(&mut self) -> RedisResult<Value> {
        let Self { stream, parser, .. } = self;
        poll_fn(|context| {
            let mut come = Come { stream, context, was_all: false };
            let answer = parser.parse_value(&mut come);
            if come.was_all { Poll::Pending } else { Poll::Ready(answer) }
        })
        .await
    }

    /// Why there are no more answers than those of which `first` is the first.
    fn reason(&self, error: &RedisError, first: Option<&Value>) -> Reason {
        if self.allowance.is_spent() || !error.is_io_error() {
            return Reason::Malformed;
        }
        match first {
            // A server that lets nobody in says so unasked, and closes the connection.
            Some(Value::ServerError(error)) => refused(error).or(Reason::Closed),
            _ => Reason::Closed,
        }
    }
}

/// What has come on a stream, for readers that cannot wait.
struct Come<'s, 'c, 'w, S> {
    stream: &'s mut S,
    context: &'c mut Context<'w>,
    /// Whether more was asked for; the context's task is woken when there is some.
    was_all: bool,
}

impl<S: AsyncRead + Unpin> Read for Come<'_, '_, '_, S> {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        let mut out = ReadBuf::new(out);
        match Pin::new(&mut *self.stream).poll_read(self.context, &mut out) {
            Poll::Ready(read) => read.map(|()| out.filled().len()),
            Poll::Pending => {
                self.was_all = true;
                Err(io::ErrorKind::WouldBlock.into())
            }
        }
    }
}

fn log_in(user: Option<&str>, password: &str) -> Cmd {
    let mut command = redis::cmd("AUTH");
    command.arg(user).arg(password);
    command
}

fn is_refused_for(answer: &Value, words: &str) -> bool {
    matches!(answer, Value::ServerError(error) if error.details().is_some_and(|details| details.contains(words)))
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

#[cfg(test)]
mod tests {
    use super::*;
    use redis::parse_redis_value;

    /// Asks three questions of a server that says this in small pieces and closes the connection.
    async fn ask(says: &'static [u8]) -> Result<Vec<Value>, Reason> {
        let (ours, theirs) = tokio::io::duplex(3);
        let (mut asked, mut said) = tokio::io::split(theirs);
        tokio::spawn(async move { tokio::io::copy(&mut asked, &mut tokio::io::sink()).await });
        tokio::spawn(async move {
            said.write_all(says).await?;
            said.shutdown().await
        });
        let allowance = Allowance::new(0);
        let stream: Box<dyn Stream> = Box::new(ours);
        let stream = Bounded::new(net::read_ahead(stream), allowance.clone());
        let mut questions = Pipeline::new();
        questions.cmd("INFO").arg("ALL").cmd("DBSIZE").cmd("PING");
        Open { stream, allowance, parser: Parser::new() }.ask(&questions, 64).await
    }

    #[tokio::test]
    async fn answers_come_in_any_pieces() {
        let expected: Vec<Value> = [&b"$8\r\nab\r\ncd\r\n\r\n"[..], b":-7\r\n", b"-NOPERM no such right\r\n"]
            .map(|reply| parse_redis_value(reply).expect("a reply"))
            .into();
        assert_eq!(ask(b"$8\r\nab\r\ncd\r\n\r\n:-7\r\n-NOPERM no such right\r\n").await, Ok(expected));
    }

    #[tokio::test]
    async fn why_there_are_no_answers() {
        for (says, reason) in [
            (&b""[..], Reason::Closed),
            (b":1\r\n:2\r\n:3", Reason::Closed),
            (b"-ERR unknown command\r\n", Reason::Closed),
            (b"-ERR max number of clients reached\r\n", Reason::Full),
            (b"-DENIED Redis is running in protected mode\r\n", Reason::Denied),
            (b":1\r\n?\r\n:3\r\n", Reason::Malformed),
            (b":1\r\n$60\r\n0123456789012345678901234567890123456789012345678901234567890\r\n", Reason::Malformed),
        ] {
            assert_eq!(ask(says).await, Err(reason), "{}", String::from_utf8_lossy(says));
        }
    }
}
