//! What a poll yields: families of samples, kept as text and numbers that a scrape only has to join.

use std::collections::HashMap;

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

/// Bytes of a label value; the rest is cut off.
const LONGEST_VALUE: usize = 256;

/// A set of families, each with its samples.
#[derive(Debug, Clone, Default)]
pub struct Families {
    list: Vec<Family>,
    index: HashMap<&'static str, usize>,
}

/// A family and its samples.
#[derive(Debug, Clone)]
pub struct Family {
    spec: &'static Spec,
    /// The labels of all samples, one behind the other.
    text: String,
    samples: Vec<Sample>,
}

#[derive(Debug, Clone, Copy)]
struct Sample {
    /// Where its labels end in the text; they begin where the ones before it end.
    end: u32,
    /// `""`, `"_sum"` or `"_count"`.
    suffix: &'static str,
    value: f64,
}

impl Families {
    /// Adds a sample. `labels` are the values in the order of the spec; one that is missing counts as empty.
    pub fn add(&mut self, spec: &'static Spec, labels: &[&str], value: f64) {
        self.add_part(spec, "", labels, value);
    }

    /// Adds a part of a summary: suffix `_sum` or `_count`, and the values of the labels without `quantile`.
    pub fn add_part(&mut self, spec: &'static Spec, suffix: &'static str, labels: &[&str], value: f64) {
        let family = self.family(spec);
        let before = family.text.len();
        let names = spec.labels.iter().take(if suffix.is_empty() { spec.labels.len() } else { labels.len() });
        for (index, name) in names.enumerate() {
            let value = labels.get(index).copied().unwrap_or_default();
            if family.text.len() > before {
                family.text.push(',');
            }
            family.text.push_str(name);
            family.text.push_str("=\"");
            push_escaped(&mut family.text, value);
            family.text.push('"');
        }
        match u32::try_from(family.text.len()) {
            Ok(end) => family.samples.push(Sample { end, suffix, value }),
            // 4 GiB of labels: no source that bounds its series comes here.
            Err(_) => family.text.truncate(before),
        }
    }

    /// Adds everything of `other`.
    pub fn extend(&mut self, other: &Self) {
        for from in &other.list {
            let family = self.family(from.spec);
            let base = family.text.len() as u32;
            family.text.push_str(&from.text);
            family.samples.extend(from.samples.iter().map(|sample| Sample { end: sample.end + base, ..*sample }));
        }
    }

    /// Gives back memory that is not needed any more, and sorts the families by name.
    pub fn finish(mut self) -> Self {
        self.list.sort_by_key(|family| family.spec.name);
        for family in &mut self.list {
            family.text.shrink_to_fit();
            family.samples.shrink_to_fit();
        }
        self.index = HashMap::new();
        self.list.shrink_to_fit();
        self
    }

    fn family(&mut self, spec: &'static Spec) -> &mut Family {
        // A finished set that is added to again has lost its index.
        if self.index.len() != self.list.len() {
            self.index = self.list.iter().enumerate().map(|(at, family)| (family.spec.name, at)).collect();
        }
        let at = *self.index.entry(spec.name).or_insert_with(|| {
            self.list.push(Family { spec, text: String::new(), samples: Vec::new() });
            self.list.len() - 1
        });
        &mut self.list[at]
    }

    /// The families; sorted by name once [`finish`](Self::finish) was called.
    pub fn iter(&self) -> impl Iterator<Item = &Family> {
        self.list.iter()
    }

    /// The family at `index` of [`iter`](Self::iter).
    pub fn get(&self, index: usize) -> Option<&Family> {
        self.list.get(index)
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
        self.list.iter().map(|family| family.samples.len()).sum()
    }

    /// The value of the sample with these labels, for tests and for sources that look back.
    pub fn value(&self, name: &str, labels: &str) -> Option<f64> {
        let family = self.list.iter().find(|family| family.spec.name == name)?;
        family.samples().find(|(_, found, _)| *found == labels).map(|(.., value)| value)
    }
}

impl Family {
    /// Name, type, help and labels.
    pub fn spec(&self) -> &'static Spec {
        self.spec
    }

    /// Each sample: suffix of the name, labels as they are printed between the braces, value.
    pub fn samples(&self) -> impl Iterator<Item = (&'static str, &str, f64)> {
        let mut start = 0;
        self.samples.iter().map(move |sample| {
            let labels = self.text.get(start..sample.end as usize).unwrap_or_default();
            start = sample.end as usize;
            (sample.suffix, labels, sample.value)
        })
    }
}

/// Appends a label value as the text format wants it.
fn push_escaped(out: &mut String, value: &str) {
    let mut cut = value.len().min(LONGEST_VALUE);
    while !value.is_char_boundary(cut) {
        cut -= 1;
    }
    for c in value[..cut].chars() {
        match c {
            '\\' => out.push_str("\\\\"),
            '"' => out.push_str("\\\""),
            '\n' => out.push_str("\\n"),
            other => out.push(other),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    static UP: Spec = Spec { name: "up", kind: Kind::Gauge, help: "Up.", labels: &[] };
    static KEYS: Spec = Spec { name: "keys", kind: Kind::Gauge, help: "Keys.", labels: &["db", "key"] };
    static TIME: Spec = Spec { name: "time", kind: Kind::Summary, help: "Time.", labels: &["cmd", "quantile"] };

    fn lines(families: &Families) -> Vec<String> {
        let line = |family: &Family| {
            let name = family.spec().name;
            family.samples().map(|(suffix, labels, value)| format!("{name}{suffix}{{{labels}}} {value}")).collect()
        };
        families.iter().flat_map(|family| -> Vec<String> { line(family) }).collect()
    }

    #[test]
    fn samples_come_back_by_family_and_name() {
        let mut families = Families::default();
        families.add(&UP, &[], 1.0);
        families.add(&KEYS, &["db0", "a\"\\\nb"], 2.0);
        families.add(&TIME, &["get", "0.5"], 3.0);
        families.add_part(&TIME, "_count", &["get"], 4.0);
        families.add(&KEYS, &["db1"], 5.0);
        let expected = [
            r#"keys{db="db0",key="a\"\\\nb"} 2"#,
            r#"keys{db="db1",key=""} 5"#,
            r#"time{cmd="get",quantile="0.5"} 3"#,
            r#"time_count{cmd="get"} 4"#,
            "up{} 1",
        ];
        let families = families.finish();
        assert_eq!(lines(&families), expected);
        let mut twice = families.clone();
        twice.extend(&families);
        assert_eq!(twice.samples(), 10);
        assert_eq!(twice.value("keys", r#"db="db1",key="""#), Some(5.0));
    }

    #[test]
    fn a_long_value_is_cut_at_a_character() {
        let mut families = Families::default();
        families.add(&KEYS, &["", &"ä".repeat(LONGEST_VALUE)], 1.0);
        let line = lines(&families).remove(0);
        assert_eq!(line.matches('ä').count(), LONGEST_VALUE / 2);
    }
}
