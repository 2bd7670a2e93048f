//! What `[[redis]]` and `[[postgres]]` share: names, pace and TLS of a polled server.

use super::error::{Refusal, shown};
use super::operation::{checked, required};
use super::read::{Found, Place, Section};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

/// How often a server is asked, and for how long an answer holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pace {
    /// From one poll to the next.
    pub interval: Duration,
    /// Longest time that one poll may take, connecting included.
    pub timeout: Duration,
    /// Each pause is longer by a random part of this, so that several targets do not poll in step.
    pub jitter: Duration,
    /// After each failure the pause doubles, up to this.
    pub backoff_max: Duration,
    /// For how long the values of the last good poll are shown while newer ones fail.
    pub stale: Duration,
}

/// Keys of [`Pace`], for the schema.
pub(super) const SHORTEST_MS: u64 = 50;
const DAY_MS: u64 = 86_400_000;

impl Pace {
    /// The defaults for polls that are `interval` apart.
    pub fn every(interval: Duration, timeout: Duration) -> Self {
        let backoff_max = interval.max(Duration::from_secs(30));
        Self { interval, timeout, jitter: interval / 10, backoff_max, stale: interval * 3 }
    }

    pub(super) fn read(section: &Section<'_>, default: &Self) -> Self {
        let ms = |key, least| {
            let found = section.integer(key, least..=DAY_MS, "milliseconds");
            found.map(|found| Duration::from_millis(found.value))
        };
        let interval = ms("interval_ms", SHORTEST_MS).unwrap_or(default.interval);
        let like = Self::every(interval, default.timeout);
        let pace = Self {
            interval,
            timeout: ms("timeout_ms", SHORTEST_MS).unwrap_or(like.timeout),
            jitter: ms("jitter_ms", 0).unwrap_or(like.jitter),
            backoff_max: ms("backoff_max_ms", SHORTEST_MS).unwrap_or(like.backoff_max),
            stale: ms("stale_ms", 0).unwrap_or(like.stale),
        };
        if pace.backoff_max < pace.interval {
            let refusal = Refusal::new("less than interval_ms").allowed("at least interval_ms");
            section.reading().refuse(&section.place_of("backoff_max_ms"), refusal);
        }
        pace
    }
}

/// Files for TLS to a polled server; without any, the certificates that the host trusts.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct TlsFiles {
    /// Certificates (PEM) that the server's is checked against, instead of those of the host.
    pub ca: Option<PathBuf>,
    /// Certificate and key (PEM) that the agent shows.
    pub client: Option<(PathBuf, PathBuf)>,
}

impl TlsFiles {
    pub(super) fn read(section: &Section<'_>) -> Self {
        let file = |key| section.readable_file(key).map(|found| found.value);
        let (certificate, key) = (file("tls_cert_file"), file("tls_key_file"));
        if section.has("tls_cert_file") != section.has("tls_key_file") {
            let refusal = Refusal::new("one of a pair").allowed("both tls_cert_file and tls_key_file, or none");
            section.reading().refuse(&section.place, refusal);
        }
        Self { ca: file("tls_ca_file"), client: certificate.zip(key) }
    }
}

/// The name of a target: a label value and a part of a path.
pub(super) fn name(section: &Section<'_>) -> Option<Arc<str>> {
    required(section, "name").and_then(|found| checked(section, found, good_name))
}

fn good_name(text: &str) -> Result<Arc<str>, Refusal> {
    const LONGEST: usize = 64;
    let good = (1..=LONGEST).contains(&text.len())
        && !text.starts_with(['_', '.'])
        && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'_' | b'-'));
    if good {
        return Ok(text.into());
    }
    Err(Refusal::new(format!("{} is no name of a server", shown(text)))
        .allowed(format!("1 to {LONGEST} letters, digits, '.', '_' and '-', not beginning with '.' or '_'")))
}

/// Says that an address must be given, where no key of the three is written.
pub(super) fn require_url(section: &Section<'_>) {
    if !["url", "url_env", "url_file"].into_iter().any(|key| section.has(key)) {
        let refusal = Refusal::new("nothing says where the server is").allowed("one of url, url_env, url_file");
        section.reading().refuse(&section.place, refusal);
    }
}

/// Reads every target that can be read; no two of a kind may have the same name.
pub(super) fn read_all<T>(
    sections: &[Section<'_>],
    read: impl Fn(&Section<'_>) -> Option<T>,
    name_of: impl Fn(&T) -> &Arc<str>,
) -> Vec<T> {
    let mut names = Vec::new();
    let mut targets = Vec::new();
    for section in sections {
        let Some(target) = read(section) else { continue };
        let name = Arc::clone(name_of(&target));
        refuse_twice(section, &name, &names);
        names.push((name, section.place_of("name")));
        targets.push(target);
    }
    targets
}

/// Refuses a name that an earlier target of the same kind has.
fn refuse_twice(section: &Section<'_>, name: &str, earlier: &[(Arc<str>, Place)]) {
    if let Some((_, place)) = earlier.iter().find(|(other, _)| **other == *name) {
        let line = section.reading().line(place);
        let refusal = format!("the name \"{name}\" is taken by the server in line {line}");
        section.reading().refuse(&section.place_of("name"), refusal);
    }
}

/// A whole number with a default.
pub(super) fn number(section: &Section<'_>, key: &str, least: u64, most: u64, unit: &str, otherwise: u64) -> u64 {
    section.integer(key, least..=most, unit).map_or(otherwise, |found| found.value)
}

/// Texts of 1 to `longest` bytes without control characters, each once; at most `most` of them.
pub(super) fn texts(section: &Section<'_>, key: &str, longest: usize, most: usize) -> Vec<Box<str>> {
    let mut texts: Vec<Box<str>> = Vec::new();
    for Found { value, place } in section.strings(key).unwrap_or_default() {
        let refusal = if value.is_empty() || value.len() > longest || value.chars().any(char::is_control) {
            Refusal::new(format!("{} cannot be used", shown(value))).allowed(format!("1 to {longest} characters"))
        } else if texts.iter().any(|text| **text == *value) {
            Refusal::new(format!("{} comes twice", shown(value)))
        } else if texts.len() == most {
            Refusal::new("too many").allowed(format!("at most {most}"))
        } else {
            texts.push(value.into());
            continue;
        };
        section.reading().refuse(&place, refusal);
    }
    texts
}
