//! The families together, their clock and their sweep.

use std::sync::Arc;

use super::SeriesConfig;
use super::account::{Accounts, MAX_ACCOUNTS};
use super::family::{Family, Gate, NO_ACCOUNT, Shape};
use super::ladder::{DURATION, SIZE};
use super::names::Names;
use super::place::Places;
use super::snapshot::Columns;
use crate::attribute::Account;
use crate::record::catalogue::{self, Metric};
use crate::record::exemplar::Exemplars;
use crate::record::sample::{AccountId, ServiceId};

/// Most services with a name of their own.
const MAX_SERVICES: usize = 256;
/// Most methods, handlers and operations: they come from tables of the program and the config.
const MAX_METHODS: usize = 64;
const MAX_HANDLERS: usize = 2048;
const MAX_OPERATIONS: usize = 512;
/// Most error codes: a server can answer any.
const MAX_CODES: usize = 128;
/// Most peers whose calls can name an account.
const MAX_PEERS: usize = 500;

/// Lines that an account takes at the least: its requests, durations and bytes.
const LEAST_LINES_PER_ACCOUNT: usize = 4;

/// The families, in the order of the catalogue.
#[derive(Debug)]
pub(super) struct Families {
    pub requests: Family,
    pub duration: Family,
    pub phase: Family,
    pub request_bytes: Family,
    pub response_bytes: Family,
    pub request_body: Family,
    pub response_body: Family,
    pub in_flight: Family,
    pub operations: Family,
    pub objects: Family,
    pub buckets: Family,
    pub uploaded: Family,
    pub downloaded: Family,
    pub errors: Family,
    pub calls: Family,
    pub call_bytes: Family,
}

/// Numbers of the names in labels.
#[derive(Debug)]
pub(super) struct Vocabulary {
    pub services: Names,
    pub methods: Names,
    pub handlers: Names,
    pub operations: Names,
    pub codes: Names,
    pub peers: Names,
    pub places: Places,
}

/// All series with account or service labels.
#[derive(Debug)]
pub(super) struct Store {
    pub families: Families,
    pub vocabulary: Vocabulary,
    pub gate: Gate,
    /// Requests behind some of the durations.
    pub exemplars: Arc<Exemplars>,
    idle_s: u32,
    /// Time of the last snapshot.
    seen_s: u32,
    dropped: u64,
    sweeping: usize,
}

impl Store {
    pub fn new(config: SeriesConfig) -> Self {
        let mut store = Self {
            families: Families::new(),
            vocabulary: Vocabulary {
                services: Names::new(MAX_SERVICES),
                methods: Names::new(MAX_METHODS),
                handlers: Names::new(MAX_HANDLERS),
                operations: Names::new(MAX_OPERATIONS),
                codes: Names::new(MAX_CODES),
                peers: Names::new(MAX_PEERS),
                places: Places::default(),
            },
            gate: Gate { accounts: Accounts::default(), lines: 0, max_lines: 0, max_family_lines: 0, now_s: 0 },
            exemplars: Arc::default(),
            idle_s: 0,
            seen_s: 0,
            dropped: 0,
            sweeping: 0,
        };
        store.configure(config);
        store
    }

    pub fn configure(&mut self, config: SeriesConfig) {
        self.gate.max_lines = config.max_series;
        self.gate.max_family_lines = config.max_series_per_family;
        self.idle_s = u32::try_from(config.idle.as_secs()).unwrap_or(u32::MAX);
    }

    pub fn service(&mut self, name: &str) -> ServiceId {
        let names = &mut self.vocabulary;
        let service = names.services.id(name);
        names.places.id(names.services.name(service), None)
    }

    pub fn service_in(&mut self, name: &str, place: [&str; 3]) -> ServiceId {
        let names = &mut self.vocabulary;
        let service = names.services.id(name);
        names.places.id(names.services.name(service), Some(place))
    }

    pub fn account(&mut self, account: &Account) -> AccountId {
        let gate = &mut self.gate;
        let (lines, max_lines) = (gate.lines, gate.max_lines);
        let max_accounts = (max_lines / LEAST_LINES_PER_ACCOUNT).min(MAX_ACCOUNTS);
        gate.accounts.id(account, gate.now_s, |accounts| lines < max_lines - max_lines / 8 && accounts < max_accounts)
    }

    pub fn in_flight(&mut self, service: ServiceId, delta: i64) {
        let places = &self.vocabulary.places;
        let key = u64::from(service.0);
        self.families.in_flight.add(&mut self.gate, NO_ACCOUNT, key, delta.cast_unsigned(), |out| {
            out.push_str(places.labels(service.0));
        });
    }

    /// Moves the clock; it never goes back.
    pub fn clock(&mut self, now_ns: u64) {
        let now_s = u32::try_from(now_ns / 1_000_000_000).unwrap_or(u32::MAX);
        self.gate.now_s = self.gate.now_s.max(now_s);
    }

    pub fn tick(&mut self, now_ns: u64) {
        self.clock(now_ns);
        let Some(before_s) = self.gate.now_s.checked_sub(self.idle_s).filter(|_| self.idle_s > 0) else { return };
        let families = self.families.all_mut();
        let count = families.len();
        if let Some(family) = families.into_iter().nth(self.sweeping) {
            self.dropped += family.sweep(&mut self.gate, before_s, self.seen_s);
        }
        self.sweeping += 1;
        if self.sweeping >= count {
            self.sweeping = 0;
            self.gate.accounts.sweep(before_s);
        }
    }

    /// A scrape reads everything now.
    pub fn seen(&mut self) {
        self.seen_s = self.gate.now_s;
    }

    pub fn copy_into(&mut self, columns: &mut Columns) {
        columns.lines = self.gate.lines;
        columns.dropped = self.dropped;
        columns.accounts.clone_from(self.gate.accounts.texts());
        let families = self.families.all_mut();
        columns.families.resize_with(families.len(), Default::default);
        for (copy, family) in columns.families.iter_mut().zip(families) {
            copy.copy(family);
        }
    }
}

impl Families {
    fn new() -> Self {
        let counter = |name| Family::new(entry(name), Shape::Counter);
        let histogram = |name, ladder| Family::new(entry(name), Shape::Histogram(ladder));
        Self {
            requests: counter("http_requests_total"),
            duration: histogram("http_request_duration_seconds", &DURATION),
            phase: histogram("http_request_phase_seconds", &DURATION),
            request_bytes: counter("http_request_bytes_total"),
            response_bytes: counter("http_response_bytes_total"),
            request_body: histogram("http_request_body_bytes", &SIZE),
            response_body: histogram("http_response_body_bytes", &SIZE),
            in_flight: Family::new(entry("http_requests_in_flight"), Shape::Gauge),
            operations: counter("s3_operations_total"),
            objects: counter("s3_objects_total"),
            buckets: counter("s3_buckets_total"),
            uploaded: counter("s3_bytes_uploaded_total"),
            downloaded: counter("s3_bytes_downloaded_total"),
            errors: counter("s3_errors_total"),
            calls: counter("hippius_outbound_requests_total"),
            call_bytes: counter("hippius_outbound_bytes_total"),
        }
    }

    fn all_mut(&mut self) -> [&mut Family; 16] {
        [
            &mut self.requests,
            &mut self.duration,
            &mut self.phase,
            &mut self.request_bytes,
            &mut self.response_bytes,
            &mut self.request_body,
            &mut self.response_body,
            &mut self.in_flight,
            &mut self.operations,
            &mut self.objects,
            &mut self.buckets,
            &mut self.uploaded,
            &mut self.downloaded,
            &mut self.errors,
            &mut self.calls,
            &mut self.call_bytes,
        ]
    }
}

/// The catalogue's entry; a family that the catalogue does not know has no business here, which a test holds.
fn entry(name: &'static str) -> &'static Metric {
    static MISSING: Metric = Metric {
        name: "missing",
        kind: catalogue::Kind::Counter,
        help: "",
        labels: &[],
        section: catalogue::Section::Http,
    };
    catalogue::find(name).unwrap_or(&MISSING)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::catalogue::{Kind, Section};

    #[test]
    fn the_families_are_the_first_section_of_the_catalogue_and_those_of_calls_with_accounts() {
        let is_ours = |metric: &&Metric| metric.section == Section::Http || metric.labels.contains(&"main_account");
        let expected: Vec<_> = catalogue::all().iter().filter(is_ours).collect();
        let mut families = Families::new();
        let built = families.all_mut();
        assert_eq!(built.iter().map(|family| family.metric).collect::<Vec<_>>(), expected);
        for family in built {
            let kind = match family.shape {
                Shape::Counter => Kind::Counter,
                Shape::Gauge => Kind::Gauge,
                Shape::Histogram(_) => Kind::Histogram,
            };
            assert_eq!(family.metric.kind, kind, "{}", family.metric.name);
        }
    }
}
