//! S3 error codes, from the beginnings of bodies.
//!
//! A code becomes a label, so it is checked here: letters and digits, at most 64 of them. How many different ones
//! are kept is for the recorder to bound; [`known_code`] tells the usual ones from those that anybody can invent.

mod chunks;
mod codes;
mod xml;

pub use codes::{KNOWN_CODES, known_code};

use super::http1::Fields;
use chunks::without_chunks;
use xml::Elements;

/// How far into a body the code is looked for. Known services put it within the first 100 bytes.
pub const MAX_ERROR_BODY_BYTES: usize = 1024;

/// Longest code that can be a label, in bytes.
pub const MAX_CODE_BYTES: usize = 64;

/// The code of a failed request: what the header `x-amz-error-code` says, else the `<Code>` of the body.
///
/// `body` is what was seen of it, possibly cut off and still in its transfer coding.
pub fn error_code<'a>(fields: &Fields<'a>, body: &'a [u8]) -> Option<&'a str> {
    fields.get_bytes("x-amz-error-code").and_then(label).or_else(|| body_code(body))
}

/// The `<Code>` at the beginning of an error's body (page "Error responses" in the Amazon S3 API Reference).
///
/// A code that chunked coding cuts in two can only be returned when it is a known one.
pub fn body_code(body: &[u8]) -> Option<&str> {
    let body = body.get(..MAX_ERROR_BODY_BYTES).unwrap_or(body);
    let body = body.trim_ascii_start();
    match without_chunks(body) {
        None => label(code_text(body)?),
        Some(joined) => {
            let code = label(code_text(&joined)?)?;
            let in_one_piece = memchr::memmem::find(body, code.as_bytes()).and_then(|at| body.get(at..at + code.len()));
            in_one_piece.and_then(label).or_else(|| known_code(code))
        }
    }
}

fn code_text(body: &[u8]) -> Option<&[u8]> {
    let mut elements = Elements::new(body);
    let root = elements.next()?;
    // `ErrorResponse` is the envelope of the AWS query protocol, which some S3 services use.
    if root.closes || !matches!(root.name, b"Error" | b"ErrorResponse") {
        return None;
    }
    let code = elements.find(|element| !element.closes && element.name == b"Code")?;
    // A text that is not followed by a tag may be cut off.
    let end = memchr::memchr(b'<', code.rest)?;
    code.rest.get(..end)
}

fn label(code: &[u8]) -> Option<&str> {
    let code = code.trim_ascii();
    let good = (1..=MAX_CODE_BYTES).contains(&code.len()) && code.iter().all(u8::is_ascii_alphanumeric);
    if good { std::str::from_utf8(code).ok() } else { None }
}

#[cfg(test)]
mod tests;
