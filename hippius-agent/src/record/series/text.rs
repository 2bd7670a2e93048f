//! Label text: escaped once, then shared with the scrapes that read it.

use std::sync::Arc;

use crate::escape::push_label_value;

/// Entries of one chunk. A scrape in progress makes the next change of a chunk copy so many pointers.
const CHUNK: usize = 256;

/// A table of immutable texts that is cloned in one step per 256 entries.
///
/// A clone shares the chunks; a later change of the original copies the one chunk it touches (`Arc::make_mut`), so a
/// scrape reads the texts of its moment without holding the store's lock.
#[derive(Debug, Clone, Default)]
pub struct Texts {
    chunks: Vec<Arc<Vec<Arc<str>>>>,
    len: usize,
}

impl Texts {
    /// Appends a text and returns its index.
    pub fn push(&mut self, text: Arc<str>) -> usize {
        if self.len.is_multiple_of(CHUNK) {
            self.chunks.push(Arc::new(Vec::new()));
        }
        if let Some(chunk) = self.chunks.last_mut() {
            Arc::make_mut(chunk).push(text);
        }
        self.len += 1;
        self.len - 1
    }

    /// Replaces the text at `index`; an index that was never pushed is ignored.
    pub fn set(&mut self, index: usize, text: Arc<str>) {
        if let Some(chunk) = self.chunks.get_mut(index / CHUNK)
            && let Some(entry) = Arc::make_mut(chunk).get_mut(index % CHUNK)
        {
            *entry = text;
        }
    }

    /// The text at `index`, empty where nothing was pushed.
    pub fn get(&self, index: usize) -> &str {
        self.chunks.get(index / CHUNK).and_then(|chunk| chunk.get(index % CHUNK)).map_or("", |text| text)
    }
}

/// Appends `name="value"` to a list of labels, a comma before it where the list is not empty.
pub fn push_label(out: &mut String, name: &str, value: &str) {
    if !out.is_empty() {
        out.push(',');
    }
    out.push_str(name);
    out.push_str("=\"");
    push_label_value(out, value);
    out.push('"');
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_clone_keeps_the_texts_of_its_moment() {
        let mut texts = Texts::default();
        for index in 0..CHUNK + 2 {
            assert_eq!(texts.push(index.to_string().into()), index);
        }
        let before = texts.clone();
        texts.set(1, "new".into());
        texts.push("more".into());
        assert_eq!((before.get(1), texts.get(1)), ("1", "new"));
        assert_eq!((before.get(CHUNK + 2), texts.get(CHUNK + 2)), ("", "more"));
        assert_eq!(texts.get(CHUNK), "256");
    }

    #[test]
    fn label_values_are_escaped() {
        let mut labels = String::new();
        push_label(&mut labels, "a", "x");
        push_label(&mut labels, "b", "q\"\\\n");
        assert_eq!(labels, r#"a="x",b="q\"\\\n""#);
    }
}
