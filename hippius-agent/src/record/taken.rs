//! Families whose values are taken when a page is made: nobody counts them meanwhile, so nothing is kept of them.

use super::catalogue::{self, Metric};
use super::series::text::push_label;

/// A family of the catalogue, and its samples.
#[derive(Debug)]
pub struct Taken {
    metric: &'static Metric,
    /// The labels as they are printed, and the value.
    samples: Vec<(String, f64)>,
}

impl Taken {
    /// Without samples; `None` where the catalogue has none of this name.
    pub fn new(name: &str) -> Option<Self> {
        Some(Self { metric: catalogue::find(name)?, samples: Vec::new() })
    }

    /// A family of one sample without labels.
    pub fn single(name: &str, value: f64) -> Option<Self> {
        let mut taken = Self::new(name)?;
        taken.add(&[], value);
        Some(taken)
    }

    /// Adds a sample; the values of the labels are in the order of the catalogue.
    pub fn add(&mut self, labels: &[&str], value: f64) {
        let mut text = String::new();
        for (name, value) in self.metric.labels.iter().zip(labels) {
            push_label(&mut text, name, value);
        }
        self.samples.push((text, value));
    }

    /// Name, type and help.
    pub fn metric(&self) -> &'static Metric {
        self.metric
    }

    /// Labels as they are printed between the braces, and value.
    pub fn samples(&self) -> impl Iterator<Item = (&str, f64)> {
        self.samples.iter().map(|(labels, value)| (labels.as_str(), *value))
    }

    /// Whether it has no samples.
    pub fn is_empty(&self) -> bool {
        self.samples.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn labels_are_those_of_the_catalogue() {
        let mut errors = Taken::new("hippius_agent_poll_errors_total").expect("a family");
        assert!(errors.is_empty());
        errors.add(&["redis/a\"", "timeout"], 2.0);
        let samples: Vec<_> = errors.samples().collect();
        assert_eq!(samples, [(r#"source="redis/a\"",reason="timeout""#, 2.0)]);
        assert!(Taken::new("no_such_family").is_none());
    }
}
