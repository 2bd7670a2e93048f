//! The Prometheus text format, read into samples, with exact sums.

use std::collections::BTreeMap;
use std::fmt;

use anyhow::{Context, Result, bail};

#[derive(Clone, Debug, PartialEq)]
pub struct Sample {
    pub name: String,
    pub labels: BTreeMap<String, String>,
    pub value: f64,
    /// The value where it is printed as a whole number: exact beyond 2^53.
    pub whole: Option<u64>,
}

/// One scrape.
#[derive(Clone, Debug, Default)]
pub struct Metrics {
    samples: Vec<Sample>,
}

impl Metrics {
    pub fn parse(text: &str) -> Result<Self> {
        let lines = text.lines().filter(|line| !line.is_empty() && !line.starts_with('#'));
        let samples = lines.map(|line| parse_line(line).with_context(|| format!("metrics line {line:?}")));
        Ok(Self { samples: samples.collect::<Result<_>>()? })
    }

    /// The samples of one series name whose labels hold all of `filter`.
    pub fn select<'a>(&'a self, name: &'a str, filter: &'a [(&'a str, &'a str)]) -> impl Iterator<Item = &'a Sample> {
        self.samples.iter().filter(move |sample| sample.name == name && sample.has(filter))
    }

    /// Exact sum; a value that is not a whole number counts as its floor, which no counter of ours has.
    pub fn sum(&self, name: &str, filter: &[(&str, &str)]) -> u64 {
        self.select(name, filter).map(|sample| sample.whole.unwrap_or(sample.value as u64)).sum()
    }

    pub fn sum_f64(&self, name: &str, filter: &[(&str, &str)]) -> f64 {
        self.select(name, filter).map(|sample| sample.value).sum()
    }

    /// Sums by the values of one label.
    pub fn by(&self, name: &str, filter: &[(&str, &str)], label: &str) -> BTreeMap<String, u64> {
        let mut sums = BTreeMap::new();
        for sample in self.select(name, filter) {
            let value = sample.labels.get(label).cloned().unwrap_or_default();
            *sums.entry(value).or_insert(0) += sample.whole.unwrap_or(sample.value as u64);
        }
        sums
    }

    pub fn all(&self) -> &[Sample] {
        &self.samples
    }

    /// Lines that mention `word`, for a failure's message.
    pub fn lines_with(&self, word: &str) -> String {
        let lines = self.samples.iter().map(Sample::to_string).filter(|line| line.contains(word));
        lines.filter(|line| !line.contains("_bucket{")).collect::<Vec<_>>().join("\n")
    }
}

impl Sample {
    pub fn has(&self, filter: &[(&str, &str)]) -> bool {
        filter.iter().all(|(key, value)| self.labels.get(*key).is_some_and(|found| found == value))
    }
}

impl fmt::Display for Sample {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let labels = self.labels.iter().map(|(key, value)| format!("{key}={value:?}")).collect::<Vec<_>>().join(",");
        write!(f, "{}{{{labels}}} {}", self.name, self.value)
    }
}

fn parse_line(line: &str) -> Result<Sample> {
    let end = line.find(['{', ' ']).context("no value")?;
    let (name, mut rest) = line.split_at(end);
    let mut labels = BTreeMap::new();
    if let Some(inner) = rest.strip_prefix('{') {
        rest = parse_labels(inner, &mut labels)?;
    }
    let value = rest.split_whitespace().next().context("no value")?;
    let number = match value {
        "+Inf" => f64::INFINITY,
        "-Inf" => f64::NEG_INFINITY,
        other => other.parse().context("value")?,
    };
    Ok(Sample { name: name.to_owned(), labels, value: number, whole: value.parse().ok() })
}

/// Reads `key="value",…}`; what follows the brace.
fn parse_labels<'a>(mut rest: &'a str, labels: &mut BTreeMap<String, String>) -> Result<&'a str> {
    loop {
        if let Some(after) = rest.strip_prefix('}') {
            return Ok(after);
        }
        let (key, after) = rest.split_once("=\"").context("label without a value")?;
        let mut value = String::new();
        let mut chars = after.char_indices();
        let end = loop {
            match chars.next().context("label value without an end")? {
                (at, '"') => break at,
                (_, '\\') => match chars.next().context("escape without an end")?.1 {
                    'n' => value.push('\n'),
                    other => value.push(other),
                },
                (_, other) => value.push(other),
            }
        };
        if labels.insert(key.to_owned(), value).is_some() {
            bail!("label {key} twice");
        }
        rest = &after[end + 1..];
        rest = rest.strip_prefix(',').unwrap_or(rest);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = "# HELP a_total x\n# TYPE a_total counter\na_total{x=\"1\",y=\"q\\\"z\\\\\"} 9007199254740993\n\
        a_total{x=\"2\"} 2\nb 1.5 1700000000\nc_bucket{le=\"+Inf\"} 3\n";

    #[test]
    fn labelled_lines_sum_exactly_beyond_2_to_53() {
        let metrics = Metrics::parse(TEXT).unwrap();
        assert_eq!(metrics.sum("a_total", &[]), 9_007_199_254_740_995);
        assert_eq!(metrics.sum("a_total", &[("x", "2")]), 2);
        assert_eq!(metrics.sum("a_total", &[("y", "q\"z\\")]), 9_007_199_254_740_993);
        assert_eq!(metrics.sum_f64("b", &[]), 1.5);
        assert_eq!(metrics.by("a_total", &[], "x")["1"], 9_007_199_254_740_993);
    }

    #[test]
    fn broken_lines_are_refused() {
        for text in ["a{x=\"1\" 2", "a", "a{x=\"1\",x=\"2\"} 1", "a{} y"] {
            assert!(Metrics::parse(text).is_err(), "{text}");
        }
    }
}
