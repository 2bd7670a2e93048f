//! Values of the fixed and polled families over time, read from the lines that a scrape prints.
//!
//! So a family shows up here as soon as it is on the page, whoever puts it there.

use std::collections::{BTreeMap, VecDeque};

use super::calls::Derived;
use super::labels;
use super::watched::{Mode, WATCHED};

/// Values kept at each of the two steps.
pub const POINTS: usize = 120;

/// Most series of one family that keep their labels. Queues, databases and targets come from the configuration; peers and
/// their answers do not.
const MAX_OF_FAMILY: usize = 32;

/// What the others of a family are added up under.
const OTHERS: &str = "others";

/// Most series.
const MAX_TRACKS: usize = 384;

/// Counters that begin with the agent: what appears was 0 before.
const OWN: [&str; 6] = ["hippius_agent_", "http_client_", "ipfs_", "db_client_", "queue_", "tls_"];

/// Where exchanges under way are kept; their values do not come from lines.
pub const IN_FLIGHT: &str = "http_requests_in_flight";

/// The values of one series.
#[derive(Debug, Default)]
struct Track {
    short: VecDeque<f32>,
    long: VecDeque<f32>,
    /// Last value of a counter.
    counter: f64,
    now: f64,
    /// The value of the long step that ends, where it is no mean.
    long_now: Option<f64>,
    seen: bool,
}

/// All series that are kept.
#[derive(Debug, Default)]
pub struct Gauges {
    tracks: BTreeMap<(&'static str, String), Track>,
}

impl Gauges {
    /// Takes the values of one moment. `text` is a page in the text format, `seconds` the time since the last one, `None`
    /// the first time. `merge`: this sample ends a long step of so many short ones.
    pub fn sample(
        &mut self,
        text: &str,
        in_flight: &[(std::sync::Arc<str>, f64)],
        unix_s: f64,
        seconds: Option<f64>,
        merge: Option<usize>,
    ) {
        for (name, labels, value) in text.lines().filter_map(line) {
            let Some(watched) = WATCHED.iter().find(|watched| watched.name == name) else { continue };
            let value = if watched.mode == Mode::Age { unix_s - value } else { value };
            let key: Vec<_> = watched.by.iter().map(|label| labels::value(labels, label)).collect();
            let key: Vec<&str> = key.iter().map(|value| &**value).filter(|value| !value.is_empty()).collect();
            self.add(watched.name, key.join(" · "), value);
        }
        for (service, value) in in_flight {
            self.add(IN_FLIGHT, (**service).to_owned(), *value);
        }
        for ((name, label), track) in &mut self.tracks {
            let mode = WATCHED.iter().find(|watched| watched.name == *name).map_or(Mode::Value, |watched| watched.mode);
            let origin = match OWN.iter().any(|own| name.starts_with(own)) {
                _ if label == OTHERS => Origin::Sum,
                true => Origin::Own,
                false => Origin::Elsewhere,
            };
            track.close(mode, origin, seconds, merge);
        }
        self.tracks.retain(|_, track| track.short.iter().chain(&track.long).any(|value| !value.is_nan()) || track.seen);
        for track in self.tracks.values_mut() {
            (track.now, track.long_now, track.seen) = (0.0, None, false);
        }
    }

    /// Takes values that no line has, for the sample that follows.
    pub fn derive(&mut self, values: impl Iterator<Item = Derived>) {
        for Derived { name, label, short, long } in values.filter(|one| one.short.or(one.long).is_some()) {
            let Some(track) = self.track(name, label).filter(|(_, is_own)| *is_own).map(|(track, _)| track) else {
                // Percentiles of several cannot be added up.
                continue;
            };
            (track.now, track.long_now, track.seen) = (short.unwrap_or(0.0), long, short.is_some());
        }
    }

    fn add(&mut self, name: &'static str, labels: String, value: f64) {
        if let Some((track, _)) = self.track(name, labels) {
            track.now += value;
            track.seen = true;
        }
    }

    /// The track of these labels, and whether it is their own and not that of all others.
    fn track(&mut self, name: &'static str, labels: String) -> Option<(&mut Track, bool)> {
        let mut key = (name, labels);
        let is_known = self.tracks.contains_key(&key);
        let is_full = || {
            let family = self.tracks.range((name, String::new())..).take_while(|((found, _), _)| *found == name);
            family.count() >= MAX_OF_FAMILY
        };
        let is_own = is_known || !is_full();
        if !is_own {
            OTHERS.clone_into(&mut key.1);
        }
        if self.tracks.len() >= MAX_TRACKS && !self.tracks.contains_key(&key) {
            return None;
        }
        let track = self.tracks.entry(key).or_insert_with(|| Track { counter: f64::NAN, ..Track::default() });
        Some((track, is_own))
    }

    /// The series of a family: labels and the last `points` values, NaN where there was none.
    pub fn series(&self, name: &'static str, long: bool, points: usize) -> impl Iterator<Item = (&str, Vec<f32>)> {
        let family = self.tracks.range((name, String::new())..).take_while(move |((found, _), _)| *found == name);
        family.map(move |((_, labels), track)| {
            let kept = if long { &track.long } else { &track.short };
            let missing = points.saturating_sub(kept.len());
            let values = kept.iter().skip(kept.len().saturating_sub(points)).copied();
            (labels.as_str(), std::iter::repeat_n(f32::NAN, missing).chain(values).collect())
        })
    }

    /// Bytes on the heap, about.
    pub fn bytes(&self) -> usize {
        self.tracks.len() * (2 * POINTS * size_of::<f32>() + size_of::<Track>() + 64)
    }
}

/// Whose counter it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Origin {
    /// The agent's: one that appears was 0 before.
    Own,
    /// Another process's: the first value says nothing of this interval.
    Elsewhere,
    /// Of several; where it falls, one of them has left.
    Sum,
}

impl Track {
    /// Ends the sample that [`Gauges::add`] filled.
    fn close(&mut self, mode: Mode, origin: Origin, seconds: Option<f64>, merge: Option<usize>) {
        let value = match (mode, seconds) {
            _ if !self.seen => f64::NAN,
            (Mode::Rate, Some(seconds)) => {
                let fell = self.counter > self.now;
                let last = if self.counter.is_nan() || fell { 0.0 } else { self.counter };
                let says_nothing = match origin {
                    Origin::Own => false,
                    Origin::Elsewhere => self.counter.is_nan() && self.now > 0.0,
                    Origin::Sum => self.counter.is_nan() || fell,
                };
                if says_nothing { f64::NAN } else { (self.now - last) / seconds }
            }
            (Mode::Rate, None) => f64::NAN,
            (Mode::Value | Mode::Age, _) => self.now,
        };
        self.counter = if self.seen { self.now } else { f64::NAN };
        if seconds.is_some() {
            push(&mut self.short, value as f32);
        }
        if let Some(samples) = merge {
            let kept: Vec<f32> =
                self.short.iter().rev().take(samples).copied().filter(|value| !value.is_nan()).collect();
            // No values give 0/0, which is NaN: none.
            let mean = kept.iter().sum::<f32>() / kept.len() as f32;
            push(&mut self.long, self.long_now.map_or(mean, |value| value as f32));
        }
    }
}

fn push(values: &mut VecDeque<f32>, value: f32) {
    if values.len() >= POINTS {
        values.pop_front();
    }
    values.push_back(value);
}

/// Name, labels and value of a sample's line; `None` for everything else.
pub fn line(line: &str) -> Option<(&str, &str, f64)> {
    if line.starts_with('#') {
        return None;
    }
    let (series, value) = line.rsplit_once(' ')?;
    let (name, labels) = series.split_once('{').unwrap_or((series, ""));
    Some((name, labels.strip_suffix('}').unwrap_or(labels), value.parse().ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn values(gauges: &Gauges, name: &'static str) -> Vec<(String, Vec<f32>)> {
        gauges.series(name, false, 3).map(|(labels, values)| (labels.to_owned(), values)).collect()
    }

    #[test]
    fn values_rates_and_gaps() {
        let mut gauges = Gauges::default();
        let page = |length: u32, total: u32| {
            format!(
                "# HELP queue_length x\nqueue_length{{queue_name=\"up load\"}} {length}\n\
                 redis_commands_processed_total{{redis_instance=\"a\"}} {total}\nother 3\nbroken\n"
            )
        };
        gauges.sample(&page(1, 1000), &[], 0.0, None, None);
        gauges.sample(&page(7, 1050), &[], 5.0, Some(5.0), None);
        gauges.sample("", &[], 10.0, Some(5.0), None);
        gauges.sample(&page(9, 10), &[], 15.0, Some(5.0), Some(3));
        let queue = &values(&gauges, "queue_length")[0];
        assert_eq!(queue.0, "up load");
        assert_eq!((queue.1[0], queue.1[2], queue.1[1].is_nan()), (7.0, 9.0, true));
        let rate = &values(&gauges, "redis_commands_processed_total")[0].1;
        assert_eq!(rate[0], 10.0);
        assert!(rate[1].is_nan() && rate[2].is_nan(), "a counter that comes back says nothing yet: {rate:?}");
        let long: Vec<_> = gauges.series("queue_length", true, 1).map(|(_, values)| values[0]).collect();
        assert_eq!(long, [8.0]);
    }

    #[test]
    fn series_that_are_gone_are_forgotten_and_their_number_is_bounded() {
        let mut gauges = Gauges::default();
        let page: String = (0..500).map(|queue| format!("queue_length{{queue_name=\"{queue}\"}} 1\n")).collect();
        gauges.sample(&page, &[], 0.0, Some(5.0), None);
        assert_eq!(gauges.tracks.len(), MAX_OF_FAMILY + 1);
        let sum: f32 = gauges.series("queue_length", false, 1).map(|(_, values)| values[0]).sum();
        assert_eq!(sum, 500.0, "the others are added up");
        for _ in 0..POINTS {
            gauges.sample("", &[], 0.0, Some(5.0), None);
        }
        assert_eq!(gauges.tracks.len(), 0);
    }
}
