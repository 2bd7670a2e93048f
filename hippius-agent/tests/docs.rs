//! The documentation says what the program says: the catalogue, names of metrics, loss reasons.
//!
//! `HIPPIUS_BLESS=1` writes the catalogue into docs/metrics.md instead of comparing it.

use std::path::{Path, PathBuf};

use hippius_agent::record::catalogue;
use hippius_common::loss::REASONS;

const BEGIN: &str = "<!-- catalogue -->\n";
const END: &str = "<!-- /catalogue -->";

fn workspace(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..").join(path)
}

fn read(path: &Path) -> String {
    std::fs::read_to_string(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// README.md and every page below docs/.
fn pages() -> Vec<PathBuf> {
    let mut pages = vec![workspace("README.md")];
    for folder in ["docs", "docs/how-to"] {
        for entry in std::fs::read_dir(workspace(folder)).unwrap() {
            let path = entry.unwrap().path();
            if path.extension().is_some_and(|extension| extension == "md") {
                pages.push(path);
            }
        }
    }
    pages
}

#[test]
fn the_catalogue_in_the_documentation_is_the_programs() {
    let path = workspace("docs/metrics.md");
    let page = read(&path);
    let (before, rest) = page.split_once(BEGIN).expect("docs/metrics.md has a catalogue");
    let (shown, after) = rest.split_once(END).expect("the catalogue has an end");
    let printed = catalogue::Markdown.to_string();
    if std::env::var_os("HIPPIUS_BLESS").is_some() {
        std::fs::write(&path, format!("{before}{BEGIN}{printed}{END}{after}")).unwrap();
    } else {
        assert_eq!(shown, printed, "run this test with HIPPIUS_BLESS=1 to write the catalogue into docs/metrics.md");
    }
}

/// Words that begin like a metric and are none: a label value.
const NO_METRICS: [&str; 1] = ["http_NNN"];

/// Whether `word` is a metric, a series of one, or the beginning of several (`s3_*`).
fn is_known(word: &str) -> bool {
    let is_histogram = |name: &str| catalogue::find(name).is_some_and(|found| found.kind == catalogue::Kind::Histogram);
    let is_series = ["_bucket", "_sum", "_count"].iter().any(|end| word.strip_suffix(*end).is_some_and(is_histogram));
    is_series || word.ends_with('_') || NO_METRICS.contains(&word) || catalogue::exists(word)
}

#[test]
fn every_metric_that_the_documentation_names_exists() {
    for path in pages() {
        let page = read(&path);
        for word in page.split(|c: char| !(c.is_ascii_alphanumeric() || c == '_')) {
            let is_name = ["hippius_agent_", "http_", "s3_"].iter().any(|prefix| word.starts_with(*prefix));
            assert!(!is_name || is_known(word), "{} names {word}, which is not in the catalogue", path.display());
        }
    }
}

#[test]
fn every_loss_reason_is_explained() {
    let page = read(&workspace("docs/metrics.md"));
    for (_, reason) in REASONS {
        let row = page.lines().any(|line| line.starts_with(&format!("| `{reason}` |")));
        assert!(row, "docs/metrics.md does not explain the loss reason {reason}");
    }
}
