//! The families of HTTP exchanges and S3 operations: many series, one writer, scrapes that never block it for long.
//!
//! [`Recorder`] belongs to the one thread that records; [`SeriesReader`] is cloned to everybody who scrapes. Both meet
//! at one lock. The recorder holds it for one sample, or for a few hundred with [`Recorder::batch`]; a scrape holds it
//! while it copies the numeric columns (≤ 1 ms for 100 000 lines) and prints from the copy. So all values of one
//! exchange are on a page, or none.
//!
//! # Budget
//!
//! A series is what Prometheus calls one: a line of the page (a histogram takes 18). New *accounts* are admitted up to
//! seven eighths of the budget; the last eighth is for new series of the accounts that are in. A series that finds no
//! room, in its family or at all, folds: its updates go to the series with `main_account` and `subaccount_id`
//! `__other__` and otherwise the same labels, and are counted in `hippius_agent_series_folded_total`. An update goes to
//! exactly one series, so that sums over accounts are exact. Outside of the budget stand families without account
//! labels and the accounts `unknown`, `public`, `unauthenticated` and `__other__`; their number is bounded by the
//! label tables (services, handlers, operations, codes, at most 4096 combinations per family).
//!
//! # What is dropped
//!
//! A series of an ordinary account that had no update for the idle time, and only if a scrape has read its last value:
//! nothing disappears unseen. If it comes back it starts at 0, which Prometheus takes for a restart. Two things to
//! know: `increase()` over a window that holds both the old and the new series sees the restart only while the new
//! value is below the old one, and a sum over raw counter values falls by what is dropped. Who needs neither sets the
//! idle time to 0: then nothing is dropped, and the budget alone bounds the memory. Series that others fold into are
//! never dropped, so that what was folded stays monotone; without scrapes nothing is dropped either.

pub mod account;
pub mod family;
pub mod ladder;
pub mod names;
pub mod snapshot;
pub mod text;

mod call;
mod exchange;
mod place;
mod store;

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use crate::attribute::Account;
use crate::record::exemplar::{Exemplars, RayId, Shown};
use crate::record::sample::{AccountId, CallSample, CallTransfer, ExchangeSample, ServiceId, TransferSample};
use snapshot::{Columns, Snapshot};
use store::Store;

/// Limits of the series store.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SeriesConfig {
    /// Most lines of all families together.
    pub max_series: usize,
    /// Most lines of one family.
    pub max_series_per_family: usize,
    /// How long a series stays without an update; 0: for ever. Above Prometheus' look-back (5 min), else the old and the
    /// new series of an account that comes and goes stand side by side in a query.
    pub idle: Duration,
}

impl Default for SeriesConfig {
    fn default() -> Self {
        Self { max_series: 100_000, max_series_per_family: 50_000, idle: Duration::from_secs(3600) }
    }
}

/// The writer's end. One per process, on the thread that records.
#[derive(Debug)]
pub struct Recorder {
    store: Arc<Mutex<Store>>,
}

/// The readers' end.
#[derive(Debug, Clone)]
pub struct SeriesReader {
    store: Arc<Mutex<Store>>,
    spare: Arc<Mutex<Option<Box<Columns>>>>,
    exemplars: Arc<Exemplars>,
}

/// Several updates under one lock. Keep it for a few hundred samples, not longer: a scrape waits meanwhile.
#[derive(Debug)]
pub struct Batch<'a> {
    store: MutexGuard<'a, Store>,
}

impl Recorder {
    /// An empty store.
    pub fn new(config: SeriesConfig) -> Self {
        Self { store: Arc::new(Mutex::new(Store::new(config))) }
    }

    /// A reader of this store.
    pub fn reader(&self) -> SeriesReader {
        let exemplars = Arc::clone(&lock(&self.store).exemplars);
        SeriesReader { store: Arc::clone(&self.store), spare: Arc::default(), exemplars }
    }

    /// Takes the lock for several updates. No scrape sees a part of one sample, and none waits longer than the batch.
    pub fn batch(&mut self) -> Batch<'_> {
        Batch { store: lock(&self.store) }
    }

    /// New limits. Series above a lowered budget stay until they are idle.
    pub fn configure(&mut self, config: SeriesConfig) {
        self.batch().store.configure(config);
    }

    /// See [`Batch::service`].
    pub fn service(&mut self, name: &str) -> ServiceId {
        self.batch().service(name)
    }

    /// See [`Batch::account`].
    pub fn account(&mut self, account: &Account) -> AccountId {
        self.batch().account(account)
    }

    /// See [`Batch::exchange`].
    pub fn exchange(&mut self, sample: &ExchangeSample<'_>, now_ns: u64) {
        self.batch().exchange(sample, now_ns);
    }

    /// See [`Batch::transfer`].
    pub fn transfer(&mut self, sample: &TransferSample, now_ns: u64) {
        self.batch().transfer(sample, now_ns);
    }

    /// See [`Batch::in_flight`].
    pub fn in_flight(&mut self, service: ServiceId, delta: i64) {
        self.batch().in_flight(service, delta);
    }

    /// See [`Batch::tick`].
    pub fn tick(&mut self, now_ns: u64) {
        self.batch().tick(now_ns);
    }
}

impl Batch<'_> {
    /// The number of a service; beyond 256 services, that of `__other__`.
    pub fn service(&mut self, name: &str) -> ServiceId {
        self.store.service(name)
    }

    /// The number of a service in a container: its name, its pod and the namespace of that, empty where nobody tells. With
    /// all three on the labels, each container has series of its own; beyond 1000 of them, those are `__other__`.
    pub fn service_in(&mut self, name: &str, place: [&str; 3]) -> ServiceId {
        self.store.service_in(name, place)
    }

    /// The number of an account; that of `__other__` when the budget is spent. Ask for each exchange anew: the number
    /// of an account that was dropped meanwhile counts on `__other__`.
    pub fn account(&mut self, account: &Account) -> AccountId {
        self.store.account(account)
    }

    /// Counts a finished exchange. `now_ns` is monotonic and the same clock for all calls.
    pub fn exchange(&mut self, sample: &ExchangeSample<'_>, now_ns: u64) {
        self.store.exchange(sample, None, now_ns);
    }

    /// The same for a request that has a ray id, if that is known.
    pub fn exchange_of(&mut self, ray: Option<RayId>, sample: &ExchangeSample<'_>, now_ns: u64) {
        self.store.exchange(sample, ray, now_ns);
    }

    /// Counts bytes of an exchange that may still run.
    pub fn transfer(&mut self, sample: &TransferSample, now_ns: u64) {
        self.store.transfer(sample, now_ns);
    }

    /// Counts a finished call that can name an account.
    pub fn call(&mut self, sample: &CallSample<'_>, now_ns: u64) {
        self.store.call(sample, now_ns);
    }

    /// Counts bytes of a call that can name an account.
    pub fn call_bytes(&mut self, sample: &CallTransfer<'_>, now_ns: u64) {
        self.store.call_bytes(sample, now_ns);
    }

    /// Exchanges of `service` that began (positive) or ended (negative).
    pub fn in_flight(&mut self, service: ServiceId, delta: i64) {
        self.store.in_flight(service, delta);
    }

    /// Drops idle series, at most one family per call. Call it once a second, with or without traffic.
    pub fn tick(&mut self, now_ns: u64) {
        self.store.tick(now_ns);
    }
}

impl SeriesReader {
    /// All series as they stand between two updates, for a scrape: idle series may be dropped after it.
    pub fn snapshot(&self) -> Snapshot {
        self.copy(true)
    }

    /// The same for a reader that is no scrape: a series that only it has read is not dropped.
    pub fn glance(&self) -> Snapshot {
        self.copy(false)
    }

    /// Requests behind some of the durations.
    pub fn exemplars(&self) -> Shown {
        self.exemplars.shown()
    }

    fn copy(&self, scraped: bool) -> Snapshot {
        let mut columns = lock(&self.spare).take().unwrap_or_default();
        let mut store = lock(&self.store);
        if scraped {
            store.seen();
        }
        store.copy_into(&mut columns);
        drop(store);
        Snapshot::new(columns, Arc::clone(&self.spare))
    }
}

/// A panic elsewhere leaves numbers at worst half an exchange old; the page is worth more than the poison.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests;
