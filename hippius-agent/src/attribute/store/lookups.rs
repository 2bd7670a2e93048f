//! The asynchronous half of the store: asks the sources, in the configured order.

use super::Fault;
use super::cache::{Reason, Scope};
use super::config::{Source, StoreConfig};
use super::counters::{Answered, Asked, LookupCounters};
use super::open::{OpenError, open_sources};
use super::postgres_source::PostgresLink;
use super::redis_source::RedisAccounts;
use super::static_file::StaticAccounts;
use crate::attribute::{Account, CredentialKey, Secret, UNKNOWN, derive};
use std::sync::Arc;
use std::time::Instant;
use tokio::sync::mpsc::{self, Receiver, Sender};
use tokio::task::JoinSet;

/// One lookup to do.
#[derive(Debug)]
pub(super) struct Job {
    pub(super) key: CredentialKey,
    pub(super) subject: Subject,
    pub(super) scope: Scope,
    pub(super) asked_at: Instant,
}

/// Whose account is looked up.
#[derive(Debug)]
pub(super) enum Subject {
    /// That of an access key.
    AccessKey(Secret),
    /// That of an access key which gave this address before.
    Address(Arc<str>),
    /// That of a bucket's owner.
    Bucket(Box<str>),
}

/// What a lookup has found.
#[derive(Debug)]
pub(super) struct Answer {
    pub(super) key: CredentialKey,
    pub(super) scope: Scope,
    pub(super) found: Result<Found, Reason>,
    pub(super) derived: Option<Arc<str>>,
}

/// An account; not complete where its main account is not known yet.
#[derive(Debug)]
pub(super) struct Found {
    pub(super) account: Arc<Account>,
    pub(super) complete: bool,
}

pub(super) struct Sources {
    pub(super) order: Vec<Source>,
    pub(super) static_accounts: StaticAccounts,
    pub(super) redis: RedisAccounts,
    pub(super) postgres: Option<PostgresLink>,
    pub(super) counters: Arc<LookupCounters>,
}

/// Runs the lookups of one [`Store`](super::Store); give [`run`](Self::run) to a tokio runtime.
pub struct Lookups {
    pub(super) jobs: Receiver<Job>,
    pub(super) answers: Sender<Answer>,
    pub(super) parallel: usize,
    pub(super) sources: Arc<Sources>,
}

impl Lookups {
    /// The lookups of a configuration, where to send jobs, and where answers come out.
    pub(super) fn open(
        config: &StoreConfig,
        counters: Arc<LookupCounters>,
    ) -> Result<(Self, Sender<Job>, Receiver<Answer>), OpenError> {
        let sources = Arc::new(open_sources(config, counters)?);
        let (jobs, jobs_to_do) = mpsc::channel(config.queue.max(1));
        let (answers, answers_to_take) = mpsc::channel(config.queue.max(1));
        let lookups = Self { jobs: jobs_to_do, answers, parallel: config.parallel.max(1), sources };
        Ok((lookups, jobs, answers_to_take))
    }

    /// Looks up until the store is dropped.
    pub async fn run(mut self) {
        let mut running = JoinSet::new();
        loop {
            tokio::select! {
                job = self.jobs.recv(), if running.len() < self.parallel => match job {
                    Some(job) => {
                        let (sources, answers) = (self.sources.clone(), self.answers.clone());
                        running.spawn(async move {
                            let answer = sources.answer(job).await;
                            // The store may be gone already.
                            let _ = answers.send(answer).await;
                        });
                    }
                    None => break,
                },
                Some(_) = running.join_next() => {}
            }
        }
    }
}

impl Sources {
    async fn answer(&self, job: Job) -> Answer {
        let mut derived = None;
        let found = match &job.subject {
            Subject::Bucket(name) => self.owner_of(name).await,
            Subject::Address(address) => {
                derived = Some(address.clone());
                self.of_address(address).await
            }
            Subject::AccessKey(secret) => self.of_access_key(secret, job.scope, &mut derived).await,
        };
        self.counters.observe(job.asked_at.elapsed());
        Answer { key: job.key, scope: job.scope, found, derived }
    }

    /// The first source that knows the access key has the say. What failed on the way is told only where none knows.
    async fn of_access_key(
        &self,
        secret: &Secret,
        scope: Scope,
        derived: &mut Option<Arc<str>>,
    ) -> Result<Found, Reason> {
        let mut reason = Reason::NotFound;
        // Everything else is never sent to anybody: it may be a seed phrase.
        let may_travel = is_hippius_key(secret.expose());
        for source in &self.order {
            let answer = match source {
                Source::StaticFile => {
                    let found = self.static_accounts.get(secret).map(|account| Account::clone(account));
                    self.counted(Asked::StaticFile, Ok(found))
                }
                Source::Redis if may_travel => self.counted(Asked::Redis, self.redis.of_access_key(secret).await),
                Source::Postgres if may_travel => match &self.postgres {
                    Some(postgres) => self.counted(Asked::Postgres, postgres.of_access_key(secret).await),
                    None => continue,
                },
                Source::Derive if scope == Scope::Accepted && !may_travel => {
                    let Some(address) = self.derive(secret).await else { continue };
                    *derived = Some(address.clone());
                    return self.of_address(&address).await;
                }
                Source::Redis | Source::Postgres | Source::Derive => continue,
            };
            match answer {
                Ok(Some(account)) => return Ok(Found { account: Arc::new(account), complete: true }),
                Ok(None) => {}
                Err(fault) => reason = fault.reason(),
            }
        }
        Err(reason)
    }

    /// The address is the subaccount; Redis knows its main account, or will in a while.
    async fn of_address(&self, address: &Arc<str>) -> Result<Found, Reason> {
        let main = self.counted(Asked::Redis, self.redis.main_of(address).await).ok().flatten();
        let complete = main.is_some();
        let main = main.unwrap_or_else(|| UNKNOWN.main.clone());
        Ok(Found { account: Arc::new(Account { main, sub: address.clone() }), complete })
    }

    async fn owner_of(&self, bucket: &str) -> Result<Found, Reason> {
        let Some(postgres) = &self.postgres else { return Err(Reason::NotFound) };
        match self.counted(Asked::Postgres, postgres.owner_of(bucket).await) {
            Ok(Some(main)) => {
                Ok(Found { account: Arc::new(Account { main, sub: UNKNOWN.sub.clone() }), complete: true })
            }
            Ok(None) => Err(Reason::NotFound),
            Err(fault) => Err(fault.reason()),
        }
    }

    /// On a thread for blocking work, because it keeps a core busy for a millisecond.
    async fn derive(&self, secret: &Secret) -> Option<Arc<str>> {
        let secret = secret.clone();
        let address = match tokio::task::spawn_blocking(move || derive::address(&secret)).await {
            Ok(Ok(address)) => Ok(Some(Arc::from(address))),
            Ok(Err(_)) => Ok(None),
            Err(_) => Err(Fault::Error),
        };
        self.counted(Asked::Derive, address).ok().flatten()
    }

    fn counted<T>(&self, asked: Asked, answer: Result<Option<T>, Fault>) -> Result<Option<T>, Fault> {
        let answered = match &answer {
            Ok(Some(_)) => Answered::Hit,
            Ok(None) => Answered::Miss,
            Err(Fault::Ambiguous) => Answered::Ambiguous,
            Err(Fault::Malformed) => Answered::Malformed,
            Err(Fault::Error) => Answered::Error,
            Err(Fault::Timeout) => Answered::Timeout,
        };
        self.counters.count(asked, answered);
        answer
    }
}

/// `hip_` and 1 to 240 characters: the keys of 2026, which name an account and are no seed.
fn is_hippius_key(access_key: &str) -> bool {
    access_key.strip_prefix("hip_").is_some_and(|rest| (1..=240).contains(&rest.len()))
}
