//! Accounts by access key from a TOML file:
//!
//! ```toml
//! [[account]]
//! # SHA-256 of the access key in hexadecimal: printf %s "$KEY" | sha256sum. Preferred: the file then holds no secret.
//! access_key_sha256 = "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08"
//! main_account = "5DfhGyQdFobKM8NsWvEeAKk5EQQgYe9AydgJ7rMB6E1EqRzV"
//! subaccount_id = "backup"        # optional, main_account if absent
//!
//! [[account]]
//! access_key = "hip_0123"         # works too, but then the file is a secret
//! main_account = "team"
//! ```
//!
//! Errors name file, line and key, never a value: the value may be an access key in the wrong place.

use crate::attribute::{Account, Secret, account_id};
use sha2::{Digest, Sha256};
use std::collections::HashMap;
use std::path::Path;
use std::sync::Arc;
use toml_edit::{Document, Item, Table};
use zeroize::Zeroizing;

/// The file's accounts by SHA-256 of their access keys.
#[derive(Debug, Default)]
pub struct StaticAccounts {
    by_digest: HashMap<[u8; 32], Arc<Account>>,
}

/// Everything that is wrong with the file, one line each.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("{}", .0.join("\n"))]
pub struct StaticFileError(pub Vec<String>);

impl StaticAccounts {
    /// Reads the file at `path`.
    pub fn load(path: &Path) -> Result<Self, StaticFileError> {
        let text = std::fs::read_to_string(path)
            .map(Zeroizing::new)
            .map_err(|err| StaticFileError(vec![format!("{}: cannot be read: {}", path.display(), err.kind())]))?;
        Self::parse(&text, &path.display().to_string())
    }

    /// Parses the file's text; `name` is the file's name in errors.
    pub fn parse(text: &str, name: &str) -> Result<Self, StaticFileError> {
        let mut parser = Parser { text, name, errors: Vec::new() };
        let mut accounts = Self::default();
        if let Err(err) = toml::de::DeTable::parse(text) {
            parser.error(err.span(), "not valid TOML");
            return Err(StaticFileError(parser.errors));
        }
        match Document::parse(text) {
            Ok(document) => parser.document(document.as_table(), &mut accounts),
            Err(err) => parser.error(err.span(), "not valid TOML"),
        }
        if parser.errors.is_empty() { Ok(accounts) } else { Err(StaticFileError(parser.errors)) }
    }

    /// The account of an access key.
    pub fn get(&self, access_key: &Secret) -> Option<&Arc<Account>> {
        self.by_digest.get(&digest(access_key.expose()))
    }

    /// How many access keys the file knows.
    pub fn len(&self) -> usize {
        self.by_digest.len()
    }

    /// Whether the file knows none.
    pub fn is_empty(&self) -> bool {
        self.by_digest.is_empty()
    }
}

fn digest(access_key: &str) -> [u8; 32] {
    Sha256::digest(access_key.as_bytes()).into()
}

type Span = Option<std::ops::Range<usize>>;

struct Parser<'a> {
    text: &'a str,
    name: &'a str,
    errors: Vec<String>,
}

impl Parser<'_> {
    fn error(&mut self, span: Span, what: &str) {
        let before = span.and_then(|span| self.text.get(..span.start)).unwrap_or_default();
        let line = before.bytes().filter(|b| *b == b'\n').count() + 1;
        self.errors.push(format!("{}:{line}: {what}", self.name));
    }

    fn document(&mut self, root: &Table, accounts: &mut StaticAccounts) {
        for (key, item) in root.iter() {
            match item.as_array_of_tables() {
                Some(tables) if key == "account" => {
                    tables.iter().for_each(|table| self.account(table, accounts));
                }
                // The key is not printed: it could be an access key that was meant to be a value.
                _ => self.error(root.key(key).and_then(toml_edit::Key::span), "only [[account]] tables are allowed"),
            }
        }
    }

    fn account(&mut self, table: &Table, accounts: &mut StaticAccounts) {
        const ALLOWED: [&str; 4] = ["access_key_sha256", "access_key", "main_account", "subaccount_id"];
        for (key, _) in table.iter().filter(|(key, _)| !ALLOWED.contains(key)) {
            let span = table.key(key).and_then(toml_edit::Key::span);
            self.error(span, &format!("a key that is not allowed here; allowed are {}", ALLOWED.join(", ")));
        }
        let digest = self.digest(table);
        let main = self.id(table, "main_account");
        let sub = if table.contains_key("subaccount_id") { self.id(table, "subaccount_id") } else { main.clone() };
        if main.is_none() && !table.contains_key("main_account") {
            self.error(table.span(), "main_account is missing");
        }
        if let (Some(digest), Some(main), Some(sub)) = (digest, main, sub)
            && accounts.by_digest.insert(digest, Arc::new(Account { main, sub })).is_some()
        {
            self.error(table.span(), "this access key has an account already, further up");
        }
    }

    fn digest(&mut self, table: &Table) -> Option<[u8; 32]> {
        match (table.get("access_key_sha256"), table.get("access_key")) {
            (Some(item), None) => {
                let found = item.as_str().and_then(from_hex);
                if found.is_none() {
                    self.error(item.span(), "access_key_sha256 must be a string of 64 hexadecimal digits");
                }
                found
            }
            (None, Some(item)) => {
                let found = item.as_str().filter(|key| !key.is_empty()).map(digest);
                if found.is_none() {
                    self.error(item.span(), "access_key must be a string with something in it");
                }
                found
            }
            _ => {
                self.error(table.span(), "an account needs one of access_key_sha256 and access_key");
                None
            }
        }
    }

    fn id(&mut self, table: &Table, key: &str) -> Option<Arc<str>> {
        let item = table.get(key)?;
        let found = item.as_str().and_then(|text| account_id(text.as_bytes()));
        if found.is_none() {
            self.error(Item::span(item), &format!("{key} must be 1 to 128 of A-Z a-z 0-9 - _ . : @"));
        }
        found.map(Arc::from)
    }
}

fn from_hex(text: &str) -> Option<[u8; 32]> {
    let mut digest = [0u8; 32];
    if text.len() != 64 {
        return None;
    }
    for (byte, pair) in digest.iter_mut().zip(text.as_bytes().chunks_exact(2)) {
        let nibble = |at: usize| char::from(*pair.get(at)?).to_digit(16);
        *byte = u8::try_from(nibble(0)? << 4 | nibble(1)?).ok()?;
    }
    Some(digest)
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEST_SHA256: &str = "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08";

    #[test]
    fn digests_and_plain_keys_name_accounts() {
        let text = format!(
            "[[account]]\naccess_key_sha256 = \"{TEST_SHA256}\"\nmain_account = \"5Main\"\nsubaccount_id = \"sub\"\n\
             [[account]]\naccess_key = \"hip_x\"\nmain_account = \"team\"\n"
        );
        let accounts = StaticAccounts::parse(&text, "accounts.toml").expect("a good file");
        let get =
            |key: &str| accounts.get(&Secret::new(key)).map(|account| (*account.main).to_owned() + "/" + &account.sub);
        assert_eq!(get("test").as_deref(), Some("5Main/sub"));
        assert_eq!(get("hip_x").as_deref(), Some("team/team"));
        assert_eq!(get("hip_y"), None);
        assert_eq!(accounts.len(), 2);
    }

    #[test]
    fn all_errors_come_at_once_with_line_and_key_and_without_values() {
        let text = "[[account]]\naccess_key = \"hip_hidden\"\n\
                    [[account]]\naccess_key_sha256 = \"hip_hidden\"\nmain_account = \"hip_hidden!\"\n\
                    [[account]]\nmain_account = \"m\"\n\
                    [[account]]\naccess_key = \"hip_hidden\"\nmain_account = \"m\"\nhip_hidden = 1\n\
                    [[account]]\naccess_key = \"hip_hidden\"\nmain_account = \"m\"\n\
                    [other]\n";
        let error = StaticAccounts::parse(text, "accounts.toml").expect_err("a bad file").to_string();
        assert!(!error.contains("hidden"), "{error}");
        let lines: Vec<_> = error.lines().collect();
        assert_eq!(lines.len(), 7, "{error}");
        assert!(lines[0].starts_with("accounts.toml:1: main_account is missing"), "{error}");
        assert!(lines[1].starts_with("accounts.toml:4: access_key_sha256 must be"), "{error}");
        assert!(lines[2].starts_with("accounts.toml:5: main_account must be"), "{error}");
        assert!(lines[3].starts_with("accounts.toml:6: an account needs one of"), "{error}");
        assert!(lines[4].starts_with("accounts.toml:11: a key that is not allowed here"), "{error}");
        assert!(lines[5].starts_with("accounts.toml:12: this access key has"), "{error}");
        assert!(lines[6].starts_with("accounts.toml:15: only [[account]]"), "{error}");
    }

    #[test]
    fn what_is_no_toml_is_refused_without_being_quoted() {
        let error = StaticAccounts::parse("\n\naccess_key = hip_hidden\n", "f").expect_err("no TOML");
        assert_eq!(error.0, ["f:3: not valid TOML"]);
        let error = StaticAccounts::load(Path::new("/nonexistent/f")).expect_err("no file").to_string();
        assert!(error.starts_with("/nonexistent/f: cannot be read"), "{error}");
    }
}
