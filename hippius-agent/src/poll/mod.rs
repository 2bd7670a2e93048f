//! Redis and Postgres servers, asked in the background.
//!
//! One task per target polls at the target's own pace ([`task`]) and leaves what it found in memory ([`target`]). A
//! scrape prints that memory and never waits. A target that is down, slow, hostile or gone affects nothing but itself:
//! each poll has a time limit, its answer has a size limit, a name lookup that hangs holds no thread of the runtime
//! ([`resolve`]), and the next try comes after a growing pause.
//!
//! # How a source plugs in
//!
//! 1. It declares its families, each a [`Spec`](family::Spec) (name, type, help, labels) in a `static`, and lists them by
//!    a function `families()`. The catalogue of metrics takes them from there ([`families`]), so names stand in one
//!    place.
//! 2. It implements [`Source`](source::Source). `poll` asks the server once and gives whole
//!    [`Families`](family::Families): also the values of queries that run more rarely, which the source keeps itself.
//!    It may be dropped at any `.await` when its time is over; `disconnect` is called after every poll that failed, so
//!    the next one starts on a fresh connection. `status` adds the families that are shown whether the server answers
//!    or not (`redis_up`, `pg_up`, `*_exporter_last_scrape_error`).
//! 3. It says why a poll failed with a [`Reason`](source::Reason), never with a text: texts of libraries can quote
//!    addresses and what was sent.
//! 4. [`poller`] makes the source from its part of the configuration and starts its task; a reload goes the same way.
//!
//! Label values are escaped when they are added, and cut at 256 bytes. A source bounds the number of its series itself.

pub mod draft;
pub mod family;
pub mod net;
pub mod poller;
pub mod postgres;
pub mod redis;
pub mod resolve;
pub mod source;
pub mod target;
pub mod task;

use family::Spec;
use target::Server;

/// All families that polls can yield, with the kind of server that they are about.
pub fn families() -> impl Iterator<Item = (Server, &'static Spec)> {
    let redis = redis::families().map(|spec| (Server::Redis, spec));
    redis.chain(postgres::families().map(|spec| (Server::Postgres, spec)))
}
