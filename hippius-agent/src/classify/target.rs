//! The request target in its parts (RFC 9112 section 3.2).

/// A target that names a path.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Target<'a> {
    /// Authority of an absolute form; it then stands for the `Host` field (RFC 9112 section 3.2.2).
    pub authority: Option<&'a str>,
    /// Path as sent, beginning with `/`.
    pub path: &'a str,
    /// Query as sent, without its `?`; empty where there is none.
    pub query: &'a str,
}

impl<'a> Target<'a> {
    /// Takes apart an origin form (`/bucket/key?acl`) or an absolute form (`http://host/bucket/key`).
    /// `None` for `*`, the authority form of `CONNECT`, and anything else.
    pub(super) fn parse(target: &'a str) -> Option<Self> {
        if target.starts_with('/') {
            let (path, query) = split_query(target);
            return Some(Self { authority: None, path, query });
        }
        let (scheme, rest) = target.split_once("://")?;
        if !scheme.eq_ignore_ascii_case("http") && !scheme.eq_ignore_ascii_case("https") {
            return None;
        }
        let end = rest.find(['/', '?']).unwrap_or(rest.len());
        let (authority, rest) = rest.split_at_checked(end)?;
        let (path, query) = split_query(rest);
        Some(Self { authority: Some(authority), path: if path.is_empty() { "/" } else { path }, query })
    }

    /// The parameters of the query as (name, value), still percent-encoded; the value of a bare flag is empty.
    pub(super) fn parameters(&self) -> impl Iterator<Item = (&'a str, &'a str)> {
        let mut rest = self.query;
        std::iter::from_fn(move || {
            while !rest.is_empty() {
                let (parameter, others) = split_at_byte(rest, b'&');
                rest = others;
                if !parameter.is_empty() {
                    return Some(split_at_byte(parameter, b'='));
                }
            }
            None
        })
    }
}

/// Whether `encoded` says `plain` when its percent-encoding is taken off (RFC 3986 section 2.1).
pub(super) fn decodes_to(encoded: &str, plain: &str) -> bool {
    if memchr::memchr(b'%', encoded.as_bytes()).is_none() {
        return encoded == plain;
    }
    percent_encoding::percent_decode_str(encoded).eq(plain.bytes())
}

fn split_query(target: &str) -> (&str, &str) {
    split_at_byte(target, b'?')
}

/// What stands before and behind the first `separator`, an ASCII character: all and nothing where there is none.
fn split_at_byte(text: &str, separator: u8) -> (&str, &str) {
    memchr::memchr(separator, text.as_bytes())
        .and_then(|at| Some((text.get(..at)?, text.get(at + 1..)?)))
        .unwrap_or((text, ""))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parts(target: &str) -> Option<(Option<&str>, &str, &str)> {
        Target::parse(target).map(|target| (target.authority, target.path, target.query))
    }

    #[test]
    fn origin_and_absolute_forms_are_taken_apart() {
        assert_eq!(parts("/b/k?acl&x=?"), Some((None, "/b/k", "acl&x=?")));
        assert_eq!(parts("/"), Some((None, "/", "")));
        assert_eq!(parts("http://h:80/b?x"), Some((Some("h:80"), "/b", "x")));
        assert_eq!(parts("HTTPS://h"), Some((Some("h"), "/", "")));
        assert_eq!(parts("http://h?x"), Some((Some("h"), "/", "x")));
    }

    #[test]
    fn a_target_without_a_path_is_none() {
        for target in ["*", "", "host:443", "ftp://h/b", "b/k"] {
            assert_eq!(parts(target), None, "{target}");
        }
    }

    #[test]
    fn parameters_are_split_and_flags_have_no_value() {
        let target = Target::parse("/b?uploads&uploads=&&a=b=c").expect("a path");
        let parameters: Vec<_> = target.parameters().collect();
        assert_eq!(parameters, [("uploads", ""), ("uploads", ""), ("a", "b=c")]);
    }

    #[test]
    fn percent_encoding_is_seen_through() {
        assert!(decodes_to("list%2Dtype", "list-type"));
        assert!(decodes_to("acl", "acl"));
        assert!(!decodes_to("acl%00", "acl"));
        assert!(!decodes_to("%zz", "acl"));
    }
}
