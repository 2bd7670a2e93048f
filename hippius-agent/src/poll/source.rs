//! What polls a server: the one trait that Redis and Postgres implement.

use super::draft::Draft;
use std::future::Future;
use std::time::{Duration, SystemTime};

/// A server that can be asked.
pub trait Source: Send + 'static {
    /// Asks the server once, connecting first where there is no connection, and adds what it says to `out`. Dropped
    /// when its time is over.
    fn poll(&mut self, now: SystemTime, out: &mut Draft) -> impl Future<Output = Result<(), Reason>> + Send;

    /// Gives up the connection: the last poll failed, or its time was over.
    fn disconnect(&mut self);

    /// Adds what is shown whether the server answers or not.
    fn status(&self, status: &Status, out: &mut Draft);
}

/// Why a poll failed: the label `reason`, and the `err` of the exporters' families.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Reason {
    /// Its name has no address, or the name server does not answer.
    Dns,
    /// No connection: refused, unreachable, no such socket.
    Connect,
    /// TLS cannot be agreed on, or the certificate is not trusted.
    Tls,
    /// User or password are wrong.
    Auth,
    /// The user may not ask this.
    Denied,
    /// The server has no connection left (`maxclients`, `max_connections`).
    Full,
    /// The server is starting, loading its data or shutting down.
    Starting,
    /// No whole answer in time.
    Timeout,
    /// The server closed the connection.
    Closed,
    /// An answer that is not one, or is far too long.
    Malformed,
    /// The server reports another error.
    Error,
}

impl Reason {
    /// All of them.
    pub const ALL: [Self; 11] = [
        Self::Dns,
        Self::Connect,
        Self::Tls,
        Self::Auth,
        Self::Denied,
        Self::Full,
        Self::Starting,
        Self::Timeout,
        Self::Closed,
        Self::Malformed,
        Self::Error,
    ];

    /// This, or where it says nothing of its own, `other`.
    pub fn or(self, other: Self) -> Self {
        if self == Self::Error { other } else { self }
    }

    /// Label value.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Dns => "dns",
            Self::Connect => "connect",
            Self::Tls => "tls",
            Self::Auth => "auth",
            Self::Denied => "denied",
            Self::Full => "full",
            Self::Starting => "starting",
            Self::Timeout => "timeout",
            Self::Closed => "closed",
            Self::Malformed => "malformed",
            Self::Error => "error",
        }
    }
}

/// How polling goes.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Status {
    /// Polls so far.
    pub polls: u64,
    /// Why the last one failed; `None` where it worked, or where there was none yet.
    pub failed: Option<Reason>,
    /// Failed polls by reason, in the order of [`Reason::ALL`].
    pub errors: [u64; Reason::ALL.len()],
    /// How long the last poll took.
    pub took: Duration,
    /// When a poll last worked.
    pub last_success: Option<SystemTime>,
}

impl Status {
    /// Whether the last poll worked.
    pub fn up(&self) -> bool {
        self.polls > 0 && self.failed.is_none()
    }

    /// Counts a poll.
    pub(super) fn count(&mut self, took: Duration, now: SystemTime, failed: Option<Reason>) {
        self.polls += 1;
        self.took = took;
        self.failed = failed;
        match failed {
            None => self.last_success = Some(now),
            Some(reason) => {
                for (count, _) in self.errors.iter_mut().zip(Reason::ALL).filter(|(_, other)| *other == reason) {
                    *count += 1;
                }
            }
        }
    }
}
