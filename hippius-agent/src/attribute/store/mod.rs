//! From credentials to accounts.
//!
//! [`Store`] belongs to the thread that also runs the exchanges: it never waits. What it does not know it gives, over
//! a bounded queue, to [`Lookups`], which run on tokio, and takes the answers up when asked to [`Store::collect`].
//!
//! Two kinds of question are told apart. A credential that is only *claimed* may be looked up where that costs
//! nothing; one that the server has *accepted* may also be put through the seed era's derivation. So nobody can make
//! the agent work hard, or believe anything, by sending credentials that the server refuses.

mod backoff;
mod cache;
mod config;
pub mod counters;
mod lookups;
mod open;
mod postgres_source;
mod redis_source;
pub mod static_file;

pub use cache::Reason;
pub use config::{Source, StoreConfig, UnknownSource};
pub use counters::{Answered, Asked, LookupCounters, LookupSnapshot, RESULTS, SOURCES};
pub use lookups::Lookups;
pub use open::OpenError;

use super::rules::RuleSet;
use super::{Account, Claim, Credential, CredentialHasher, CredentialKey};
use crate::decode::http1::RequestHead;
use cache::{Cache, Scope};
use lookups::{Answer, Job, Subject};
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::sync::mpsc::{Receiver, Sender};

/// A lookup that has not come back by then never will: every wait in it is bounded and there are few of them.
const LOST_AFTER_NS: u64 = 10_000_000_000;

/// Longest bucket name that is looked up; S3 allows 63 bytes, older rules 255.
const MAX_BUCKET_BYTES: usize = 255;

/// What the store knows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Resolution {
    /// The account, and whether the server's latest word on this credential was that it is good.
    Known {
        /// Whose credential it is.
        account: Arc<Account>,
        /// Whether bytes may be counted on it before the response is seen.
        proven: bool,
    },
    /// A lookup is under way.
    Pending,
    /// There is no account to be had, for now.
    Unknown(Reason),
}

/// Why a source gave no answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Fault {
    Ambiguous,
    Malformed,
    Error,
    Timeout,
}

impl Fault {
    fn reason(self) -> Reason {
        match self {
            Self::Ambiguous => Reason::Ambiguous,
            Self::Malformed | Self::Error | Self::Timeout => Reason::Failed,
        }
    }
}

/// Credentials, buckets and their accounts.
#[derive(Debug)]
pub struct Store {
    hasher: CredentialHasher,
    cache: Cache,
    jobs: Sender<Job>,
    answers: Receiver<Answer>,
    counters: Arc<LookupCounters>,
    times: Times,
    knows_buckets: bool,
}

/// How long answers are believed.
#[derive(Debug, Clone, Copy)]
struct Times {
    found_ns: u64,
    missing_ns: u64,
    stale_ns: u64,
}

impl Times {
    fn of(config: &StoreConfig) -> Self {
        let ns = |duration: Duration| u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX);
        Self { found_ns: ns(config.found_ttl), missing_ns: ns(config.missing_ttl), stale_ns: ns(config.stale_ttl) }
    }
}

impl Store {
    /// A store and the half of it that a tokio runtime must run. Reads the static file; connects to nothing yet.
    pub fn open(config: &StoreConfig) -> Result<(Self, Lookups), OpenError> {
        let counters = Arc::new(LookupCounters::default());
        let (lookups, jobs, answers) = Lookups::open(config, counters.clone())?;
        let store = Self {
            hasher: CredentialHasher::random().map_err(OpenError::Random)?,
            cache: Cache::new(config.capacity),
            jobs,
            answers,
            counters,
            times: Times::of(config),
            knows_buckets: lookups.sources.postgres.is_some(),
        };
        Ok((store, lookups))
    }

    /// Goes over to another configuration. On an error everything stays as it was; else the new lookups must be run,
    /// and the old ones end by themselves. Accounts are looked up anew; what was proven or derived is kept, and so is
    /// the cache's capacity.
    pub fn reopen(&mut self, config: &StoreConfig) -> Result<Lookups, OpenError> {
        let (lookups, jobs, answers) = Lookups::open(config, self.counters.clone())?;
        (self.jobs, self.answers, self.times) = (jobs, answers, Times::of(config));
        self.knows_buckets = lookups.sources.postgres.is_some();
        self.cache.forget_accounts();
        Ok(lookups)
    }

    /// Takes up the answers that have come in, tells `answered` whose they are, and gives their number.
    pub fn collect(&mut self, now_ns: u64, mut answered: impl FnMut(CredentialKey)) -> usize {
        let mut count = 0;
        while let Ok(answer) = self.answers.try_recv() {
            count += 1;
            answered(answer.key);
            self.take_up(answer, now_ns);
        }
        count
    }

    /// What is known of a credential now. Asks nobody.
    pub fn peek(&mut self, key: &CredentialKey, now_ns: u64) -> Resolution {
        match self.cache.get_mut(key) {
            Some(entry) => known(entry, now_ns),
            None => Resolution::Unknown(Reason::NeverAsked),
        }
    }

    /// The account of a credential that is only claimed: looked up where that is cheap, never derived.
    pub fn resolve(&mut self, credential: &Credential, now_ns: u64) -> Resolution {
        self.look_up(credential.key, Scope::Claimed, now_ns, |derived| subject(credential, derived))
    }

    /// The account of a credential that the server has just accepted: looked up everywhere. Marks it as proven.
    pub fn resolve_accepted(&mut self, credential: &Credential, now_ns: u64) -> Resolution {
        self.accepted(&credential.key);
        self.look_up(credential.key, Scope::Accepted, now_ns, |derived| subject(credential, derived))
    }

    /// The owner of a bucket, as an account whose `subaccount_id` is unknown.
    pub fn bucket_owner(&mut self, bucket: &str, now_ns: u64) -> Resolution {
        if !self.knows_buckets || bucket.is_empty() || bucket.len() > MAX_BUCKET_BYTES || bucket.contains('\0') {
            return Resolution::Unknown(Reason::NotFound);
        }
        let key = self.hasher.bucket(bucket);
        self.look_up(key, Scope::Accepted, now_ns, |_| Some(Subject::Bucket(bucket.into())))
    }

    /// The server has accepted this credential.
    pub fn accepted(&mut self, key: &CredentialKey) {
        self.cache.entry(*key).proven = true;
    }

    /// The server has refused this credential. The account that is known stays known, for the true owner's sake, but
    /// until the server accepts the credential again nothing is counted on it ahead of a response.
    pub fn refused(&mut self, key: &CredentialKey) {
        if let Some(entry) = self.cache.get_mut(key) {
            entry.proven = false;
        }
    }

    /// What the head of a request claims; the access key is kept in the claim only if a lookup will need it.
    pub fn claim(&self, rules: &RuleSet, head: &RequestHead<'_>, now_ns: u64) -> Claim {
        rules.claim(head, &self.hasher, |key| match self.cache.get(key) {
            Some(entry) => entry.derived.is_none() && !entry.is_fresh(Scope::Accepted, now_ns),
            None => true,
        })
    }

    /// The key under which [`collect`](Self::collect) will tell of a bucket.
    pub fn bucket_key(&self, bucket: &str) -> CredentialKey {
        self.hasher.bucket(bucket)
    }

    /// Counters of lookups, for the exporter.
    pub fn counters(&self) -> Arc<LookupCounters> {
        self.counters.clone()
    }

    /// How many credentials and buckets are remembered.
    pub fn remembered(&self) -> usize {
        self.cache.len()
    }

    fn look_up(
        &mut self,
        key: CredentialKey,
        scope: Scope,
        now_ns: u64,
        subject: impl FnOnce(Option<&Arc<str>>) -> Option<Subject>,
    ) -> Resolution {
        let entry = self.cache.entry(key);
        if entry.is_fresh(scope, now_ns) {
            let resolution = known(entry, now_ns);
            let hit = matches!(resolution, Resolution::Known { .. });
            self.counters.count(Asked::Memory, if hit { Answered::Hit } else { Answered::Miss });
            return resolution;
        }
        let waiting = |(pending, since_ns): (Scope, u64)| pending >= scope && now_ns < since_ns + LOST_AFTER_NS;
        if entry.pending.is_some_and(waiting) {
            return usable_or(entry, now_ns, Resolution::Pending);
        }
        let Some(subject) = subject(entry.derived.as_ref()) else {
            return usable_or(entry, now_ns, Resolution::Unknown(Reason::NoSecret));
        };
        let (answered, otherwise) = match self.jobs.try_send(Job { key, subject, scope, asked_at: Instant::now() }) {
            Ok(()) => {
                entry.pending = Some((scope, now_ns));
                let stale = entry.usable(now_ns).is_some();
                (if stale { Answered::Stale } else { Answered::Miss }, Resolution::Pending)
            }
            Err(_) => (Answered::QueueFull, Resolution::Unknown(Reason::QueueFull)),
        };
        let resolution = usable_or(entry, now_ns, otherwise);
        self.counters.count(Asked::Memory, answered);
        resolution
    }

    fn take_up(&mut self, answer: Answer, now_ns: u64) {
        let times = self.times;
        let entry = self.cache.entry(answer.key);
        let more_to_come = entry.pending.is_some_and(|(scope, _)| scope > answer.scope);
        if !more_to_come {
            entry.pending = None;
        }
        entry.derived = answer.derived.or(entry.derived.take());
        match answer.found {
            Ok(found) => {
                // Half an account does not replace a whole one.
                if found.complete || !entry.complete || entry.usable(now_ns).is_none() {
                    entry.account = Some(found.account);
                    entry.complete = found.complete;
                    entry.stale_until_ns = now_ns.saturating_add(times.stale_ns);
                }
                entry.scope = answer.scope;
                entry.fresh_until_ns =
                    now_ns.saturating_add(if found.complete { times.found_ns } else { times.missing_ns });
            }
            Err(_) if more_to_come => {}
            Err(reason) => {
                entry.reason = reason;
                entry.scope = answer.scope;
                entry.fresh_until_ns = now_ns.saturating_add(times.missing_ns);
            }
        }
    }
}

/// What the job needs: the address that is known already, or the access key.
fn subject(credential: &Credential, derived: Option<&Arc<str>>) -> Option<Subject> {
    match (derived, &credential.secret) {
        (Some(address), _) => Some(Subject::Address(address.clone())),
        (None, Some(secret)) => Some(Subject::AccessKey(secret.clone())),
        (None, None) => None,
    }
}

fn known(entry: &cache::Entry, now_ns: u64) -> Resolution {
    let otherwise = if entry.pending.is_some() { Resolution::Pending } else { Resolution::Unknown(entry.reason) };
    usable_or(entry, now_ns, otherwise)
}

fn usable_or(entry: &cache::Entry, now_ns: u64, otherwise: Resolution) -> Resolution {
    match entry.usable(now_ns) {
        Some(account) => Resolution::Known { account: account.clone(), proven: entry.proven },
        None => otherwise,
    }
}

#[cfg(test)]
mod tests;
