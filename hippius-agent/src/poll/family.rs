//! What a poll yields: families of samples, kept as text and numbers that a scrape only has to join. They are made by a
//! [`Draft`](super::draft::Draft).

use std::sync::{Arc, OnceLock};

impl Kind {
    /// The word of the `# TYPE` line.
    pub fn name(self) -> &'static str {
        match self {
            Self::Counter => "counter",
            Self::Gauge => "gauge",
            Self::Summary => "summary",
            Self::Untyped => "untyped",
        }
    }
}

/// Type of a family.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// Only grows, as long as the polled server runs.
    Counter,
    /// Goes up and down.
    Gauge,
    /// Quantiles, sum and count.
    Summary,
    /// Said to be of no type, because the exporter that it stands in for says so.
    Untyped,
}

/// One family: its name, type, help text and labels, written once.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Spec {
    /// Name of the family, the `_total` of counters included.
    pub name: &'static str,
    /// Its type.
    pub kind: Kind,
    /// Help text; names the unit.
    pub help: &'static str,
    /// Names of the labels, in the order in which values are given.
    pub labels: &'static [&'static str],
}

/// A set of families, each with its samples, in the order of their names.
#[derive(Debug, Clone, Default)]
pub struct Families {
    /// What most polls have in common with the one before.
    shape: Arc<Shape>,
    /// One for each sample of the shape.
    values: Vec<f64>,
    printed: OnceLock<Printed>,
}

/// The samples as they are printed, kept for the next who asks before the next poll.
#[derive(Debug, Clone, Default)]
pub struct Printed {
    text: Vec<u8>,
    /// Where each family ends.
    ends: Vec<usize>,
}

impl Printed {
    /// The samples of the family at `index` of [`Families::iter`].
    pub fn family(&self, index: usize) -> &[u8] {
        let start = index.checked_sub(1).and_then(|before| self.ends.get(before)).copied().unwrap_or(0);
        self.ends.get(index).and_then(|end| self.text.get(start..*end)).unwrap_or_default()
    }
}

/// Families and labels without the values.
#[derive(Debug, Default)]
pub(super) struct Shape {
    list: Vec<Place>,
    /// All samples, family by family.
    samples: Vec<Label>,
    /// The labels of all samples, one behind the other.
    text: String,
}

/// Where a family ends; it begins where the one before it ends.
#[derive(Debug, Clone, Copy)]
struct Place {
    spec: &'static Spec,
    samples: u32,
}

/// What stands before a value.
#[derive(Debug, Clone, Copy)]
struct Label {
    /// Where the labels end in the text; they begin where the ones before them end.
    end: u32,
    /// `""`, `"_sum"` or `"_count"`.
    suffix: &'static str,
}

/// A family and its samples.
#[derive(Debug, Clone, Copy)]
pub struct Family<'a> {
    spec: &'static Spec,
    labels: &'a [Label],
    values: &'a [f64],
    /// The labels of the whole set.
    text: &'a str,
    /// Where those of the first sample begin.
    start: usize,
}

impl Shape {
    pub fn with_capacity(samples: usize, text: usize) -> Self {
        Self { list: Vec::new(), samples: Vec::with_capacity(samples), text: String::with_capacity(text) }
    }

    /// Appends a sample, whose labels `print` appends. Families come in the order of their names. False where there is
    /// no room left, which is 4 GiB of labels: no source that bounds its series comes there.
    pub fn push(&mut self, spec: &'static Spec, suffix: &'static str, print: impl FnOnce(&mut String)) -> bool {
        let before = self.text.len();
        print(&mut self.text);
        let (Ok(end), Ok(samples)) = (u32::try_from(self.text.len()), u32::try_from(self.samples.len() + 1)) else {
            self.text.truncate(before);
            return false;
        };
        self.samples.push(Label { end, suffix });
        match self.list.last_mut().filter(|last| last.spec.name == spec.name) {
            Some(last) => last.samples = samples,
            None => self.list.push(Place { spec, samples }),
        }
        true
    }

    pub fn shrink(&mut self) {
        self.list.shrink_to_fit();
        self.text.shrink_to_fit();
    }
}

impl Families {
    /// `values` are those of the samples of `shape`, in their order.
    pub(super) fn new(shape: Arc<Shape>, values: Vec<f64>) -> Self {
        Self { shape, values, printed: OnceLock::new() }
    }

    pub(super) fn shape(&self) -> &Arc<Shape> {
        &self.shape
    }

    pub(super) fn values(&self) -> &[f64] {
        &self.values
    }

    /// The families, sorted by name.
    pub fn iter(&self) -> impl Iterator<Item = Family<'_>> {
        (0..self.shape.list.len()).filter_map(|index| self.get(index))
    }

    /// The family at `index` of [`iter`](Self::iter).
    pub fn get(&self, index: usize) -> Option<Family<'_>> {
        let Shape { list, samples, text } = &*self.shape;
        let place = list.get(index)?;
        let before =
            index.checked_sub(1).and_then(|before| list.get(before)).map_or(0, |before| before.samples as usize);
        let range = before..place.samples as usize;
        let start = before.checked_sub(1).and_then(|last| samples.get(last)).map_or(0, |label| label.end as usize);
        let (labels, values) = (samples.get(range.clone())?, self.values.get(range)?);
        Some(Family { spec: place.spec, labels, values, text, start })
    }

    /// The samples as `print` appends those of a family; it is always the same one, and printed once.
    pub fn printed(&self, print: impl Fn(&mut Vec<u8>, &Family<'_>)) -> &Printed {
        self.printed.get_or_init(|| {
            let mut printed = Printed::default();
            for family in self.iter() {
                print(&mut printed.text, &family);
                printed.ends.push(printed.text.len());
            }
            printed.text.shrink_to_fit();
            printed
        })
    }

    /// Number of families.
    pub fn len(&self) -> usize {
        self.shape.list.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.shape.list.is_empty()
    }

    /// Number of samples of all families.
    pub fn samples(&self) -> usize {
        self.values.len()
    }

    /// The value of the sample with these labels, for tests and for sources that look back.
    pub fn value(&self, name: &str, labels: &str) -> Option<f64> {
        let family = self.iter().find(|family| family.spec.name == name)?;
        family.samples().find(|(_, found, _)| *found == labels).map(|(.., value)| value)
    }
}

impl<'a> Family<'a> {
    /// Name, type, help and labels.
    pub fn spec(&self) -> &'static Spec {
        self.spec
    }

    /// Each sample: suffix of the name, labels as they are printed between the braces, value.
    pub fn samples(&self) -> impl Iterator<Item = (&'static str, &'a str, f64)> + use<'a> {
        let (mut start, text) = (self.start, self.text);
        self.labels.iter().zip(self.values).map(move |(label, value)| {
            let end = label.end as usize;
            let labels = text.get(start..end).unwrap_or_default();
            start = end;
            (label.suffix, labels, *value)
        })
    }
}
