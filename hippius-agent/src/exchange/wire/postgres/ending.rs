//! The end of a result of which a part was not seen: large results come in calls that are copied at their beginning only.
//!
//! `ReadyForQuery` is the last that a server sends before it waits, so it ends the bytes of a call. What stands before it is
//! taken for a `CommandComplete` or `PortalSuspended` only where kind, length and content fit to the byte.

use crate::decode::postgres::Verb;

/// As many bytes as the two messages take: tags are short.
const KEPT: usize = 64;

/// `ReadyForQuery` without its status.
const READY: &[u8] = b"Z\0\0\0\x05";

/// What ended a result.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Last {
    /// `CommandComplete`, with the verb of its tag.
    Complete(Verb),
    /// `PortalSuspended`
    Suspended,
    /// Something else, an error for example.
    Unknown,
}

/// The last bytes of what has come.
#[derive(Debug)]
pub(super) struct Ending {
    bytes: [u8; KEPT],
    length: usize,
}

impl Default for Ending {
    fn default() -> Self {
        Self { bytes: [0; KEPT], length: 0 }
    }
}

impl Ending {
    /// What follows is not next to what was seen.
    pub(super) fn forget(&mut self) {
        self.length = 0;
    }

    /// Whether the last bytes were a whole `ReadyForQuery`.
    pub(super) fn is_ready(&self) -> bool {
        self.before_ready().is_some()
    }

    fn before_ready(&self) -> Option<&[u8]> {
        let seen = self.bytes.get(KEPT - self.length..).unwrap_or_default();
        let (status, rest) = seen.split_last()?;
        rest.strip_suffix(READY).filter(|_| b"ITE".contains(status))
    }

    /// Takes the bytes of one call; says what ended the result, if it has ended.
    pub(super) fn take(&mut self, bytes: &[u8]) -> Option<Last> {
        let new = bytes.get(bytes.len().saturating_sub(KEPT)..).unwrap_or(bytes);
        self.bytes.rotate_left(new.len());
        let places = self.bytes.iter_mut().rev();
        places.zip(new.iter().rev()).for_each(|(to, from)| *to = *from);
        self.length = (self.length + new.len()).min(KEPT);
        self.before_ready().map(last)
    }
}

fn last(before: &[u8]) -> Last {
    if before.ends_with(b"s\0\0\0\x04") {
        return Last::Suspended;
    }
    let complete = before.windows(5).enumerate().find_map(|(at, header)| {
        let (kind, length) = header.split_first()?;
        let length = u32::from_be_bytes(length.try_into().ok()?) as usize;
        let tag = before.get(at + 5..).filter(|_| *kind == b'C' && length == before.len() - at - 1)?;
        tag.strip_suffix(b"\0").filter(|tag| tag.iter().all(|byte| (b' '..=b'~').contains(byte)))
    });
    let verb = |tag: &[u8]| Verb::of(tag.split(|byte| *byte == b' ').next().unwrap_or_default());
    complete.map_or(Last::Unknown, |tag| Last::Complete(verb(tag)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_end_is_found_however_calls_cut_it() {
        let bytes = b"rows C\0\0\0\x05x C\0\0\0\x10SELECT 2100\0Z\0\0\0\x05T";
        for cut in 0..bytes.len() {
            let (one, other) = bytes.split_at(cut);
            let mut ending = Ending::default();
            assert_eq!(ending.take(one), None);
            assert_eq!(ending.take(other), Some(Last::Complete(Verb::of(b"SELECT"))), "cut at {cut}");
        }
        let long = [&[b'x'; 500][..], bytes].concat();
        assert_eq!(Ending::default().take(&long), Some(Last::Complete(Verb::of(b"SELECT"))));
        assert_eq!(Ending::default().take(b"..s\0\0\0\x04Z\0\0\0\x05I"), Some(Last::Suspended));
    }

    #[test]
    fn what_does_not_fit_is_unknown() {
        for before in [&b"C\0\0\0\x0fSELECT 2100\0"[..], b"C\0\0\0\x10SELECT\x002100\x01", b"E\0\0\0\x06S\0", b""] {
            let bytes = [before, b"Z\0\0\0\x05I"].concat();
            assert_eq!(Ending::default().take(&bytes), Some(Last::Unknown), "{before:?}");
        }
        assert_eq!(Ending::default().take(b"Z\0\0\0\x05X"), None);
        let mut ending = Ending::default();
        assert_eq!(ending.take(b"Z\0\0"), None);
        ending.forget();
        assert_eq!(ending.take(b"\0\x05I"), None);
    }
}
