//! Families as text: the exposition format 0.0.4 and OpenMetrics 1.0.
//!
//! <https://prometheus.io/docs/instrumenting/exposition_formats/> and
//! <https://github.com/prometheus/OpenMetrics/blob/v1.0.0/specification/OpenMetrics.md>

use prometheus::proto::{self, MetricFamily, MetricType};

use super::number::{label_float, push_integer, push_seconds, push_value};
use crate::record::exemplar::{Exemplar, SeriesExemplars, Shown};
use crate::record::series::family::Shape;
use crate::record::series::ladder::{Ladder, Unit};
use crate::record::series::snapshot::{FamilyView, SeriesView};
use crate::record::series::text::push_label;
use crate::record::taken::Taken;

/// Which of the two formats.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    /// The text format that every scraper reads.
    Text,
    /// OpenMetrics 1.0.
    OpenMetrics,
}

impl Format {
    /// Value of the `Content-Type` field; Prometheus 3 refuses a page without one.
    pub fn content_type(self) -> &'static str {
        match self {
            Self::Text => "text/plain; version=0.0.4; charset=utf-8",
            Self::OpenMetrics => "application/openmetrics-text; version=1.0.0; charset=utf-8",
        }
    }

    /// Appends the end of a page.
    pub fn push_end(self, out: &mut Vec<u8>) {
        if self == Self::OpenMetrics {
            out.extend_from_slice(b"# EOF\n");
        }
    }

    /// Appends a family that the `prometheus` crate gathered.
    pub fn push_family(self, out: &mut Vec<u8>, family: &MetricFamily, exemplars: Option<&Shown>) {
        let kind = match family.get_field_type() {
            MetricType::COUNTER => "counter",
            MetricType::GAUGE => "gauge",
            MetricType::HISTOGRAM => "histogram",
            MetricType::SUMMARY => "summary",
            MetricType::UNTYPED => "untyped",
        };
        self.push_head(out, family.name(), kind, family.help());
        for metric in family.get_metric() {
            push_gathered(out, family.name(), family.get_field_type(), metric, exemplars);
        }
    }

    /// Appends a family whose values were taken for the page.
    pub fn push_taken(self, out: &mut Vec<u8>, family: &Taken) {
        let metric = family.metric();
        self.push_head(out, metric.name, metric.kind.name(), metric.help);
        for (labels, value) in family.samples() {
            push_sample(out, metric.name, "", labels, value);
        }
    }

    /// Appends the two comment lines of a family.
    ///
    /// OpenMetrics names a counter's family without `_total`; a counter that was inherited without the suffix has no
    /// type there.
    pub fn push_head(self, out: &mut Vec<u8>, name: &str, kind: &str, help: &str) {
        let (name, kind) = match (self, kind) {
            (Self::OpenMetrics, "counter") => match name.strip_suffix("_total") {
                Some(family) => (family, kind),
                None => (name, "unknown"),
            },
            (Self::OpenMetrics, "untyped") => (name, "unknown"),
            _ => (name, kind),
        };
        out.extend_from_slice(b"# HELP ");
        out.extend_from_slice(name.as_bytes());
        out.push(b' ');
        let mut rest = help.as_bytes();
        // What has to be escaped is rare.
        while let Some(at) = memchr::memchr3(b'\\', b'\n', b'"', rest) {
            let (before, after) = rest.split_at(at);
            out.extend_from_slice(before);
            match after.first() {
                Some(b'\\') => out.extend_from_slice(b"\\\\"),
                Some(b'\n') => out.extend_from_slice(b"\\n"),
                Some(b'"') if self == Self::OpenMetrics => out.extend_from_slice(b"\\\""),
                other => out.extend(other),
            }
            rest = after.get(1..).unwrap_or_default();
        }
        out.extend_from_slice(rest);
        for part in ["\n# TYPE ", name, " ", kind, "\n"] {
            out.extend_from_slice(part.as_bytes());
        }
    }
}

/// Appends one series of the series store.
pub fn push_series(
    out: &mut Vec<u8>,
    family: &FamilyView<'_>,
    series: &SeriesView<'_>,
    exemplars: SeriesExemplars<'_>,
) {
    let name = family.metric().name;
    match (family.shape(), series.cells) {
        (Shape::Counter, [value]) => {
            push_name(out, name, "", series);
            out.extend_from_slice(b"} ");
            push_integer(out, *value);
            out.push(b'\n');
        }
        (Shape::Gauge, [value]) => {
            push_name(out, name, "", series);
            out.extend_from_slice(b"} ");
            // A gauge of things that began less things that ended: an end whose beginning was lost is not below none.
            push_integer(out, value.cast_signed().max(0));
            out.push(b'\n');
        }
        (Shape::Histogram(ladder), [buckets @ .., sum]) => {
            push_histogram(out, name, series, (ladder, buckets, *sum), exemplars);
        }
        _ => {}
    }
}

/// `name_suffix{labels` without the closing brace.
fn push_name(out: &mut Vec<u8>, name: &str, suffix: &str, series: &SeriesView<'_>) {
    let comma = if series.account.is_empty() || series.labels.is_empty() { "" } else { "," };
    for part in [name, suffix, "{", series.account, comma, series.labels] {
        out.extend_from_slice(part.as_bytes());
    }
}

fn push_histogram(
    out: &mut Vec<u8>,
    name: &str,
    series: &SeriesView<'_>,
    (ladder, buckets, sum): (&Ladder, &[u64], u64),
    exemplars: SeriesExemplars<'_>,
) {
    let first = out.len();
    push_name(out, name, "_bucket", series);
    out.extend_from_slice(b",le=\"");
    let prefix = first..out.len();
    let mut count = 0;
    for (index, (bucket, le)) in buckets.iter().zip(ladder.le.iter().chain([&"+Inf"])).enumerate() {
        if index > 0 {
            out.extend_from_within(prefix.clone());
        }
        count += bucket;
        out.extend_from_slice(le.as_bytes());
        out.extend_from_slice(b"\"} ");
        push_integer(out, count);
        push_exemplar(out, exemplars.bucket(index).filter(|_| *bucket > 0));
        out.push(b'\n');
    }
    push_name(out, name, "_sum", series);
    out.extend_from_slice(b"} ");
    match ladder.unit {
        Unit::One => push_integer(out, sum),
        Unit::Nanoseconds => push_seconds(out, sum),
    }
    out.push(b'\n');
    push_name(out, name, "_count", series);
    out.extend_from_slice(b"} ");
    push_integer(out, count);
    out.push(b'\n');
}

/// Behind the value of a bucket: the request's ray id, its duration and when that was.
fn push_exemplar(out: &mut Vec<u8>, exemplar: Option<&Exemplar>) {
    let Some(exemplar) = exemplar else { return };
    out.extend_from_slice(b" # {ray_id=\"");
    out.extend_from_slice(exemplar.ray.as_str().as_bytes());
    out.extend_from_slice(b"\"} ");
    push_seconds(out, exemplar.value_ns);
    out.push(b' ');
    push_seconds(out, exemplar.at_ms.saturating_mul(1_000_000));
}

fn push_gathered(out: &mut Vec<u8>, name: &str, kind: MetricType, metric: &proto::Metric, exemplars: Option<&Shown>) {
    let mut labels = String::new();
    for pair in metric.get_label() {
        push_label(&mut labels, pair.name(), pair.value());
    }
    match kind {
        MetricType::COUNTER => push_sample(out, name, "", &labels, metric.get_counter().get_value()),
        // The crate has no untyped values; who makes an untyped family fills in gauges.
        MetricType::GAUGE | MetricType::UNTYPED => push_sample(out, name, "", &labels, metric.get_gauge().get_value()),
        MetricType::HISTOGRAM => {
            let histogram = metric.get_histogram();
            let count = histogram.get_sample_count();
            let exemplars = exemplars.map(|shown| shown.of(name, ["", &labels])).unwrap_or_default();
            let bounds = histogram.get_bucket().iter().filter(|bucket| bucket.upper_bound().is_finite());
            let bounds = bounds.map(|bucket| (bucket.upper_bound(), bucket.cumulative_count()));
            for (index, (bound, cumulative)) in bounds.chain([(f64::INFINITY, count)]).enumerate() {
                let mut with_bound = labels.clone();
                push_label(&mut with_bound, "le", &label_float(bound));
                push_name_and_value(out, name, "_bucket", &with_bound, cumulative as f64);
                push_exemplar(out, exemplars.bucket(index));
                out.push(b'\n');
            }
            push_sample(out, name, "_sum", &labels, histogram.get_sample_sum());
            push_sample(out, name, "_count", &labels, count as f64);
        }
        MetricType::SUMMARY => {
            let summary = metric.get_summary();
            for quantile in summary.get_quantile() {
                let mut with_quantile = labels.clone();
                push_label(&mut with_quantile, "quantile", &label_float(quantile.quantile()));
                push_sample(out, name, "", &with_quantile, quantile.value());
            }
            push_sample(out, name, "_sum", &labels, summary.sample_sum());
            push_sample(out, name, "_count", &labels, summary.sample_count() as f64);
        }
    }
}

fn push_sample(out: &mut Vec<u8>, name: &str, suffix: &str, labels: &str, value: f64) {
    push_name_and_value(out, name, suffix, labels, value);
    out.push(b'\n');
}

fn push_name_and_value(out: &mut Vec<u8>, name: &str, suffix: &str, labels: &str, value: f64) {
    let (open, close) = if labels.is_empty() { ("", " ") } else { ("{", "} ") };
    for part in [name, suffix, open, labels, close] {
        out.extend_from_slice(part.as_bytes());
    }
    push_value(out, value);
}

#[cfg(test)]
mod tests {
    use super::*;
    use prometheus::core::Collector;

    fn page(format: Format, collector: &dyn Collector) -> String {
        let mut out = Vec::new();
        for family in collector.collect() {
            format.push_family(&mut out, &family, None);
        }
        String::from_utf8(out).expect("UTF-8")
    }

    #[test]
    fn a_counter_is_named_as_each_format_wants_it() {
        let opts = prometheus::Opts::new("a_total", "Says \"a\\b\".");
        let counter = prometheus::IntCounterVec::new(opts, &["x"]).expect("a counter");
        counter.with_label_values(&["q\"\n"]).inc_by(3);
        let text = "# HELP a_total Says \"a\\\\b\".\n# TYPE a_total counter\na_total{x=\"q\\\"\\n\"} 3\n";
        assert_eq!(page(Format::Text, &counter), text);
        let open = "# HELP a Says \\\"a\\\\b\\\".\n# TYPE a counter\na_total{x=\"q\\\"\\n\"} 3\n";
        assert_eq!(page(Format::OpenMetrics, &counter), open);
        let inherited = prometheus::IntCounter::new("errors", "Old.").expect("a counter");
        assert!(page(Format::OpenMetrics, &inherited).contains("# TYPE errors unknown\nerrors 0\n"));
    }

    #[test]
    fn a_gathered_histogram_has_its_bounds_as_floats() {
        let opts = prometheus::HistogramOpts::new("h_seconds", "H.").buckets(vec![0.5, 1.0]);
        let histogram = prometheus::Histogram::with_opts(opts).expect("a histogram");
        histogram.observe(0.75);
        let expected = "# HELP h_seconds H.\n# TYPE h_seconds histogram\nh_seconds_bucket{le=\"0.5\"} 0\n\
            h_seconds_bucket{le=\"1.0\"} 1\nh_seconds_bucket{le=\"+Inf\"} 1\nh_seconds_sum 0.75\nh_seconds_count 1\n";
        assert_eq!(page(Format::Text, &histogram), expected);
    }
}
