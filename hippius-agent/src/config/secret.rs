//! Addresses of Redis and Postgres, which may hold passwords: given in place, by environment or by file, and never
//! printed.

use super::error::Refusal;
use super::read::{Found, Section};
use crate::connect::postgres::Address;
use std::fmt;
use zeroize::Zeroizing;

/// An address with a possible password, or a password alone. `Debug` does not show it; the memory is wiped when it is dropped.
#[derive(Clone, PartialEq, Eq)]
pub struct SecretUrl(Zeroizing<String>);

impl SecretUrl {
    /// The address or password itself, for the client library only.
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl From<String> for SecretUrl {
    fn from(url: String) -> Self {
        Self(Zeroizing::new(url))
    }
}

impl fmt::Debug for SecretUrl {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("[redacted]")
    }
}

/// What kind of address is asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Redis,
    Postgres,
}

impl Kind {
    fn check(self, url: &str) -> Result<(), Refusal> {
        // The libraries' own messages could quote parts of the address, so they are dropped.
        let (good, allowed) = match self {
            Self::Redis => (
                redis::IntoConnectionInfo::into_connection_info(url).is_ok(),
                "redis://[user:password@]host[:port][/db], rediss://… or unix:///path",
            ),
            Self::Postgres => (
                Address::parse(url).is_some(),
                "postgres://[user[:password]@]host[:port][/database] or host=… user=… dbname=…",
            ),
        };
        let name = match self {
            Self::Redis => "a Redis URL",
            Self::Postgres => "a Postgres address",
        };
        if good { Ok(()) } else { Err(Refusal::new(format!("not {name} (not shown)")).allowed(allowed)) }
    }
}

/// Reads the address under `key`, `key_env` or `key_file`, of which at most one may be given.
pub(super) fn url(section: &Section<'_>, key: &'static str, kind: Kind) -> Option<SecretUrl> {
    let by_environment = format!("{key}_env");
    let by_file = format!("{key}_file");
    let given: Vec<Found<String>> =
        [in_place(section, key), from_environment(section, &by_environment), from_file(section, &by_file)]
            .into_iter()
            .flatten()
            .collect();
    let written = [key, &by_environment, &by_file].into_iter().filter(|key| section.has(key)).count();
    if written > 1 {
        let refusal = Refusal::new("the same address is given more than once");
        section
            .reading()
            .refuse(&section.place_of(key), refusal.allowed(format!("one of {key}, {by_environment}, {by_file}")));
        return None;
    }
    let Found { value, place } = given.into_iter().next()?;
    match kind.check(&value) {
        Ok(()) => Some(value.into()),
        Err(refusal) => {
            section.reading().refuse(&place, refusal);
            None
        }
    }
}

/// Reads a password from `password_env` or `password_file`, of which at most one may be given.
pub(super) fn password(section: &Section<'_>) -> Option<SecretUrl> {
    let (environment, file) = ("password_env", "password_file");
    if section.has(environment) && section.has(file) {
        let refusal = Refusal::new("the password is given more than once");
        section
            .reading()
            .refuse(&section.place_of(environment), refusal.allowed(format!("one of {environment}, {file}")));
        return None;
    }
    let given = if section.has(file) { from_file(section, file) } else { from_environment(section, environment) };
    given.map(|found| found.value.into())
}

fn in_place(section: &Section<'_>, key: &str) -> Option<Found<String>> {
    section.string(key).map(|Found { value, place }| Found { value: value.to_owned(), place })
}

fn from_environment(section: &Section<'_>, key: &str) -> Option<Found<String>> {
    let Found { value: variable, place } = section.string(key)?;
    // Only a name is shown: somebody may have written the address itself here.
    let name = variable.chars().all(|c| c.is_ascii_alphanumeric() || c == '_') && !variable.is_empty();
    let reading = section.reading();
    if !name {
        reading
            .refuse(&place, Refusal::new("not the name of an environment variable").allowed("letters, digits and _"));
        return None;
    }
    let value = (reading.around.environment)(variable);
    if value.is_none() {
        reading.refuse(&place, format!("the environment variable {variable} is not set"));
    }
    value.map(|value| Found { value, place })
}

fn from_file(section: &Section<'_>, key: &str) -> Option<Found<String>> {
    let Found { value: path, place } = section.readable_file(key)?;
    match std::fs::read_to_string(&path) {
        Ok(text) => Some(Found { value: text.trim().to_owned(), place }),
        Err(error) => {
            section.reading().refuse(&place, format!("cannot read the file: {error}"));
            None
        }
    }
}
