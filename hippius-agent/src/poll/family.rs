//! What a poll yields: families of samples, kept as text and numbers that a scrape only has to join. They are made by a
//! [`Draft`](super::draft::Draft).

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
    list: Vec<Place>,
    /// All samples, family by family.
    samples: Vec<Sample>,
    /// The labels of all samples, one behind the other.
    text: String,
}

/// Where a family ends; it begins where the one before it ends.
#[derive(Debug, Clone, Copy)]
struct Place {
    spec: &'static Spec,
    samples: u32,
    text: u32,
}

/// A family and its samples.
#[derive(Debug, Clone, Copy)]
pub struct Family<'a> {
    spec: &'static Spec,
    samples: &'a [Sample],
    /// Their labels.
    text: &'a str,
    /// What their ends count from.
    base: u32,
}

/// One sample.
#[derive(Debug, Clone, Copy)]
pub(super) struct Sample {
    /// Where its labels end in the text; they begin where the ones before it end.
    pub end: u32,
    /// `""`, `"_sum"` or `"_count"`.
    pub suffix: &'static str,
    /// What it says.
    pub value: f64,
}

impl Families {
    pub(super) fn with_capacity(families: usize, samples: usize, text: usize) -> Self {
        Self {
            list: Vec::with_capacity(families),
            samples: Vec::with_capacity(samples),
            text: String::with_capacity(text),
        }
    }

    /// Appends a family; the ends of its samples count from the beginning of `text`.
    pub(super) fn push(&mut self, spec: &'static Spec, text: &str, samples: &[Sample]) {
        let base = self.text.len();
        let (Ok(samples_end), Ok(text_end)) =
            (u32::try_from(self.samples.len() + samples.len()), u32::try_from(base + text.len()))
        else {
            // 4 GiB of labels: no source that bounds its series comes here.
            return;
        };
        self.text.push_str(text);
        self.samples.extend(samples.iter().map(|sample| Sample { end: base as u32 + sample.end, ..*sample }));
        self.list.push(Place { spec, samples: samples_end, text: text_end });
    }

    /// The families, sorted by name.
    pub fn iter(&self) -> impl Iterator<Item = Family<'_>> {
        (0..self.list.len()).filter_map(|index| self.get(index))
    }

    /// The family at `index` of [`iter`](Self::iter).
    pub fn get(&self, index: usize) -> Option<Family<'_>> {
        let place = self.list.get(index)?;
        let before = index.checked_sub(1).and_then(|before| self.list.get(before));
        let (samples, base) = before.map_or((0, 0), |before| (before.samples, before.text));
        Some(Family {
            spec: place.spec,
            samples: self.samples.get(samples as usize..place.samples as usize)?,
            text: self.text.get(base as usize..place.text as usize)?,
            base,
        })
    }

    /// Number of families.
    pub fn len(&self) -> usize {
        self.list.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.list.is_empty()
    }

    /// Number of samples of all families.
    pub fn samples(&self) -> usize {
        self.samples.len()
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
        let (mut start, text, base) = (0, self.text, self.base);
        self.samples.iter().map(move |sample| {
            let end = (sample.end - base) as usize;
            let labels = text.get(start..end).unwrap_or_default();
            start = end;
            (sample.suffix, labels, sample.value)
        })
    }

    /// All labels, and samples whose ends count from their beginning.
    pub(super) fn raw(&self) -> (&'a str, impl Iterator<Item = Sample> + use<'a>) {
        let base = self.base;
        (self.text, self.samples.iter().map(move |sample| Sample { end: sample.end - base, ..*sample }))
    }
}
