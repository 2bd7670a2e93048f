//! The pattern language of declared operations.

use std::str::FromStr;

use super::super::target::{Target, decodes_to};

/// Longest pattern, in bytes.
const MAX_PATTERN_BYTES: usize = 1024;

/// Where and why a pattern is refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("character {position}: {expected}")]
pub struct PatternError {
    /// Position in characters, from 1.
    pub position: usize,
    /// What is allowed there.
    pub expected: &'static str,
}

/// A path: literal segments, `{name}` for exactly one segment that is not empty, and at the end `{name*}` for all
/// that remains, even nothing (`/files/{path*}` takes `/files/`, not `/files`). Percent-encoding does not matter.
/// The names only explain; what they stand for is never a label.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PathPattern {
    segments: Box<[Segment]>,
    /// Whether anything may follow the segments.
    open: bool,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Segment {
    Literal(Box<str>),
    Any,
}

/// A query: parameters joined by `&`, all of which must be there. `name` takes any value, `name=value` only that one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct QueryPattern(Box<[Parameter]>);

#[derive(Debug, Clone, PartialEq, Eq)]
struct Parameter {
    name: Box<str>,
    value: Option<Box<str>>,
}

impl PathPattern {
    /// Whether a path as sent matches.
    pub fn matches(&self, path: &str) -> bool {
        let Some(mut rest) = path.strip_prefix('/').map(Some) else { return false };
        for segment in &self.segments {
            let Some(path) = rest else { return false };
            let (first, others) = match path.split_once('/') {
                Some((first, others)) => (first, Some(others)),
                None => (path, None),
            };
            let fits = match segment {
                Segment::Literal(literal) => decodes_to(first, literal),
                Segment::Any => !first.is_empty(),
            };
            if !fits {
                return false;
            }
            rest = others;
        }
        if self.open { rest.is_some() } else { rest.is_none() }
    }
}

impl FromStr for PathPattern {
    type Err = PatternError;

    fn from_str(text: &str) -> Result<Self, PatternError> {
        check_characters(text, "a path of at most 1024 visible ASCII characters is allowed")?;
        let Some(rest) = text.strip_prefix('/') else { return Err(at(text, text, "a path begins with `/`")) };
        let mut segments = Vec::new();
        let mut open = false;
        for segment in rest.split('/') {
            if open {
                return Err(at(text, segment, "nothing is allowed behind `{name*}`"));
            }
            let Some(inner) = segment.strip_prefix('{') else {
                segments.push(literal(text, segment)?);
                continue;
            };
            let Some(name) = inner.strip_suffix('}') else {
                return Err(at(text, segment, "`{name}` or `{name*}` takes the whole segment up to the next `/`"));
            };
            match name.strip_suffix('*') {
                Some(name) => {
                    check_name(text, name)?;
                    open = true;
                }
                None => {
                    check_name(text, name)?;
                    segments.push(Segment::Any);
                }
            }
        }
        Ok(Self { segments: segments.into(), open })
    }
}

impl QueryPattern {
    pub(in crate::classify) fn matches(&self, target: &Target<'_>) -> bool {
        self.0.iter().all(|wanted| {
            target.parameters().any(|(name, value)| {
                decodes_to(name, &wanted.name) && wanted.value.as_ref().is_none_or(|wanted| decodes_to(value, wanted))
            })
        })
    }
}

impl FromStr for QueryPattern {
    type Err = PatternError;

    fn from_str(text: &str) -> Result<Self, PatternError> {
        check_characters(text, "a query of at most 1024 visible ASCII characters is allowed")?;
        let mut parameters = Vec::new();
        for parameter in text.split('&') {
            let (name, value) = match parameter.split_once('=') {
                Some((name, value)) => (name, Some(value)),
                None => (parameter, None),
            };
            if name.is_empty() {
                return Err(at(text, parameter, "the name of a parameter is expected (`flag` or `name=value`)"));
            }
            if let Some(place) = parameter.find(['?', '#', '{', '}']) {
                let rest = parameter.get(place..).unwrap_or(parameter);
                return Err(at(text, rest, "`?`, `#`, `{` and `}` are not allowed in a query pattern"));
            }
            parameters.push(Parameter { name: name.into(), value: value.map(Into::into) });
        }
        Ok(Self(parameters.into()))
    }
}

fn literal(text: &str, segment: &str) -> Result<Segment, PatternError> {
    if let Some(place) = segment.find(['{', '}', '?', '#']) {
        let rest = segment.get(place..).unwrap_or(segment);
        return Err(at(text, rest, "`{`, `}`, `?` and `#` are not allowed inside a literal segment"));
    }
    Ok(Segment::Literal(segment.into()))
}

fn check_name(text: &str, name: &str) -> Result<(), PatternError> {
    let good = !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_');
    if good { Ok(()) } else { Err(at(text, name, "a name of letters, digits and `_` is expected between `{` and `}`")) }
}

fn check_characters(text: &str, expected: &'static str) -> Result<(), PatternError> {
    let bad = text.bytes().take(MAX_PATTERN_BYTES).position(|byte| !byte.is_ascii_graphic());
    match bad {
        Some(position) => Err(PatternError { position: position + 1, expected }),
        None if text.len() > MAX_PATTERN_BYTES => Err(PatternError { position: MAX_PATTERN_BYTES + 1, expected }),
        None => Ok(()),
    }
}

/// The error at the beginning of `part`, which is a part of `text`. The text is ASCII, so bytes are characters.
fn at(text: &str, part: &str, expected: &'static str) -> PatternError {
    let offset = (part.as_ptr() as usize).saturating_sub(text.as_ptr() as usize);
    PatternError { position: offset + 1, expected }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_match_by_segment() {
        for (pattern, path, wanted) in [
            ("/", "/", true),
            ("/", "/a", false),
            ("/health", "/health", true),
            ("/health", "/health/", false),
            ("/health/", "/health/", true),
            ("/a b", "/a b", false),
            ("/v1/{id}", "/v1/7", true),
            ("/v1/{id}", "/v1/", false),
            ("/v1/{id}", "/v1/7/8", false),
            ("/v1/{id}/x", "/v1/7/x", true),
            ("/v1/{rest*}", "/v1/7/8", true),
            ("/v1/{rest*}", "/v1/", true),
            ("/v1/{rest*}", "/v1", false),
            ("/{rest*}", "/", true),
            ("/{b}/{k*}", "/b/k/l", true),
            ("/{b}/{k*}", "//k", false),
            ("/a-b", "/a%2Db", true),
            ("/a", "a", false),
        ] {
            let parsed = pattern.parse::<PathPattern>();
            assert_eq!(parsed.is_ok_and(|pattern| pattern.matches(path)), wanted, "{pattern} on {path}");
        }
    }

    #[test]
    fn a_bad_path_names_the_place_and_what_is_allowed() {
        for (pattern, position, expected) in [
            ("", 1, "begins with"),
            ("v1", 1, "begins with"),
            ("/v1/a b", 6, "visible ASCII"),
            ("/v1/\u{e9}", 5, "visible ASCII"),
            ("/v1/x{id}", 6, "literal segment"),
            ("/v1/{id", 5, "whole segment"),
            ("/v1/{id}x", 5, "whole segment"),
            ("/v1/{}", 6, "letters, digits"),
            ("/v1/{a-b}", 6, "letters, digits"),
            ("/{rest*}/x", 10, "nothing is allowed"),
            ("/a?b", 3, "literal segment"),
        ] {
            let error = pattern.parse::<PathPattern>().expect_err(pattern);
            assert_eq!(error.position, position, "{pattern}: {error}");
            assert!(error.expected.contains(expected), "{pattern}: {error}");
        }
        let long = format!("/{}", "a".repeat(MAX_PATTERN_BYTES));
        assert_eq!(long.parse::<PathPattern>().map_err(|error| error.position), Err(MAX_PATTERN_BYTES + 1));
    }

    #[test]
    fn a_bad_query_names_the_place_and_what_is_allowed() {
        for (pattern, position) in [("", 1), ("a&", 3), ("=1", 1), ("a&b=?", 5), ("a b", 2)] {
            assert_eq!(pattern.parse::<QueryPattern>().map_err(|error| error.position), Err(position), "{pattern}");
        }
    }
}
