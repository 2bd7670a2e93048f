//! The first line of a value.

use super::Aggregate;

/// Redis refuses texts over 512 MiB unless it is told otherwise, and arrays over 2^31 - 1. What is beyond these is no
/// length.
const MAX_TEXT_BYTES: u64 = 1 << 40;
const MAX_ELEMENTS: u64 = 1 << 32;

/// What a line begins, or is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Header<'a> {
    /// Kind and bytes.
    Text(u8, u64),
    /// Kind and elements.
    Open(Aggregate, u64),
    /// Elements.
    Attribute(u64),
    /// `$-1`, `*-1` or `_`.
    Null,
    /// Kind and text.
    Line(u8, &'a [u8]),
}

/// Whether a line of this kind holds nothing but a number.
pub fn is_number(kind: u8) -> bool {
    matches!(kind, b'$' | b'=' | b'!' | b'*' | b'~' | b'%' | b'>' | b'|' | b':' | b'_' | b'#')
}

impl<'a> Header<'a> {
    /// `line` comes without its end; `whole` says whether it is all of the line.
    pub fn parse(line: &'a [u8], whole: bool) -> Option<Self> {
        let (&kind, rest) = line.split_first()?;
        if !whole && is_number(kind) {
            return None;
        }
        Some(match kind {
            b'$' | b'*' if rest == b"-1" => Self::Null,
            b'$' | b'=' | b'!' => Self::Text(kind, number(rest, MAX_TEXT_BYTES)?),
            b'*' => Self::Open(Aggregate::Array, number(rest, MAX_ELEMENTS)?),
            b'~' => Self::Open(Aggregate::Set, number(rest, MAX_ELEMENTS)?),
            b'>' => Self::Open(Aggregate::Push, number(rest, MAX_ELEMENTS)?),
            b'%' => Self::Open(Aggregate::Map, number(rest, MAX_ELEMENTS)? * 2),
            b'|' => Self::Attribute(number(rest, MAX_ELEMENTS)? * 2),
            b'_' if rest.is_empty() => Self::Null,
            b'#' if rest == b"t" || rest == b"f" => Self::Line(kind, rest),
            b':' if is_integer(rest) => Self::Line(kind, rest),
            b'+' | b'-' | b',' | b'(' => Self::Line(kind, rest),
            _ => return None,
        })
    }
}

fn number(digits: &[u8], most: u64) -> Option<u64> {
    if digits.is_empty() || digits.len() > 16 {
        return None;
    }
    let number = digits
        .iter()
        .try_fold(0_u64, |sum, digit| digit.is_ascii_digit().then(|| sum * 10 + u64::from(digit - b'0')))?;
    (number <= most).then_some(number)
}

fn is_integer(text: &[u8]) -> bool {
    let digits = text.strip_prefix(b"-").or_else(|| text.strip_prefix(b"+")).unwrap_or(text);
    !digits.is_empty() && digits.iter().all(u8::is_ascii_digit)
}
