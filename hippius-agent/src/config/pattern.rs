//! Path and query of a route, as written in the configuration.

use super::error::{Refusal, shown};

/// A path of literal and variable segments.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct PathPattern {
    /// What stands between the slashes; none at all is the path `/`.
    pub segments: Vec<Segment>,
}

/// What stands between two slashes.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Segment {
    /// Exactly this text.
    Literal(Box<str>),
    /// `{name}`: any one segment that is not empty.
    One,
    /// `{name*}`: whatever follows, slashes included. Only at the end.
    Rest,
}

/// One condition on the query: the parameter must be there, with this value if one is given.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct QueryParameter {
    /// Name of the parameter.
    pub name: Box<str>,
    /// `Some` where the value matters.
    pub value: Option<Box<str>>,
}

const PATH_ALLOWED: &str = "a path such as \"/user/{name}/files\" or \"/files/{rest*}\"";

impl PathPattern {
    pub(super) fn parse(text: &str) -> Result<Self, Refusal> {
        let refuse = |what: String| Refusal::new(what).allowed(PATH_ALLOWED);
        let Some(relative) = text.strip_prefix('/') else {
            return Err(refuse(format!("{} does not begin with /", shown(text))));
        };
        if text.contains(['?', '#']) || text.contains(char::is_whitespace) {
            return Err(refuse(format!(
                "{} is more than a path (conditions on the query go under \"query\")",
                shown(text)
            )));
        }
        if relative.is_empty() {
            return Ok(Self { segments: Vec::new() });
        }
        let mut names: Vec<&str> = Vec::new();
        let mut segments = Vec::new();
        let mut parts = relative.split('/').peekable();
        while let Some(part) = parts.next() {
            let (segment, name) = segment(part).map_err(|what| refuse(format!("{}: {what}", shown(text))))?;
            if segment == Segment::Rest && parts.peek().is_some() {
                return Err(refuse(format!("{}: {{{}*}} must come last", shown(text), name.unwrap_or_default())));
            }
            if let Some(name) = name {
                if names.contains(&name) {
                    return Err(refuse(format!("{}: {{{name}}} comes twice", shown(text))));
                }
                names.push(name);
            }
            segments.push(segment);
        }
        Ok(Self { segments })
    }
}

/// The segment and the name of its variable.
fn segment(part: &str) -> Result<(Segment, Option<&str>), String> {
    if part.is_empty() {
        return Err("a segment is empty".to_owned());
    }
    let Some(inner) = part.strip_prefix('{').and_then(|part| part.strip_suffix('}')) else {
        if part.contains(['{', '}', '*']) {
            return Err(format!("{} is neither a name nor a whole {{variable}}", shown(part)));
        }
        return Ok((Segment::Literal(part.into()), None));
    };
    let (name, kind) = inner.strip_suffix('*').map_or((inner, Segment::One), |name| (name, Segment::Rest));
    let good = !name.is_empty() && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_');
    if good { Ok((kind, Some(name))) } else { Err(format!("{} names no variable", shown(part))) }
}

/// `uploadId&partNumber=1` → both must be there, the second with this value.
pub(super) fn query(text: &str) -> Result<Vec<QueryParameter>, Refusal> {
    let refuse =
        |what: String| Refusal::new(what).allowed("parameters joined by &, such as \"uploads\" or \"list-type=2\"");
    if text.starts_with('?') || text.contains(char::is_whitespace) || text.contains('#') {
        return Err(refuse(format!("{} is no list of parameters", shown(text))));
    }
    text.split('&')
        .map(|part| {
            let (name, value) = part.split_once('=').map_or((part, None), |(name, value)| (name, Some(value)));
            if name.is_empty() {
                return Err(refuse(format!("{} has a parameter without a name", shown(text))));
            }
            Ok(QueryParameter { name: name.into(), value: value.map(Into::into) })
        })
        .collect()
}
