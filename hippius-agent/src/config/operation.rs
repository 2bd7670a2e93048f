//! `[[operation]]` and `[[service.operation]]`: names for endpoints that the built-in tables do not know.

use super::error::{Refusal, shown};
use super::pattern::{PathPattern, QueryParameter, query};
use super::read::{Found, Section};

/// A named endpoint.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Operation {
    /// The `handler` label (and `operation`, where it is an S3 operation).
    pub name: Box<str>,
    /// Request method, `None` for any.
    pub method: Option<Box<str>>,
    /// Path of the endpoint.
    pub path: PathPattern,
    /// All of these must be in the query.
    pub query: Vec<QueryParameter>,
    /// Whether it counts in `s3_operations_total`.
    pub s3: bool,
}

/// Longest name that is accepted as a label value.
const LONGEST_NAME: usize = 64;

/// Reads all of one table of operations. The same condition twice is refused: the second would never match.
pub(super) fn read_all(sections: &[Section<'_>]) -> Vec<Operation> {
    let mut operations: Vec<(Operation, usize)> = Vec::new();
    for section in sections {
        let Some(operation) = read(section) else { continue };
        let same = |(earlier, _): &&(Operation, usize)| {
            (&earlier.method, &earlier.path, &earlier.query) == (&operation.method, &operation.path, &operation.query)
        };
        let reading = section.reading();
        match operations.iter().find(same) {
            Some((_, line)) => reading.refuse(&section.place, format!("the same endpoint is named in line {line}")),
            None => operations.push((operation, reading.line(&section.place))),
        }
    }
    operations.into_iter().map(|(operation, _)| operation).collect()
}

fn read(section: &Section<'_>) -> Option<Operation> {
    let name = required(section, "name").and_then(|found| checked(section, found, name));
    let path = required(section, "path").and_then(|found| checked(section, found, PathPattern::parse));
    let method = section.string("method").map(|found| checked(section, found, method));
    let query = section.string("query").map(|found| checked(section, found, query));
    let s3 = section.knows("s3") && section.boolean("s3").unwrap_or(false);
    Some(Operation {
        name: name?,
        method: method.map_or(Some(None), |method| method.map(Some))?,
        path: path?,
        query: query.map_or(Some(Vec::new()), |query| query)?,
        s3,
    })
}

/// The string under `key`; its absence is a mistake.
pub(super) fn required<'d>(section: &Section<'d>, key: &str) -> Option<Found<&'d str>> {
    if !section.has(key) {
        section.reading().refuse(&section.place, format!("\"{key}\" is missing"));
    }
    section.string(key)
}

/// Applies `parse` and notes its refusal at the right place.
pub(super) fn checked<T>(
    section: &Section<'_>,
    found: Found<&str>,
    parse: impl Fn(&str) -> Result<T, Refusal>,
) -> Option<T> {
    parse(found.value).map_err(|refusal| section.reading().refuse(&found.place, refusal)).ok()
}

fn name(text: &str) -> Result<Box<str>, Refusal> {
    let snake = text.bytes().all(|byte| matches!(byte, b'a'..=b'z' | b'0'..=b'9' | b'_'));
    let camel = text.starts_with(|first: char| first.is_ascii_uppercase())
        && text.bytes().all(|byte| byte.is_ascii_alphanumeric());
    let good = (1..=LONGEST_NAME).contains(&text.len()) && !text.starts_with("__") && (snake || camel);
    if good {
        Ok(text.into())
    } else {
        Err(Refusal::new(format!("{} is no name of an operation", shown(text)))
            .allowed(format!("1 to {LONGEST_NAME} characters, \"like_this\" or \"LikeThis\", not beginning with __")))
    }
}

fn method(text: &str) -> Result<Box<str>, Refusal> {
    // Methods are case-sensitive tokens (RFC 9110 section 9.1); every registered one is upper case.
    let good = (1..=32).contains(&text.len()) && text.chars().all(|c| c.is_ascii_uppercase() || c == '-');
    if good {
        return Ok(text.into());
    }
    let refusal = Refusal::new(format!("{} is no request method", shown(text)))
        .allowed("upper case letters and -, such as \"GET\"; leave it out for any method");
    let upper = text.to_ascii_uppercase();
    let suggestion = (upper != text && text.chars().all(|c| c.is_ascii_alphabetic())).then(|| format!("{upper:?}"));
    Err(Refusal { suggestion, ..refusal })
}
