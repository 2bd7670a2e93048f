//! Reads label text (`a="x",b="y"`) back into names and values.

use std::borrow::Cow;

/// Names and values of printed labels; ends at the first thing that is no label.
pub fn pairs(text: &str) -> impl Iterator<Item = (&str, Cow<'_, str>)> {
    let mut rest = text;
    std::iter::from_fn(move || {
        let (name, after) = rest.split_once("=\"")?;
        let end = closing_quote(after)?;
        let (value, after) = after.split_at(end);
        rest = after.trim_start_matches('"').trim_start_matches(',');
        Some((name, unescaped(value)))
    })
}

/// The value of one label, empty where it is missing.
pub fn value<'a>(text: &'a str, wanted: &str) -> Cow<'a, str> {
    pairs(text).find(|(name, _)| *name == wanted).map_or(Cow::Borrowed(""), |(_, value)| value)
}

fn closing_quote(text: &str) -> Option<usize> {
    let mut escaped = false;
    text.bytes().position(|byte| {
        let closes = byte == b'"' && !escaped;
        escaped = byte == b'\\' && !escaped;
        closes
    })
}

fn unescaped(value: &str) -> Cow<'_, str> {
    if !value.contains('\\') {
        return Cow::Borrowed(value);
    }
    let mut out = String::with_capacity(value.len());
    let mut characters = value.chars();
    while let Some(character) = characters.next() {
        match (character, character == '\\') {
            (_, true) => match characters.next() {
                Some('n') => out.push('\n'),
                Some(other) => out.push(other),
                None => {}
            },
            (other, false) => out.push(other),
        }
    }
    Cow::Owned(out)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::series::text::push_label;

    #[test]
    fn printed_labels_come_back() {
        let mut text = String::new();
        for (name, value) in [("a", "plain"), ("b", "q\"\\\n,c=\"x\""), ("c", "")] {
            push_label(&mut text, name, value);
        }
        let read: Vec<_> = pairs(&text).collect();
        assert_eq!(read, [("a", "plain".into()), ("b", "q\"\\\n,c=\"x\"".into()), ("c", "".into())]);
        assert_eq!((value(&text, "a"), value(&text, "z")), ("plain".into(), "".into()));
    }

    #[test]
    fn broken_text_ends_the_list() {
        for text in ["", "a", "a=\"", "a=\"x", "=", "a=\"\\"] {
            assert_eq!(pairs(text).count(), 0, "{text}");
        }
    }
}
