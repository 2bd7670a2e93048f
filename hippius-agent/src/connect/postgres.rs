//! Addresses of Postgres servers, with libpq's words for TLS.
//!
//! | `sslmode` | what happens |
//! |---|---|
//! | `disable` | no TLS |
//! | `allow`, `prefer` (default) | TLS where the server offers it, with whatever certificate: as in libpq, this is no protection against somebody in between |
//! | `require`, `verify-ca`, `verify-full` | TLS, and the certificate must be trusted and bear the host's name. libpq checks this for `verify-full` only |
//!
//! `sslrootcert` names a file of trusted certificates (the host's own are used without it, or with `system`) and asks for
//! the check too. A Unix socket never uses TLS.

use super::tls::{TlsError, encrypting, verifying};
use percent_encoding::percent_decode_str;
use std::path::{Path, PathBuf};
use tokio_postgres::Config;
use tokio_postgres::config::{Host, SslMode};
use tokio_postgres_rustls::MakeRustlsConnect;
use zeroize::Zeroizing;

/// Shown to the server where the address gives no other name.
const APPLICATION_NAME: &str = "hippius-agent";

/// A server's address, which may hold a password.
#[derive(Clone)]
pub struct Address {
    config: Config,
    ca: Option<PathBuf>,
}

impl Address {
    /// `None` where `text` is no address, or names no host. No error is told: it could quote a password.
    pub fn parse(text: &str) -> Option<Self> {
        let (rest, words) = split(text)?;
        let mut config: Config = rest.parse().ok()?;
        let mode = match words.mode.as_deref() {
            None | Some("allow" | "prefer") => SslMode::Prefer,
            Some("disable") => SslMode::Disable,
            Some("require" | "verify-ca" | "verify-full") => SslMode::Require,
            Some(_) => return None,
        };
        config.ssl_mode(mode);
        if config.get_hosts().is_empty() && config.get_hostaddrs().is_empty() {
            return None;
        }
        if config.get_application_name().is_none() {
            config.application_name(APPLICATION_NAME);
        }
        let mut address = Self { config, ca: None };
        if let Some(file) = words.root.filter(|file| file != "system") {
            address.trust(PathBuf::from(file));
        }
        if matches!(address.config.get_hosts(), [Host::Unix(_)]) {
            address.config.ssl_mode(SslMode::Disable);
        }
        Some(address)
    }

    /// Checks the server's certificate against this file from now on.
    pub fn trust(&mut self, ca: PathBuf) {
        self.ca = Some(ca);
        if self.config.get_ssl_mode() == SslMode::Prefer {
            self.config.ssl_mode(SslMode::Require);
        }
    }

    /// User, database, hosts and how long to wait.
    pub fn config(&self) -> &Config {
        &self.config
    }

    /// The same to change.
    pub fn config_mut(&mut self) -> &mut Config {
        &mut self.config
    }

    /// How TLS is spoken with this server, with a certificate and key of the agent's own where there are some.
    pub fn tls(&self, client: Option<(&Path, &Path)>) -> Result<MakeRustlsConnect, TlsError> {
        let config = match self.config.get_ssl_mode() {
            SslMode::Require => verifying(self.ca.as_deref(), client)?,
            _ => encrypting()?,
        };
        Ok(MakeRustlsConnect::new(config))
    }

    /// Host and port, or the folder of the socket: what may be shown.
    pub fn shown(&self) -> String {
        let port = self.config.get_ports().first().copied().unwrap_or(5432);
        match self.config.get_hosts().first() {
            Some(Host::Tcp(host)) => format!("{host}:{port}"),
            Some(Host::Unix(path)) => path.display().to_string(),
            None => {
                let address = self.config.get_hostaddrs().first();
                address.map_or_else(|| "?".to_owned(), |address| format!("{address}:{port}"))
            }
        }
    }
}

/// The words that the library does not know, or not all values of.
#[derive(Default)]
struct Words {
    mode: Option<String>,
    root: Option<String>,
}

impl Words {
    /// Whether the word was one of them.
    fn take(&mut self, key: &str, value: &str) -> bool {
        match key {
            "sslmode" => self.mode = Some(value.to_owned()),
            "sslrootcert" => self.root = Some(value.to_owned()),
            _ => return false,
        }
        true
    }
}

/// An address without its words about TLS, and those.
fn split(text: &str) -> Option<(Zeroizing<String>, Words)> {
    let mut words = Words::default();
    let mut rest = Zeroizing::new(String::with_capacity(text.len() + 1));
    if text.starts_with("postgres://") || text.starts_with("postgresql://") {
        let (before, parameters) = text.split_once('?').unwrap_or((text, ""));
        rest.push_str(before);
        let mut separator = '?';
        for parameter in parameters.split('&').filter(|parameter| !parameter.is_empty()) {
            let (key, value) = parameter.split_once('=')?;
            let value = percent_decode_str(value).decode_utf8().ok()?;
            if !words.take(key, &value) {
                rest.push(separator);
                rest.push_str(parameter);
                separator = '&';
            }
        }
    } else {
        let mut left = text.trim_start();
        while !left.is_empty() {
            let (key, after) = left.split_once('=')?;
            let (value, written, after) = value(after.trim_start())?;
            if !words.take(key.trim(), &value) {
                rest.push_str(key.trim());
                rest.push('=');
                rest.push_str(written);
                rest.push(' ');
            }
            left = after.trim_start();
        }
    }
    Some((rest, words))
}

/// The first value of a key-value string: itself, as it is written, and what follows. In single quotes it may hold
/// spaces; a backslash takes away the meaning of what follows it.
fn value(text: &str) -> Option<(Zeroizing<String>, &str, &str)> {
    let mut value = Zeroizing::new(String::with_capacity(text.len()));
    let quoted = text.starts_with('\'');
    let mut chars = text.char_indices().skip(usize::from(quoted));
    while let Some((at, c)) = chars.next() {
        match c {
            '\\' => value.push(chars.next()?.1),
            '\'' if quoted => {
                let (written, after) = text.split_at(at + 1);
                return Some((value, written, after));
            }
            c if c.is_whitespace() && !quoted => {
                let (written, after) = text.split_at(at);
                return Some((value, written, after));
            }
            c => value.push(c),
        }
    }
    (!quoted).then_some((value, text, ""))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mode(text: &str) -> Option<SslMode> {
        Address::parse(text).map(|address| address.config.get_ssl_mode())
    }

    #[test]
    fn the_words_of_libpq_about_tls_are_known_in_both_forms() {
        for (words, expected) in [
            ("", Some(SslMode::Prefer)),
            ("sslmode=disable", Some(SslMode::Disable)),
            ("sslmode=allow", Some(SslMode::Prefer)),
            ("sslmode=require", Some(SslMode::Require)),
            ("sslmode=verify-ca", Some(SslMode::Require)),
            ("sslmode=verify-full", Some(SslMode::Require)),
            ("sslrootcert=/a/b.pem", Some(SslMode::Require)),
            ("sslmode=maybe", None),
        ] {
            assert_eq!(mode(&format!("postgres://u:p@h:1/d?{words}")), expected, "{words}");
            assert_eq!(mode(&format!("host=h user=u password='p q' {words} port=1")), expected, "{words}");
        }
        let address = Address::parse("postgresql://h/d?sslrootcert=%2Fa%20b&connect_timeout=3").expect("an address");
        assert_eq!(address.ca.as_deref(), Some(Path::new("/a b")));
        assert_eq!(address.config.get_connect_timeout().map(|limit| limit.as_secs()), Some(3));
    }

    #[test]
    fn what_else_stands_in_the_address_is_kept() {
        let texts = [
            r"host=h port=7 user='it''s' password='a \'b\\ c' sslmode=disable dbname=d",
            "postgres://u:a%20%27b%5C%20c@h:7/d?sslmode=disable&application_name=x",
        ];
        // libpq has no doubled quotes: the first text ends its value at the second quote and is refused.
        assert!(Address::parse(texts[0]).is_none());
        let text = texts[0].replace("'it''s'", "u");
        for text in [&text, texts[1]] {
            let address = Address::parse(text).expect("an address");
            assert_eq!(address.config.get_password(), Some(&br"a 'b\ c"[..]), "{text}");
            assert_eq!(address.shown(), "h:7");
        }
        assert!(Address::parse("dbname=d").is_none());
        assert!(Address::parse("host=h password='open").is_none());
    }

    #[test]
    fn a_unix_socket_speaks_no_tls() {
        assert_eq!(mode("host=/run/postgresql user=u sslmode=require"), Some(SslMode::Disable));
        assert_eq!(mode("postgres://%2Frun%2Fpostgresql/d"), Some(SslMode::Disable));
    }

    #[test]
    fn any_certificate_does_where_tls_is_optional_and_a_missing_file_is_an_error() {
        let address = |text| Address::parse(text).expect("an address");
        assert!(address("host=h").tls(None).is_ok());
        assert!(address("host=h sslrootcert=/no/such/file").tls(None).is_err());
    }
}
