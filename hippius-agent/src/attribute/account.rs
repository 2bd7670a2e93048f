//! The pair of account labels, the pairs that mean no account, and what an account id may look like.

use std::sync::{Arc, LazyLock};

/// Longest account id that becomes a label. An SS58 address has 48 characters.
pub const MAX_ACCOUNT_ID_BYTES: usize = 128;

/// No account was found.
pub static UNKNOWN: LazyLock<Arc<Account>> = LazyLock::new(|| Account::shared("unknown", "unknown"));
/// Anonymous read of something public.
pub static PUBLIC: LazyLock<Arc<Account>> = LazyLock::new(|| Account::shared("public", "anon"));
/// The server refused the credential, or its absence.
pub static UNAUTHENTICATED: LazyLock<Arc<Account>> =
    LazyLock::new(|| Account::shared("unauthenticated", "unauthenticated"));
/// Everything beyond the budget of labels.
pub static OTHER: LazyLock<Arc<Account>> = LazyLock::new(|| Account::shared("__other__", "__other__"));

/// The pair of account labels.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Account {
    /// `main_account`
    pub main: Arc<str>,
    /// `subaccount_id`
    pub sub: Arc<str>,
}

impl Account {
    /// A pair of labels as given; text from outside goes through [`account_id`] first.
    pub fn new(main: impl Into<Arc<str>>, sub: impl Into<Arc<str>>) -> Self {
        Self { main: main.into(), sub: sub.into() }
    }

    /// Whether both share one memory, which is quicker to tell than whether they are equal.
    pub fn is_same(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.main, &other.main) && Arc::ptr_eq(&self.sub, &other.sub)
    }

    fn shared(main: &str, sub: &str) -> Arc<Self> {
        Arc::new(Self::new(main, sub))
    }
}

/// The account of an address that stands where only addresses do, if it is one. Of its subaccount nothing is said.
pub fn of_address(text: &str) -> Option<Arc<Account>> {
    super::ss58::is_address(text).then(|| Account::shared(text, "unknown"))
}

/// The account id in `bytes`, if it may become a label: 1 to [`MAX_ACCOUNT_ID_BYTES`] of `A-Z a-z 0-9 - _ . : @`, and
/// none of the words that stand for the absence of an account, which nobody may claim.
pub fn account_id(bytes: &[u8]) -> Option<&str> {
    const RESERVED: [&str; 4] = ["unknown", "public", "unauthenticated", "__other__"];
    let good = |b: &u8| b.is_ascii_alphanumeric() || b"-_.:@".contains(b);
    if bytes.is_empty() || bytes.len() > MAX_ACCOUNT_ID_BYTES || !bytes.iter().all(good) {
        return None;
    }
    std::str::from_utf8(bytes).ok().filter(|id| !RESERVED.contains(id))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_short_plain_words_are_account_ids() {
        let longest = "a".repeat(MAX_ACCOUNT_ID_BYTES);
        let too_long = "a".repeat(MAX_ACCOUNT_ID_BYTES + 1);
        for good in ["5DfhGyQdFobKM8NsWvEeAKk5EQQgYe9AydgJ7rMB6E1EqRzV", "a", "team-1_x.y:z@w", "anonymous", &longest] {
            assert_eq!(account_id(good.as_bytes()), Some(good));
        }
        let bad = ["", " ", "a b", "a\"b", "a\nb", "a\\", "{x}", "é", "unknown", "public", "__other__", &too_long];
        for bad in bad {
            assert_eq!(account_id(bad.as_bytes()), None, "{bad:?}");
        }
        assert_eq!(account_id(b"\xff\xfe"), None);
    }
}
