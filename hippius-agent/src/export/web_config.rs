//! `web.config.file` of the Prometheus exporters: TLS, basic auth and response headers.
//!
//! <https://prometheus.io/docs/prometheus/latest/configuration/https/>. An unknown key is refused by its name, and so is a
//! known one whose promise this server does not keep; a setting that is silently without effect would be worse.

use std::collections::BTreeMap;
use std::fmt;
use std::path::{Path, PathBuf};
use std::str::FromStr;
use std::sync::Arc;
use std::time::SystemTime;

use hyper::header::{HeaderName, HeaderValue};
use serde::Deserialize;

use super::tls::{self, TlsSettings};

/// What is wrong with the file.
#[derive(Debug, thiserror::Error)]
pub enum WebConfigError {
    /// A file cannot be read.
    #[error("{path}: {source}")]
    Read {
        /// The file.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// The YAML is malformed, or has a key that is not known; the message names it.
    #[error("{path}: {reason}")]
    Yaml {
        /// The file.
        path: PathBuf,
        /// What and where, without the value that was found: it may be a password.
        reason: String,
    },
    /// A value is not allowed.
    #[error("{path}: {key}: {reason}")]
    Value {
        /// The file.
        path: PathBuf,
        /// Name of the key.
        key: String,
        /// What is wrong and what is allowed.
        reason: String,
    },
}

/// A file that was read and found good; the default is plain HTTP for everybody.
#[derive(Clone, Default)]
pub struct WebConfig {
    /// TLS, if it is wanted.
    pub tls: Option<Arc<rustls::ServerConfig>>,
    /// bcrypt hash by user name; empty: no authentication.
    pub users: BTreeMap<String, String>,
    /// Fields that every response gets.
    pub headers: Vec<(HeaderName, HeaderValue)>,
    /// Files that it was made of, with their stamps before they were read.
    files: Vec<(PathBuf, Stamp)>,
}

/// What tells whether a file changed: time, length and inode (a Kubernetes secret is replaced by a link).
type Stamp = Option<(SystemTime, u64, u64)>;

impl WebConfig {
    /// Reads the file and those that it names; relative paths start at its folder.
    pub fn load(path: &Path) -> Result<Self, WebConfigError> {
        let mut files = Vec::new();
        let mut read = |path: &Path| {
            files.push((path.to_owned(), stamp(path)));
            std::fs::read(path)
        };
        let text = read(path).map_err(|source| WebConfigError::Read { path: path.to_owned(), source })?;
        Self::parse(&text, path, &mut read).map(|config| Self { files, ..config })
    }

    /// Validates the text of the file at `path`; the files that it names come from `read`.
    pub fn parse(text: &[u8], path: &Path, read: tls::Read<'_>) -> Result<Self, WebConfigError> {
        // An empty file is allowed and asks for nothing.
        let raw: Option<Raw> = serde_yaml_ng::from_slice(text).map_err(|error| WebConfigError::Yaml {
            path: path.to_owned(),
            reason: without_values(&error.to_string()),
        })?;
        raw.unwrap_or_default().validate(path, read)
    }

    /// Whether one of its files is no longer the one that was read.
    pub(super) fn changed(&self) -> bool {
        self.files.iter().any(|(path, seen)| stamp(path) != *seen)
    }

    /// Takes the files as they are for read, so that a bad one is complained about once.
    pub(super) fn accept(&self) -> Self {
        let files = self.files.iter().map(|(path, _)| (path.clone(), stamp(path))).collect();
        Self { files, ..self.clone() }
    }
}

/// Names the users; their hashes are nobody's business.
impl fmt::Debug for WebConfig {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let users: Vec<_> = self.users.keys().collect();
        out.debug_struct("WebConfig").field("tls", &self.tls.is_some()).field("users", &users).finish_non_exhaustive()
    }
}

/// A message without the text that it quotes in double quotes; keys are quoted in back ticks.
fn without_values(message: &str) -> String {
    match (message.find('"'), message.rfind('"')) {
        (Some(first), Some(last)) if first < last => {
            format!("{}…{}", message.get(..first).unwrap_or(""), message.get(last + 1..).unwrap_or(""))
        }
        _ => message.to_owned(),
    }
}

/// The stamp of one file, `None` where there is no such file.
fn stamp(path: &Path) -> Stamp {
    use std::os::unix::fs::MetadataExt;
    let metadata = std::fs::metadata(path).ok()?;
    Some((metadata.modified().ok()?, metadata.len(), metadata.ino()))
}

#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct Raw {
    tls_server_config: Option<TlsSettings>,
    #[serde(default)]
    http_server_config: RawHttp,
    #[serde(default)]
    basic_auth_users: BTreeMap<String, String>,
}

#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct RawHttp {
    /// Allows HTTP/2, which nobody needs for a scrape: this server offers HTTP/1.1 to everybody.
    #[serde(rename = "http2")]
    _http2: Option<bool>,
    #[serde(default)]
    headers: BTreeMap<String, String>,
}

/// The fields that exporters let a file set.
const HEADERS: [&str; 5] = [
    "Content-Security-Policy",
    "X-Content-Type-Options",
    "X-Frame-Options",
    "X-XSS-Protection",
    "Strict-Transport-Security",
];

impl Raw {
    fn validate(self, path: &Path, read: tls::Read<'_>) -> Result<WebConfig, WebConfigError> {
        let wrong = |key: String, reason: String| WebConfigError::Value { path: path.to_owned(), key, reason };
        let mut config = WebConfig::default();
        for (user, hash) in &self.basic_auth_users {
            if user.contains(':') {
                return Err(wrong(format!("basic_auth_users.{user}"), "a user name has no colon".to_owned()));
            }
            // The hash is a secret: the message must not repeat it.
            if bcrypt::HashParts::from_str(hash).is_err() {
                let reason = "not a bcrypt hash; `htpasswd -nBC 10 \"\"` makes one".to_owned();
                return Err(wrong(format!("basic_auth_users.{user}"), reason));
            }
        }
        config.users = self.basic_auth_users;
        for (name, value) in &self.http_server_config.headers {
            let key = format!("http_server_config.headers.{name}");
            if !HEADERS.iter().any(|known| known.eq_ignore_ascii_case(name)) {
                return Err(wrong(key, format!("not allowed; allowed are {}", HEADERS.join(", "))));
            }
            if value.is_empty() {
                continue;
            }
            match (HeaderName::from_str(name), HeaderValue::from_str(value)) {
                (Ok(name), Ok(value)) => config.headers.push((name, value)),
                _ => return Err(wrong(key, "not a value of a header field".to_owned())),
            }
        }
        if let Some(settings) = &self.tls_server_config {
            let folder = path.parent().unwrap_or(Path::new("."));
            let tls = tls::server_config(settings, folder, read)
                .map_err(|error| wrong(format!("tls_server_config.{}", error.key), error.reason))?;
            config.tls = Some(Arc::new(tls));
        }
        Ok(config)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HASH: &str = "$2y$04$5OcnHKCO3cBBIPQCnKoRaO1uYmVmYPR6sXJkxkqPFRCOXwfVVcRzS";

    fn load(text: &str) -> Result<WebConfig, String> {
        let folder =
            std::env::temp_dir().join(format!("web-config-{}-{:?}", std::process::id(), std::thread::current().id()));
        std::fs::create_dir_all(&folder).expect("a folder");
        let path = folder.join("web.yml");
        std::fs::write(&path, text).expect("a file");
        let loaded = WebConfig::load(&path).map_err(|error| error.to_string());
        std::fs::remove_dir_all(&folder).expect("the folder");
        loaded
    }

    #[test]
    fn an_empty_file_asks_for_nothing() {
        for text in ["", "# nothing\n", "{}\n", "basic_auth_users: {}\n"] {
            let config = load(text).expect("a config");
            assert!(config.tls.is_none() && config.users.is_empty() && config.headers.is_empty(), "{text:?}");
        }
    }

    #[test]
    fn users_and_headers_are_read() {
        let text = format!(
            "basic_auth_users:\n  prometheus: {HASH}\nhttp_server_config:\n  http2: false\n  headers:\n    \
             X-Frame-Options: deny\n    X-XSS-Protection: ''\n"
        );
        let config = load(&text).expect("a config");
        assert_eq!(config.users.keys().collect::<Vec<_>>(), ["prometheus"]);
        assert_eq!(config.headers.len(), 1);
    }

    #[test]
    fn what_is_unknown_or_wrong_is_refused_by_name() {
        for (text, expected) in [
            ("tls_config: {}\n", "unknown field `tls_config`"),
            ("tls_server_config:\n  cert: a\n  key_fil: b\n", "unknown field `key_fil`"),
            ("http_server_config:\n  header: {}\n", "unknown field `header`"),
            ("http_server_config:\n  headers:\n    Server: x\n", "http_server_config.headers.Server: not allowed"),
            ("basic_auth_users:\n  me: hunter2\n", "basic_auth_users.me: not a bcrypt hash"),
            ("basic_auth_users:\n  'a:b': x\n", "a user name has no colon"),
            (
                "tls_server_config:\n  cert_file: /no/such\n  key_file: /no/such\n",
                "tls_server_config.cert_file: /no/such",
            ),
            ("tls_server_config:\n  key_file: k\n", "tls_server_config.cert_file: missing"),
            ("basic_auth_users: [", "line 1"),
            ("basic_auth_users: hunter2\n", "basic_auth_users: invalid type: string …, expected a map"),
            ("tls_server_config:\n  key:\n    hunter2: x\n", "expected a string"),
        ] {
            let error = load(text).expect_err(text);
            assert!(error.contains(expected), "{error}");
            assert!(!error.contains("hunter2"), "{error}");
        }
    }
}
