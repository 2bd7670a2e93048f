//! The only type that carries an access key.

use zeroize::Zeroizing;

/// An access key or a URL with a password: wiped when dropped, printed as `[redacted]`, never serialised.
///
/// There is no `Display`, no `Serialize` and no `PartialEq` on purpose: each would be a way out for the text.
#[derive(Clone)]
pub struct Secret(Zeroizing<Box<str>>);

impl Secret {
    /// Takes a copy of `text`; the caller's own copy remains the caller's to wipe.
    pub fn new(text: &str) -> Self {
        Self(Zeroizing::new(text.into()))
    }

    /// The text itself, for the one place that must see it.
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl std::fmt::Debug for Secret {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("[redacted]")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn debug_shows_nothing() {
        assert_eq!(format!("{:?}", Secret::new("hip_abc")), "[redacted]");
        assert_eq!(format!("{:#?}", Some(Secret::new("hip_abc"))), "Some(\n    [redacted],\n)");
    }
}
