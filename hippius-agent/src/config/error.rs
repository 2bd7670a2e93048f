//! What is wrong with a configuration: all of it at once, each with its place, its key and what is allowed.
//!
//! Nothing here may hold a secret: values are shown through [`shown`], which hides what looks like an address with a
//! password, and values of keys that hold secrets are not shown at all.

use std::fmt;
use std::path::{Path, PathBuf};

/// One thing that is wrong.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Problem {
    /// Line and column, both from 1; `None` where the problem is not in the text of the file.
    pub position: Option<(usize, usize)>,
    /// Dotted key, empty where no key is concerned.
    pub key: String,
    /// What is wrong.
    pub what: String,
    /// What was probably meant.
    pub suggestion: Option<String>,
    /// What is allowed.
    pub allowed: Option<String>,
}

/// Everything that is wrong with one configuration file. Its `Display` is the text for the operator: one line each.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConfigErrors {
    file: PathBuf,
    problems: Vec<Problem>,
}

impl ConfigErrors {
    /// Problems of `file`; they are put in the order of the file.
    pub fn new(file: &Path, mut problems: Vec<Problem>) -> Self {
        problems.sort();
        Self { file: file.to_owned(), problems }
    }

    /// A problem with the file as a whole.
    pub fn of_file(file: &Path, what: String) -> Self {
        let problem = Problem { position: None, key: String::new(), what, suggestion: None, allowed: None };
        Self::new(file, vec![problem])
    }

    /// The problems, in the order of the file.
    pub fn problems(&self) -> &[Problem] {
        &self.problems
    }
}

impl std::error::Error for ConfigErrors {}

impl fmt::Display for ConfigErrors {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, problem) in self.problems.iter().enumerate() {
            if index > 0 {
                out.write_str("\n")?;
            }
            write!(out, "{}", self.file.display())?;
            if let Some((line, column)) = problem.position {
                write!(out, ":{line}:{column}")?;
            }
            write!(out, ": {problem}")?;
        }
        Ok(())
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        if !self.key.is_empty() {
            write!(out, "{}: ", self.key)?;
        }
        out.write_str(&self.what)?;
        if let Some(suggestion) = &self.suggestion {
            write!(out, "; did you mean {suggestion}?")?;
        }
        if let Some(allowed) = &self.allowed {
            let joint = if self.suggestion.is_some() { " Allowed" } else { "; allowed" };
            write!(out, "{joint}: {allowed}")?;
        }
        Ok(())
    }
}

/// Why a value is refused, before its place is known.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Refusal {
    pub(super) what: String,
    pub(super) suggestion: Option<String>,
    pub(super) allowed: Option<String>,
}

impl Refusal {
    pub(super) fn new(what: impl Into<String>) -> Self {
        Self { what: what.into(), suggestion: None, allowed: None }
    }

    pub(super) fn allowed(self, allowed: impl Into<String>) -> Self {
        Self { allowed: Some(allowed.into()), ..self }
    }

    /// Names the candidate that `given` is a near miss of, if there is one.
    pub(super) fn near<'a>(self, given: &str, candidates: impl Iterator<Item = &'a str>) -> Self {
        Self { suggestion: super::suggest::nearest(given, candidates).map(|near| format!("\"{near}\"")), ..self }
    }
}

impl From<String> for Refusal {
    fn from(what: String) -> Self {
        Self::new(what)
    }
}

impl From<&str> for Refusal {
    fn from(what: &str) -> Self {
        Self::new(what)
    }
}

/// `value` for an error message: quoted, and hidden where it could be a secret that was put under the wrong key (an
/// address with a password, an access key, a seed phrase).
pub(super) fn shown(value: &str) -> String {
    const LONGEST: usize = 48;
    match value.chars().count() {
        0..=LONGEST => shown_path(value),
        longer => format!("a value of {longer} characters"),
    }
}

/// Like [`shown`], of any length.
pub(super) fn shown_path(value: &str) -> String {
    let lower = value.to_ascii_lowercase();
    if ["://", "@", "password", "hip_"].iter().any(|mark| lower.contains(mark)) {
        "the value (not shown, it may hold a secret)".to_owned()
    } else {
        format!("{value:?}")
    }
}
