//! Unix sockets of a service: the names that they are bound to, with `*` and `?`.

use super::error::{Refusal, shown};
use super::process::glob;
use super::read::{Found, Place, Section};
use std::fmt;

const ALLOWED: &str =
    "full paths such as \"/run/gunicorn.sock\", or abstract names such as \"@gunicorn\"; * and ? stand for anything";

/// The kernel takes no longer name (include/uapi/linux/un.h).
const LONGEST: usize = 107;

/// Unix sockets that are served by one service. None at all means: its ports say where it listens, or anything does.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Sockets(Vec<Box<str>>);

impl Sockets {
    /// Whether a socket that is bound to `name` is one of them.
    pub fn contains(&self, name: &str) -> bool {
        self.0.iter().any(|pattern| glob(pattern.as_bytes(), name.as_bytes()))
    }

    /// Whether none is named.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The first pattern that both have.
    pub(super) fn overlap(&self, other: &Self) -> Option<&str> {
        self.0.iter().find(|pattern| other.0.contains(pattern)).map(|pattern| &**pattern)
    }
}

impl FromIterator<Box<str>> for Sockets {
    fn from_iter<I: IntoIterator<Item = Box<str>>>(patterns: I) -> Self {
        Self(patterns.into_iter().collect())
    }
}

impl fmt::Display for Sockets {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(&self.0.join(", "))
    }
}

/// Reads the array under `sockets`. The place is that of the array's first element, for later complaints.
pub(super) fn read(section: &Section<'_>) -> Option<Found<Sockets>> {
    let elements = section.strings("sockets")?;
    let reading = section.reading();
    let mut sockets = Sockets::default();
    let mut first: Option<Place> = None;
    for Found { value, place } in elements {
        if !is_name(value) {
            let refusal = Refusal::new(format!("{} is no name of a Unix socket", shown(value)));
            reading.refuse(&place, refusal.allowed(ALLOWED));
        } else if sockets.0.iter().any(|earlier| **earlier == *value) {
            reading.refuse(&place, format!("{} is named twice", shown(value)));
        } else {
            sockets.0.push(value.into());
        }
        first.get_or_insert(place);
    }
    if let Some(place) = first {
        return Some(Found { value: sockets, place });
    }
    reading.refuse(&section.place_of("sockets"), Refusal::new("no socket is named").allowed(ALLOWED));
    None
}

fn is_name(text: &str) -> bool {
    let begins = text.starts_with(['/', '*']) || (text.starts_with('@') && text.len() > 1);
    begins && text.len() <= LONGEST && !text.ends_with('/') && !text.chars().any(char::is_control)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_matched_whole() {
        let sockets: Sockets = ["/run/api.sock", "/srv/*/web.sock", "@abstract"].map(Box::from).into_iter().collect();
        for (name, expected) in [
            ("/run/api.sock", true),
            ("/run/api.sock2", false),
            ("/srv/a/web.sock", true),
            ("/srv/web.sock", false),
            ("@abstract", true),
            ("abstract", false),
            ("", false),
        ] {
            assert_eq!(sockets.contains(name), expected, "{name}");
        }
    }

    #[test]
    fn what_can_be_a_name() {
        for (text, expected) in [
            ("/run/x.sock", true),
            ("*.sock", true),
            ("@x", true),
            ("@", false),
            ("x.sock", false),
            ("/run/", false),
            ("/run/\n", false),
            ("", false),
        ] {
            assert_eq!(is_name(text), expected, "{text:?}");
        }
        assert!(!is_name(&format!("/{}", "x".repeat(LONGEST))));
    }
}
