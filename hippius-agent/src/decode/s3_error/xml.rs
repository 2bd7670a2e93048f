//! The elements of a short XML document, as far as it was seen.

/// A tag.
pub(super) struct Element<'a> {
    /// Name without its namespace prefix.
    pub(super) name: &'a [u8],
    /// Whether it is an end tag.
    pub(super) closes: bool,
    /// What follows the tag.
    pub(super) rest: &'a [u8],
}

/// Walks over tags; declarations, comments and CDATA sections are passed over. Checks no nesting: it is for finding
/// a known element in a document that a trusted parser reads as well.
pub(super) struct Elements<'a> {
    rest: &'a [u8],
}

impl<'a> Elements<'a> {
    pub(super) fn new(document: &'a [u8]) -> Self {
        Self { rest: document }
    }
}

impl<'a> Iterator for Elements<'a> {
    type Item = Element<'a>;

    fn next(&mut self) -> Option<Element<'a>> {
        loop {
            let (_, markup) = self.rest.split_at_checked(memchr::memchr(b'<', self.rest)?)?;
            let end = match markup {
                [b'<', b'!', b'-', b'-', ..] => memchr::memmem::find(markup, b"-->")? + 3,
                [b'<', b'!', b'[', ..] => memchr::memmem::find(markup, b"]]>")? + 3,
                _ => memchr::memchr(b'>', markup)? + 1,
            };
            let (tag, rest) = markup.split_at_checked(end)?;
            self.rest = rest;
            match tag {
                [b'<', b'!' | b'?', ..] => {}
                [b'<', b'/', name @ ..] => return Some(Element { name: local_name(name), closes: true, rest }),
                [b'<', name @ ..] => return Some(Element { name: local_name(name), closes: false, rest }),
                _ => return None,
            }
        }
    }
}

fn local_name(tag: &[u8]) -> &[u8] {
    let end = tag.iter().position(|byte| byte.is_ascii_whitespace() || matches!(byte, b'/' | b'>'));
    let name = tag.get(..end.unwrap_or(tag.len())).unwrap_or_default();
    match memchr::memrchr(b':', name) {
        Some(colon) => name.get(colon + 1..).unwrap_or_default(),
        None => name,
    }
}
