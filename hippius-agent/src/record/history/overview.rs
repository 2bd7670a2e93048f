//! The charts: frames and gauges, filtered and drawn together.

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;

use super::answer::{Choices, Now, Overview, Panel, Series, VERSION};
use super::filter::{Filter, Range};
use super::frame::{Frame, metric};
use super::gauges::{IN_FLIGHT, POINTS};
use super::panels::{NO_ACCOUNTS, NO_HANDLERS, PANELS, Source, Spec};
use super::sampler::is_failure;
use super::{History, INTERVAL_S, MERGE};
use crate::record::series::ladder::DURATION;

/// Series by name in one chart; the others are added up.
const NAMED: usize = 8;

/// What the others are called.
const OTHERS: &str = "others";

/// Short intervals in the minute that percentiles of "now" are about.
pub(super) const MINUTE: usize = 12;

/// Buckets of a duration histogram.
pub(super) type Buckets = [u64; DURATION.bounds.len() + 1];

/// Percentiles that are drawn.
const PERCENTILES: [(&str, f64); 3] = [("p50", 0.5), ("p95", 0.95), ("p99", 0.99)];

impl History {
    /// Everything that the page shows, except its table.
    pub fn overview(&self, filter: &Filter, range: Range) -> Overview {
        let long = range == Range::Hour;
        let frames = if long { &self.long } else { &self.short };
        let mut tally = Tally::new(self, filter, POINTS);
        for (at, frame) in frames.iter().enumerate() {
            tally.add(frame, POINTS - frames.len() + at);
        }
        let mut minute = Tally::new(self, filter, MINUTE);
        let last = self.short.len().min(MINUTE);
        for (at, frame) in self.short.iter().skip(self.short.len() - last).enumerate() {
            minute.add(frame, MINUTE - last + at);
        }
        let partial = filter.by_account() && frames.iter().any(|frame| frame.partial);
        Overview {
            version: VERSION,
            sampled_at_s: self.unix_s,
            step_s: if long { INTERVAL_S * MERGE as u32 } else { INTERVAL_S },
            points: POINTS,
            filter: filter.clone(),
            complete: !partial,
            grouped_by: tally.grouped_by(),
            choices: self.choices(),
            now: self.now(&minute, filter),
            panels: PANELS.iter().map(|spec| self.panel(spec, &tally, filter, long, frames.len())).collect(),
            agent: self.facts.state(self.unix_s, self.bytes()),
        }
    }

    fn choices(&self) -> Choices {
        // The first stands for what is beyond the limit, and was seen only if the table is full.
        let tails = || self.tails.all().iter().skip(1);
        let handlers: BTreeSet<_> = tails().filter(|tail| tail.has_handler).map(|tail| &*tail.what).collect();
        let services: BTreeSet<_> = tails().map(|tail| &*tail.service).collect();
        let owned = |names: BTreeSet<&str>| names.into_iter().map(str::to_owned).collect();
        Choices { service: owned(services), handler: owned(handlers) }
    }

    fn now(&self, minute: &Tally<'_>, filter: &Filter) -> Now {
        let last = |of: &HashMap<Arc<str>, Vec<f64>>| of.values().filter_map(|values| values.last()).sum::<f64>();
        let requests = last(&minute.requests);
        let duration = minute.durations.iter().fold(Buckets::default(), |mut sum, buckets| {
            sum.iter_mut().zip(buckets).for_each(|(sum, count)| *sum += count);
            sum
        });
        let services = self.gauges.series(IN_FLIGHT, false, 1).filter(|(service, _)| filter.service(service));
        let in_flight = services.filter_map(|(_, values)| values.last().copied()).filter(|value| !value.is_nan());
        let by_service = !filter.by_account() && filter.handler.is_empty();
        Now {
            requests_per_second: short(requests),
            failed_ratio: (requests > 0.0).then(|| short(last(&minute.failures) / requests)),
            p95_s: percentile(&duration, 0.95).map(short),
            received_per_second: short(last(&minute.received)),
            sent_per_second: short(last(&minute.sent)),
            in_flight: by_service.then(|| in_flight.map(f64::from).sum()),
        }
    }

    fn panel(&self, spec: &Spec, tally: &Tally<'_>, filter: &Filter, long: bool, frames: usize) -> Panel {
        let mut empty = spec.empty;
        let series = match spec.source {
            Source::Requests => tally.ranked(&tally.requests, frames),
            Source::Received => tally.ranked(&tally.received, frames),
            Source::Sent => tally.ranked(&tally.sent, frames),
            Source::Failures => tally.ranked(&tally.failures, frames),
            Source::Durations => {
                let of = |(name, q)| line(name, tally.durations.iter().map(|buckets| percentile(buckets, q)));
                PERCENTILES.map(of).into()
            }
            Source::Phases => {
                if filter.by_account() {
                    empty = NO_ACCOUNTS;
                }
                let names = ["receive", "process", "send"].into_iter().zip(&tally.phases);
                names.map(|(name, of)| line(name, of.iter().map(|buckets| percentile(buckets, 0.95)))).collect()
            }
            Source::Operations | Source::Errors => {
                if !filter.handler.is_empty() {
                    empty = NO_HANDLERS;
                }
                tally.ranked(if spec.source == Source::Errors { &tally.errors } else { &tally.operations }, frames)
            }
            Source::Gauges(families) => {
                families.iter().flat_map(|(family, name)| self.gauge(family, name, filter, long)).take(16).collect()
            }
            Source::First(families) => {
                let found = families.iter().map(|family| self.gauge(family, "", filter, long));
                found.into_iter().find(|series| !series.is_empty()).unwrap_or_default().into_iter().take(16).collect()
            }
        };
        let series: Vec<Series> =
            series.into_iter().filter(|series| series.values.iter().any(Option::is_some)).collect();
        Panel {
            id: spec.id,
            title: spec.title,
            section: spec.section,
            unit: spec.unit,
            stacked: spec.source.stacked(),
            about: spec.about,
            empty: series.is_empty().then_some(empty),
            series,
        }
    }

    fn gauge(&self, family: &'static str, name: &str, filter: &Filter, long: bool) -> Vec<Series> {
        let series = self.gauges.series(family, long, POINTS).filter(|(labels, values)| {
            (family != IN_FLIGHT || filter.service(labels)) && values.iter().any(|value| !value.is_nan())
        });
        let mut series: Vec<_> = series
            .map(|(labels, values)| {
                let name = match (name, labels) {
                    ("", "") => family.to_owned(),
                    (name, "") => name.to_owned(),
                    ("", labels) => labels.to_owned(),
                    (name, labels) => format!("{name} {labels}"),
                };
                let values = values.into_iter().map(|value| (!value.is_nan()).then(|| short(f64::from(value))));
                Series { name, values: values.collect() }
            })
            .collect();
        series.sort_by(|one, other| sum(other).total_cmp(&sum(one)));
        series
    }
}

/// What passes the filter, by point of time.
struct Tally<'a> {
    history: &'a History,
    filter: &'a Filter,
    /// Whether the labels with this number pass, by handler and by service.
    passes: Vec<(bool, bool)>,
    /// What an account's series is called; `None` where it does not pass.
    names: HashMap<u32, Option<Arc<str>>>,
    others: Arc<str>,
    points: usize,
    requests: HashMap<Arc<str>, Vec<f64>>,
    received: HashMap<Arc<str>, Vec<f64>>,
    sent: HashMap<Arc<str>, Vec<f64>>,
    failures: HashMap<Arc<str>, Vec<f64>>,
    operations: HashMap<Arc<str>, Vec<f64>>,
    errors: HashMap<Arc<str>, Vec<f64>>,
    durations: Vec<Buckets>,
    phases: [Vec<Buckets>; 3],
}

impl<'a> Tally<'a> {
    fn new(history: &'a History, filter: &'a Filter, points: usize) -> Self {
        let passes = history.tails.all().iter().map(|tail| {
            (tail.has_handler && filter.place(tail), filter.service(&tail.service) && filter.handler.is_empty())
        });
        let buckets = || vec![Buckets::default(); points];
        Self {
            history,
            filter,
            passes: passes.collect(),
            names: HashMap::new(),
            others: OTHERS.into(),
            points,
            requests: HashMap::new(),
            received: HashMap::new(),
            sent: HashMap::new(),
            failures: HashMap::new(),
            operations: HashMap::new(),
            errors: HashMap::new(),
            durations: buckets(),
            phases: [buckets(), buckets(), buckets()],
        }
    }

    /// One main account chosen: its subaccounts are the series.
    fn grouped_by(&self) -> &'static str {
        let one = self.filter.main_account.len() == 1 || !self.filter.subaccount_id.is_empty();
        if one { "subaccount_id" } else { "main_account" }
    }

    fn name(&mut self, account: u32) -> Option<Arc<str>> {
        if let Some(name) = self.names.get(&account) {
            return name.clone();
        }
        let person = self.history.people.get(account);
        let by_sub = self.grouped_by() == "subaccount_id";
        let name = self.filter.account(person).then(|| match person {
            Some(person) => Arc::clone(if by_sub { &person.sub } else { &person.main }),
            None => Arc::clone(&self.others),
        });
        self.names.insert(account, name.clone());
        name
    }

    fn add(&mut self, frame: &Frame, at: usize) {
        let seconds = f64::from(frame.interval_ms.max(1)) / 1000.0;
        for entry in frame.entries() {
            let Some((by_handler, by_service)) = self.passes.get(entry.tail() as usize).copied() else { continue };
            let Some(name) = self.name(entry.account()) else { continue };
            let Some(tail) = self.history.tails.get(entry.tail()) else { continue };
            let (rate, points) = (entry.value as f64 / seconds, self.points);
            let add = |to: &mut HashMap<Arc<str>, Vec<f64>>, name: &Arc<str>| {
                if let Some(value) = to.entry(Arc::clone(name)).or_insert_with(|| vec![0.0; points]).get_mut(at) {
                    *value += rate;
                }
            };
            match entry.metric() {
                metric::REQUESTS if by_handler => {
                    add(&mut self.requests, &name);
                    if is_failure(&tail.detail) {
                        add(&mut self.failures, &tail.detail);
                    }
                }
                metric::RECEIVED if by_handler => add(&mut self.received, &name),
                metric::SENT if by_handler => add(&mut self.sent, &name),
                metric::OPERATIONS if by_service => add(&mut self.operations, &tail.what),
                metric::S3_ERRORS if by_service => add(&mut self.errors, &tail.detail),
                bucket @ metric::DURATION.. if by_handler => {
                    // The phases stand under nobody, who does not pass where accounts are chosen.
                    let ladder = match bucket {
                        metric::SEND.. => self.phases.get_mut(2),
                        metric::PROCESS.. => self.phases.get_mut(1),
                        metric::RECEIVE.. => self.phases.get_mut(0),
                        _ => Some(&mut self.durations),
                    };
                    let place = ladder.and_then(|ladder| ladder.get_mut(at));
                    if let Some(count) = place.and_then(|place| place.get_mut(usize::from(bucket % metric::LADDER))) {
                        *count += entry.value;
                    }
                }
                _ => {}
            }
        }
    }

    /// The largest by name, the others together. Before the first of `frames` there is nothing.
    fn ranked(&self, of: &HashMap<Arc<str>, Vec<f64>>, frames: usize) -> Vec<Series> {
        let mut ranked: Vec<_> = of.iter().map(|(name, values)| (name, values, values.iter().sum::<f64>())).collect();
        ranked.sort_by(|one, other| {
            let is_rest = |name: &str| name == OTHERS;
            is_rest(one.0).cmp(&is_rest(other.0)).then(other.2.total_cmp(&one.2)).then(one.0.cmp(other.0))
        });
        let mut others = vec![0.0; self.points];
        let mut rest = false;
        let mut series = Vec::new();
        let missing = self.points - frames;
        let shown = |values: &[f64]| -> Vec<Option<f64>> {
            values.iter().enumerate().map(|(at, value)| (at >= missing).then(|| short(*value))).collect()
        };
        for (name, values, _) in ranked {
            if series.len() < NAMED && **name != *OTHERS {
                series.push(Series { name: name.to_string(), values: shown(values) });
            } else {
                others.iter_mut().zip(values).for_each(|(sum, value)| *sum += value);
                rest = true;
            }
        }
        if rest {
            series.push(Series { name: OTHERS.to_owned(), values: shown(&others) });
        }
        series
    }
}

fn line(name: &str, values: impl Iterator<Item = Option<f64>>) -> Series {
    Series { name: name.to_owned(), values: values.map(|value| value.map(short)).collect() }
}

fn sum(series: &Series) -> f64 {
    series.values.iter().flatten().sum()
}

/// The value below which the part `q` of the observations lies, in seconds, as PromQL's `histogram_quantile` has it: even
/// spread within a bucket, and the last bound for what is above it.
pub(super) fn percentile(buckets: &Buckets, q: f64) -> Option<f64> {
    let count: u64 = buckets.iter().sum();
    if count == 0 {
        return None;
    }
    let rank = q * count as f64;
    let (mut below, mut lower) = (0.0, 0.0);
    for (bucket, bound) in buckets.iter().zip(DURATION.bounds) {
        let (bucket, upper) = (*bucket as f64, *bound as f64 / 1e9);
        if below + bucket >= rank && bucket > 0.0 {
            return Some(lower + (upper - lower) * (rank - below) / bucket);
        }
        (below, lower) = (below + bucket, upper);
    }
    Some(lower)
}

/// Four digits that count: a chart shows no more, and the document stays small.
fn short(value: f64) -> f64 {
    if value == 0.0 || !value.is_finite() {
        return 0.0;
    }
    let scale = 10f64.powi(3 - value.abs().log10().floor() as i32);
    (value * scale).round() / scale
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percentiles_are_those_of_promql() {
        let mut buckets = Buckets::default();
        assert_eq!(percentile(&buckets, 0.5), None);
        // 10 within 1 ms, 10 between 5 and 10 ms: half of them are within 1 ms, three quarters within 7.5 ms.
        (buckets[0], buckets[3]) = (10, 10);
        assert_eq!(percentile(&buckets, 0.5), Some(0.001));
        assert_eq!(percentile(&buckets, 0.75), Some(0.0075));
        buckets[15] = 80;
        assert_eq!(percentile(&buckets, 0.99), Some(60.0), "above the last bound");
    }

    #[test]
    fn numbers_have_four_digits() {
        for (value, expected) in [(0.0, 0.0), (123456.0, 123500.0), (0.000123456, 0.0001235), (f64::NAN, 0.0)] {
            assert_eq!(short(value), expected);
        }
    }
}
