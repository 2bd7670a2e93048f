//! One question to the agent: HTTP/1.1, with TLS and basic auth where they are wanted.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use base64::Engine;
use http_body_util::{BodyExt, Empty, Limited};
use hyper::body::Bytes;
use hyper::header::{AUTHORIZATION, HOST, HeaderValue};
use hyper::{Request, StatusCode, Uri};
use hyper_util::rt::TokioIo;
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, RootCertStore};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_rustls::TlsConnector;
use zeroize::Zeroizing;

use crate::record::history::answer::{Live, Row, Table, VERSION};
use crate::record::history::table::Ask;

/// Environment variable that may hold the password.
pub const PASSWORD_VARIABLE: &str = "HIPPIUS_AGENT_PASSWORD";

/// How long an answer may take.
const PATIENCE: Duration = Duration::from_secs(5);

/// A table of 1000 rows takes less than half of it.
const MAX_BODY_BYTES: usize = 2 << 20;

/// Whom to ask.
#[derive(Debug, Clone)]
pub struct Target {
    /// Address of the agent.
    pub url: String,
    /// User of basic auth.
    pub user: Option<String>,
    /// File whose first line is the password.
    pub password_file: Option<PathBuf>,
    /// Certificates to trust instead of the host's.
    pub ca_file: Option<PathBuf>,
}

/// Why there is no table.
#[derive(Debug, thiserror::Error)]
pub enum ClientError {
    /// The address is wrong. It is not repeated, for it may hold a password.
    #[error("--url: {0}")]
    Url(&'static str),
    /// A file cannot be read.
    #[error("{0}: {1}")]
    File(PathBuf, String),
    /// There is a user and no password.
    #[error("--user needs a password: give --password-file or set {PASSWORD_VARIABLE}")]
    NoPassword,
    /// Nobody listens, or the line is cut.
    #[error("no answer from {0}: {1}")]
    Connection(String, String),
    /// The agent refuses.
    #[error("{0} answered {1}{hint}", hint = hint(*.1))]
    Status(String, StatusCode),
    /// Something else than an agent answered, or another version of it.
    #[error("{0} did not answer with version {VERSION} of the table; are both programs of the same version?")]
    Document(String),
}

fn hint(status: StatusCode) -> &'static str {
    match status {
        StatusCode::UNAUTHORIZED => ": give --user and a password",
        StatusCode::NOT_FOUND => ": an agent of this version should be there",
        _ => "",
    }
}

/// Asks one agent.
pub struct Client {
    host: String,
    port: u16,
    /// As it stands in messages: without a path.
    name: String,
    path: String,
    authorization: Option<HeaderValue>,
    tls: Option<TlsConnector>,
}

impl Client {
    /// Reads address, password and certificates.
    pub fn new(target: &Target) -> Result<Self, ClientError> {
        let uri: Uri = target.url.parse().map_err(|_| ClientError::Url("not an address such as http://host:10187"))?;
        let secure = match uri.scheme_str() {
            Some("http") => false,
            Some("https") => true,
            _ => return Err(ClientError::Url("must begin with http:// or https://")),
        };
        let authority = uri.authority().ok_or(ClientError::Url("has no host"))?;
        if authority.as_str().contains('@') {
            return Err(ClientError::Url("user and password do not belong there: use --user and --password-file"));
        }
        let (host, port) = (authority.host().to_owned(), authority.port_u16().unwrap_or(if secure { 443 } else { 80 }));
        Ok(Self {
            name: authority.as_str().to_owned(),
            path: uri.path().trim_end_matches('/').to_owned(),
            authorization: authorization(target)?,
            tls: secure.then(|| connector(target.ca_file.as_deref())).transpose()?,
            host,
            port,
        })
    }

    /// The rows that are asked for.
    pub async fn table(&self, ask: &Ask) -> Result<Table, ClientError> {
        let failed = |why: String| ClientError::Connection(self.name.clone(), why);
        let body =
            timeout(PATIENCE, self.get(&query(ask))).await.map_err(|_| failed("it takes too long".to_owned()))??;
        let table: Table = serde_json::from_slice(&body).map_err(|_| ClientError::Document(self.name.clone()))?;
        if table.version != VERSION {
            return Err(ClientError::Document(self.name.clone()));
        }
        Ok(Table { rows: table.rows.into_iter().map(printable).collect(), ..table })
    }

    async fn get(&self, query: &str) -> Result<Bytes, ClientError> {
        let failed = |error: &dyn std::fmt::Display| ClientError::Connection(self.name.clone(), error.to_string());
        let bare = self.host.trim_start_matches('[').trim_end_matches(']');
        let stream = TcpStream::connect((bare, self.port)).await.map_err(|error| failed(&error))?;
        let Some(tls) = &self.tls else { return self.exchange(stream, query).await };
        let name = ServerName::try_from(bare.to_owned()).map_err(|error| failed(&error))?;
        let stream = tls.connect(name, stream).await.map_err(|error| failed(&error))?;
        self.exchange(stream, query).await
    }

    async fn exchange<S>(&self, stream: S, query: &str) -> Result<Bytes, ClientError>
    where
        S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    {
        let failed = |error: &dyn std::fmt::Display| ClientError::Connection(self.name.clone(), error.to_string());
        let (mut sender, connection) =
            hyper::client::conn::http1::handshake(TokioIo::new(stream)).await.map_err(|error| failed(&error))?;
        tokio::spawn(connection);
        let mut request = Request::get(format!("{}/api/v1/table?{query}", self.path)).header(HOST, &self.name);
        if let Some(authorization) = &self.authorization {
            request = request.header(AUTHORIZATION, authorization);
        }
        let request = request.body(Empty::<Bytes>::new()).map_err(|error| failed(&error))?;
        let response = sender.send_request(request).await.map_err(|error| failed(&error))?;
        if response.status() != StatusCode::OK {
            return Err(ClientError::Status(self.name.clone(), response.status()));
        }
        let body =
            Limited::new(response.into_body(), MAX_BODY_BYTES).collect().await.map_err(|error| failed(&error))?;
        Ok(body.to_bytes())
    }
}

fn query(ask: &Ask) -> String {
    let order = if ask.reverse { "last" } else { "first" };
    let search = utf8_percent_encode(&ask.search, NON_ALPHANUMERIC);
    format!("by={}&sort={}&order={order}&limit={}&search={search}", ask.by.word(), ask.sort.word(), ask.limit)
}

/// The password comes from a file or the environment: arguments are seen by every user of the host.
fn authorization(target: &Target) -> Result<Option<HeaderValue>, ClientError> {
    let Some(user) = &target.user else { return Ok(None) };
    let password = match &target.password_file {
        Some(path) => {
            let text = std::fs::read_to_string(path).map_err(|error| unreadable(path, &error))?;
            Zeroizing::new(Zeroizing::new(text).lines().next().unwrap_or_default().to_owned())
        }
        None => Zeroizing::new(std::env::var(PASSWORD_VARIABLE).map_err(|_| ClientError::NoPassword)?),
    };
    let plain = Zeroizing::new(format!("{user}:{}", *password));
    let coded = Zeroizing::new(format!("Basic {}", base64::engine::general_purpose::STANDARD.encode(plain.as_bytes())));
    let mut value =
        HeaderValue::from_str(&coded).map_err(|_| ClientError::Url("user or password cannot stand in a header"))?;
    value.set_sensitive(true);
    Ok(Some(value))
}

fn unreadable(path: &Path, error: &dyn std::fmt::Display) -> ClientError {
    ClientError::File(path.to_owned(), error.to_string())
}

fn connector(ca_file: Option<&Path>) -> Result<TlsConnector, ClientError> {
    let mut roots = RootCertStore::empty();
    match ca_file {
        Some(path) => {
            let certificates = CertificateDer::pem_file_iter(path).map_err(|error| unreadable(path, &error))?;
            for certificate in certificates {
                let certificate = certificate.map_err(|error| unreadable(path, &error))?;
                roots.add(certificate).map_err(|error| unreadable(path, &error))?;
            }
            if roots.is_empty() {
                return Err(unreadable(path, &"has no certificate"));
            }
        }
        // One that cannot be read is not trusted, which the handshake will say.
        None => drop(roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs)),
    }
    let config = ClientConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
        .with_safe_default_protocol_versions()
        .map_err(|error| ClientError::Connection("TLS".to_owned(), error.to_string()))?;
    Ok(TlsConnector::from(Arc::new(config.with_root_certificates(roots).with_no_client_auth())))
}

/// Names come from outside and go to a terminal: no control character passes.
fn printable(row: Row) -> Row {
    let clean = |text: String| text.chars().map(|c| if c.is_control() { '\u{fffd}' } else { c }).collect();
    // Of a connection, all texts but the account are the agent's own words.
    let connection = row.connection.map(|live| Live { main_account: clean(live.main_account), ..live });
    Row { name: clean(row.name), group: clean(row.group), connection, ..row }
}

impl From<ClientError> for io::Error {
    fn from(error: ClientError) -> Self {
        Self::other(error)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn target(url: &str) -> Target {
        Target { url: url.to_owned(), user: None, password_file: None, ca_file: None }
    }

    #[test]
    fn wrong_addresses_are_refused_without_repeating_them() {
        for url in ["", "host:10187", "ftp://host", "http://me:secret@host", "http://", "http://a b"] {
            let error = Client::new(&target(url)).err().expect(url).to_string();
            assert!(error.starts_with("--url: ") && !error.contains("secret"), "{error}");
        }
        let client = Client::new(&target("http://[::1]:1/behind/")).expect("an address");
        assert_eq!((&*client.host, client.port, &*client.path), ("[::1]", 1, "/behind"));
    }

    #[test]
    fn what_stands_in_the_query() {
        let ask = Ask { search: "a b&c".into(), limit: 7, reverse: true, ..Ask::default() };
        assert_eq!(query(&ask), "by=account&sort=requests&order=last&limit=7&search=a%20b%26c");
    }

    #[test]
    fn control_characters_do_not_reach_the_terminal() {
        let row = printable(Row { name: "a\u{1b}[2Jb".into(), ..Row::default() });
        assert_eq!(row.name, "a\u{fffd}[2Jb");
    }
}
