//! Kinds of errors, by the first word of the reply.

/// Words that Redis itself puts first, sorted; scripts and modules can put any other there.
pub(super) const CLASSES: [&str; 32] = [
    "ASK",
    "BUSY",
    "BUSYGROUP",
    "BUSYKEY",
    "CLUSTERDOWN",
    "CROSSSLOT",
    "DENIED",
    "ERR",
    "EXECABORT",
    "INPROG",
    "INVALIDOBJ",
    "IOERR",
    "LOADING",
    "MASTERDOWN",
    "MISCONF",
    "MOVED",
    "NOAUTH",
    "NOGOODSLAVE",
    "NOGROUP",
    "NOMASTERLINK",
    "NOPERM",
    "NOPROTO",
    "NOREPLICAS",
    "NOSCRIPT",
    "NOTBUSY",
    "OOM",
    "READONLY",
    "TRYAGAIN",
    "UNBLOCKED",
    "UNKILLABLE",
    "WRONGPASS",
    "WRONGTYPE",
];

/// The first word if it is a known one.
pub(super) fn class(text: &[u8]) -> &'static str {
    let word = text.split(|byte| *byte == b' ').next().unwrap_or_default();
    let found = CLASSES.binary_search_by(|class| class.as_bytes().cmp(word)).ok();
    found.and_then(|at| CLASSES.get(at)).copied().unwrap_or("other")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_class_comes_from_the_table() {
        assert!(CLASSES.is_sorted());
        assert_eq!(class(b"WRONGTYPE Operation against a key"), "WRONGTYPE");
        assert_eq!(class(b"LOADING"), "LOADING");
        assert_eq!(class(b"SECRET text"), "other");
        assert_eq!(class(b""), "other");
    }
}
