//! What moved between two snapshots of the series.

use std::sync::Arc;

use super::frame::{Entry, metric};
use super::labels;
use super::names::Tails;
use crate::record::series::family::NO_ACCOUNT;
use crate::record::series::snapshot::{FamilyView, Snapshot};

/// Number of accounts that are none, in entries of the sampler; others are their slot in the series store and one.
const NOBODY: u32 = 0;

/// The last snapshot, and how the labels of the series are numbered here.
#[derive(Debug, Default)]
pub struct Sampler {
    last: Option<Snapshot>,
    /// By family, by number of its labels there: our number, and the metric. `None`: not watched.
    tails: Vec<Vec<Option<(u32, u8)>>>,
}

/// What came of a sample.
#[derive(Debug, Default)]
pub struct Moves {
    /// What moved, not yet sorted. Accounts are slots of the series store and one.
    pub entries: Vec<Entry>,
    /// Exchanges under way, by service.
    pub in_flight: Vec<(Arc<str>, f64)>,
}

impl Sampler {
    /// What moved since the last snapshot; `None` the first time, when there is nothing to compare with.
    pub fn sample(&mut self, now: Snapshot, tails: &mut Tails) -> Option<Moves> {
        let mut moves = Moves::default();
        self.tails.resize_with(now.len(), Vec::new);
        for (index, known) in self.tails.iter_mut().enumerate() {
            let Some(family) = now.family(index) else { continue };
            if family.metric().name == "http_requests_in_flight" {
                in_flight(&family, &mut moves.in_flight);
                continue;
            }
            let Some(kind) = Watched::of(family.metric().name) else { continue };
            let last = self.last.as_ref().and_then(|last| last.family(index));
            moved(&family, last.as_ref(), |labels_at, bucket, value| {
                let (account, tail) = labels_at;
                if let Some((tail, first)) = number(known, tail, kind, &family, tails) {
                    let account = if account == NO_ACCOUNT { NOBODY } else { account + 1 };
                    moves.entries.push(Entry::new(account, tail, first + bucket, value));
                }
            });
        }
        self.last.replace(now).map(|_| moves)
    }

    /// The snapshot that was sampled last.
    pub fn last(&self) -> Option<&Snapshot> {
        self.last.as_ref()
    }
}

/// A family that the history keeps.
#[derive(Debug, Clone, Copy)]
enum Watched {
    Requests,
    Duration,
    Phase,
    Bytes(u8),
    Operations,
    Errors,
}

impl Watched {
    fn of(name: &str) -> Option<Self> {
        Some(match name {
            "http_requests_total" => Self::Requests,
            "http_request_duration_seconds" => Self::Duration,
            "http_request_phase_seconds" => Self::Phase,
            "http_request_bytes_total" => Self::Bytes(metric::RECEIVED),
            "http_response_bytes_total" => Self::Bytes(metric::SENT),
            "s3_operations_total" => Self::Operations,
            "s3_errors_total" => Self::Errors,
            _ => return None,
        })
    }

    /// Our number for printed labels, and the metric that they belong to.
    fn number(self, text: &str, tails: &mut Tails) -> Option<(u32, u8)> {
        let label = |name| labels::value(text, name);
        let (service, handler) = (label("service"), label("handler"));
        let handler = (true, &*handler);
        Some(match self {
            Self::Requests => (tails.id(&service, handler, &ending(text)), metric::REQUESTS),
            Self::Duration => (tails.id(&service, handler, ""), metric::DURATION),
            Self::Bytes(metric) => (tails.id(&service, handler, ""), metric),
            Self::Operations => {
                (tails.id(&service, (false, &label("operation")), &label("success")), metric::OPERATIONS)
            }
            Self::Errors => (tails.id(&service, (false, ""), &label("code")), metric::S3_ERRORS),
            Self::Phase => {
                let first = match &*label("phase") {
                    "receive" => metric::RECEIVE,
                    "process" => metric::PROCESS,
                    "send" => metric::SEND,
                    _ => return None,
                };
                (tails.id(&service, handler, ""), first)
            }
        })
    }
}

/// How an exchange ended, in one word: its status where it is complete, else its outcome.
pub fn ending(text: &str) -> std::borrow::Cow<'_, str> {
    match labels::value(text, "outcome") {
        outcome if outcome == "complete" => labels::value(text, "status_code"),
        outcome => outcome,
    }
}

/// Whether an exchange that ended so failed. One whose end was not observed is not said to.
pub fn is_failure(ending: &str) -> bool {
    match ending.parse::<u16>() {
        Ok(status) => status >= 400,
        Err(_) => matches!(ending, "client_abort" | "server_abort" | "timeout"),
    }
}

fn number(
    known: &mut Vec<Option<(u32, u8)>>,
    tail: u32,
    kind: Watched,
    family: &FamilyView<'_>,
    tails: &mut Tails,
) -> Option<(u32, u8)> {
    // The store numbers them one after the other, and never gives a number again.
    while known.len() <= tail as usize {
        let next = known.len() as u32;
        known.push(kind.number(family.tail(next), tails));
    }
    known.get(tail as usize).copied().flatten()
}

/// Gives each cell that grew: (account, labels), the cell, by how much. The sum of a histogram is no cell here.
fn moved(now: &FamilyView<'_>, last: Option<&FamilyView<'_>>, mut each: impl FnMut((u32, u32), u8, u64)) {
    for slot in 0..now.slots() {
        let Some((labels, cells)) = now.numbers(slot) else { continue };
        let before = last.and_then(|last| last.numbers(slot)).filter(|(old, _)| *old == labels).map(|(_, cells)| cells);
        if before == Some(cells) {
            continue;
        }
        // A series that was dropped and came back counts from 0.
        let before = before.filter(|before| before.iter().zip(cells).all(|(before, now)| before <= now));
        let counts = if cells.len() == 1 { cells } else { cells.split_last().map_or(cells, |(_, buckets)| buckets) };
        for (cell, now) in (0u8..).zip(counts) {
            let was = before.and_then(|before| before.get(usize::from(cell))).copied().unwrap_or(0);
            if *now > was {
                each((labels.account, labels.tail), cell, now - was);
            }
        }
    }
}

fn in_flight(family: &FamilyView<'_>, out: &mut Vec<(Arc<str>, f64)>) {
    for series in (0..family.slots()).filter_map(|slot| family.series(slot)) {
        let value = series.cells.first().map_or(0, |cell| cell.cast_signed().max(0));
        let service = labels::value(series.labels, "service");
        // A service in several containers has a series for each, where the labels tell them.
        match out.iter_mut().find(|(known, _)| **known == *service) {
            Some((_, sum)) => *sum += value as f64,
            None => out.push((service.into(), value as f64)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_ending_is_a_status_or_what_went_wrong() {
        for (labels, expected, failed) in [
            (r#"status_code="200",outcome="complete""#, "200", false),
            (r#"status_code="503",outcome="complete""#, "503", true),
            (r#"status_code="200",outcome="client_abort""#, "client_abort", true),
            (r#"status_code="none",outcome="unobserved""#, "unobserved", false),
        ] {
            assert_eq!(ending(labels), expected);
            assert_eq!(is_failure(&ending(labels)), failed, "{labels}");
        }
    }
}
