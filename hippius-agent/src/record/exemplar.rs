//! Exemplars of histograms: by the ray id of one request, its hops and the calls that it made are found again.
//!
//! Only the OpenMetrics page has them
//! (<https://github.com/prometheus/OpenMetrics/blob/v1.0.0/specification/OpenMetrics.md#exemplars>). A ray id is what
//! somebody wrote into a header, so only what can be one is taken, and so many at most are kept.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::{SystemTime, UNIX_EPOCH};

/// Series with exemplars in each of two generations; a series has one for each bucket.
const GENERATION: usize = 512;

/// A UUID with its dashes. OpenMetrics allows 128 characters for names and values of an exemplar's labels together.
const LONGEST: usize = 36;

/// Lengths of the groups of a UUID (RFC 9562 section 4).
const UUID: [usize; 5] = [8, 4, 4, 4, 12];

/// The name of one request on all its hops: 16 or 32 hexadecimal digits, or a UUID. A key of 32 bytes has 64 digits and
/// is none.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RayId {
    bytes: [u8; LONGEST],
    len: u8,
}

impl RayId {
    /// The ray id in the value of a header field, if it is one.
    pub fn parse(text: &str) -> Option<Self> {
        let is_plain = matches!(text.len(), 16 | 32);
        let is_uuid = text.len() == LONGEST && text.split('-').map(str::len).eq(UUID);
        let is_hexadecimal = |byte: u8| byte.is_ascii_hexdigit() || (is_uuid && byte == b'-');
        if !(is_plain || is_uuid) || !text.bytes().all(is_hexadecimal) {
            return None;
        }
        let mut bytes = [0; LONGEST];
        bytes.iter_mut().zip(text.bytes()).for_each(|(to, from)| *to = from);
        Some(Self { bytes, len: text.len() as u8 })
    }

    /// As it was sent.
    pub fn as_str(&self) -> &str {
        // Only ASCII was taken.
        self.bytes.get(..usize::from(self.len)).and_then(|bytes| std::str::from_utf8(bytes).ok()).unwrap_or_default()
    }
}

/// One observation and the request that it was.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Exemplar {
    /// The request.
    pub ray: RayId,
    /// What was observed, in nanoseconds.
    pub value_ns: u64,
    /// When, in milliseconds since 1970.
    pub at_ms: u64,
}

/// The latest exemplar of each bucket of a series, by the bucket's number.
type Buckets = Vec<(u8, Exemplar)>;

/// The latest exemplars of some series.
#[derive(Debug, Default)]
pub struct Exemplars {
    hasher: ahash::RandomState,
    generations: Mutex<Generations>,
}

#[derive(Debug, Default)]
struct Generations {
    young: HashMap<u64, Buckets, ahash::RandomState>,
    old: HashMap<u64, Buckets, ahash::RandomState>,
}

/// The exemplars at one moment, for a page.
#[derive(Debug, Default)]
pub struct Shown {
    hasher: ahash::RandomState,
    series: HashMap<u64, Buckets, ahash::RandomState>,
}

impl Exemplars {
    /// A request was observed in a bucket of the series with these printed labels.
    pub fn note(&self, name: &str, labels: [&str; 2], bucket: usize, value_ns: u64, ray: RayId) {
        let Ok(bucket) = u8::try_from(bucket) else { return };
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        let exemplar = Exemplar { ray, value_ns, at_ms: u64::try_from(now.as_millis()).unwrap_or(0) };
        let series = self.hasher.hash_one((name, labels));
        let mut generations = self.generations.lock().unwrap_or_else(PoisonError::into_inner);
        let Generations { young, old } = &mut *generations;
        if young.len() >= GENERATION && !young.contains_key(&series) {
            *old = std::mem::take(young);
        }
        let buckets = young.entry(series).or_insert_with(|| old.remove(&series).unwrap_or_default());
        match buckets.iter_mut().find(|(known, _)| *known == bucket) {
            Some((_, known)) => *known = exemplar,
            None => buckets.push((bucket, exemplar)),
        }
    }

    /// All of them as they stand.
    pub fn shown(&self) -> Shown {
        let generations = self.generations.lock().unwrap_or_else(PoisonError::into_inner);
        let mut series = generations.old.clone();
        series.extend(generations.young.iter().map(|(key, buckets)| (*key, buckets.clone())));
        Shown { hasher: self.hasher.clone(), series }
    }
}

impl Shown {
    /// Those of the series with these printed labels.
    pub fn of(&self, name: &str, labels: [&str; 2]) -> SeriesExemplars<'_> {
        if self.series.is_empty() {
            return SeriesExemplars::default();
        }
        SeriesExemplars(self.series.get(&self.hasher.hash_one((name, labels))).map_or(&[], Vec::as_slice))
    }
}

/// The exemplars of one series.
#[derive(Debug, Clone, Copy, Default)]
pub struct SeriesExemplars<'a>(&'a [(u8, Exemplar)]);

impl SeriesExemplars<'_> {
    /// That of a bucket.
    pub fn bucket(&self, bucket: usize) -> Option<&Exemplar> {
        self.0.iter().find(|(known, _)| usize::from(*known) == bucket).map(|(_, exemplar)| exemplar)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_can_be_a_ray_id_is_one() {
        for good in ["0123456789abcdef", "ABCDEF0123456789abcdef0123456789", "123e4567-e89b-12d3-a456-426614174000"] {
            assert_eq!(RayId::parse(good).map(|ray| ray.as_str().to_owned()).as_deref(), Some(good));
        }
        let key = "a".repeat(64);
        let dashes = "-".repeat(36);
        for bad in ["", "0123456789abcde", "0123456789abcdeg", "0123456789abcde-", "\"123456789abcdef", &key, &dashes] {
            assert_eq!(RayId::parse(bad), None, "{bad}");
        }
        assert_eq!(RayId::parse("hip_0123456789ab"), None);
        assert_eq!(RayId::parse("ä123456789abcde"), None);
    }

    #[test]
    fn the_latest_of_each_bucket_is_kept_for_so_many_series() {
        let exemplars = Exemplars::default();
        let ray = |number: usize| RayId::parse(&format!("{number:016x}")).expect("a ray id");
        for number in 0..GENERATION * 6 {
            let labels = format!("x=\"{}\"", number / 2);
            exemplars.note("h", ["", &labels], 3 + number % 2, number as u64, ray(number));
            exemplars.note("h", ["", &labels], 3 + number % 2, number as u64, ray(number + 1));
        }
        let shown = exemplars.shown();
        assert!(shown.series.len() <= 2 * GENERATION, "{}", shown.series.len());
        let last = GENERATION * 6 - 1;
        let labels = format!("x=\"{}\"", last / 2);
        let found = shown.of("h", ["", &labels]);
        let rays = [3, 4, 5].map(|bucket| found.bucket(bucket).map(|exemplar| exemplar.ray));
        assert_eq!(rays, [Some(ray(last)), Some(ray(last + 1)), None]);
        assert!(shown.of("other", ["", &labels]).bucket(3).is_none());
        assert!(shown.of("h", ["", "x=\"0\""]).bucket(3).is_none(), "the oldest have made room");
    }
}
