//! `tls_server_config` → a rustls server configuration.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustls::crypto::{CryptoProvider, SupportedKxGroup, ring};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::WebPkiClientVerifier;
use rustls::{NamedGroup, RootCertStore, ServerConfig, SupportedCipherSuite, SupportedProtocolVersion, version};
use serde::Deserialize;

/// Reads a file that the settings name.
pub type Read<'a> = &'a mut dyn FnMut(&Path) -> io::Result<Vec<u8>>;

/// `tls_server_config` as written. It may hold a key, so it is not printed.
#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TlsSettings {
    cert: Option<String>,
    key: Option<String>,
    cert_file: Option<PathBuf>,
    key_file: Option<PathBuf>,
    client_auth_type: Option<String>,
    client_ca: Option<String>,
    client_ca_file: Option<PathBuf>,
    client_allowed_sans: Option<Vec<String>>,
    min_version: Option<String>,
    max_version: Option<String>,
    cipher_suites: Option<Vec<String>>,
    curve_preferences: Option<Vec<String>>,
    /// Without effect since Go 1.17, whose exporters still accept it; rustls takes the server's order.
    #[serde(rename = "prefer_server_cipher_suites")]
    _prefer_server_cipher_suites: Option<bool>,
}

/// What is wrong with one of its keys.
#[derive(Debug, thiserror::Error)]
#[error("{key}: {reason}")]
pub struct TlsError {
    /// Name of the key.
    pub key: &'static str,
    /// What is wrong and what is allowed.
    pub reason: String,
}

/// The configuration; relative paths start at `folder`.
pub fn server_config(settings: &TlsSettings, folder: &Path, read: Read<'_>) -> Result<ServerConfig, TlsError> {
    let provider = Arc::new(provider(settings)?);
    let mut pem = |key, inline: &Option<String>, file: &Option<PathBuf>| -> Result<Option<Vec<u8>>, TlsError> {
        match (inline, file) {
            (Some(_), Some(_)) => Err(wrong(key, "given twice, in the file and beside it")),
            (Some(inline), None) => Ok(Some(inline.clone().into_bytes())),
            (None, Some(file)) => {
                let path = folder.join(file);
                read(&path).map(Some).map_err(|error| wrong(key, format!("{}: {error}", path.display())))
            }
            (None, None) => Ok(None),
        }
    };
    let chain = pem("cert_file", &settings.cert, &settings.cert_file)?.ok_or_else(|| wrong("cert_file", "missing"))?;
    let key = pem("key_file", &settings.key, &settings.key_file)?.ok_or_else(|| wrong("key_file", "missing"))?;
    let clients = pem("client_ca_file", &settings.client_ca, &settings.client_ca_file)?;
    let chain = certificates("cert_file", &chain)?;
    let key = PrivateKeyDer::from_pem_slice(&key).map_err(|error| wrong("key_file", error.to_string()))?;

    if settings.client_allowed_sans.is_some() {
        return Err(wrong("client_allowed_sans", "not supported; leave it out and trust a CA of your own"));
    }
    let builder = ServerConfig::builder_with_provider(Arc::clone(&provider))
        .with_protocol_versions(&versions(settings)?)
        .map_err(|error| wrong("min_version", error.to_string()))?;
    let builder = match (client_auth(settings)?, clients) {
        (ClientAuth::None, None) => builder.with_no_client_auth(),
        (ClientAuth::None, Some(_)) => {
            return Err(wrong("client_ca_file", "without effect: client_auth_type is NoClientCert"));
        }
        (_, None) => return Err(wrong("client_ca_file", "missing; client_auth_type needs it")),
        (auth, Some(pem)) => {
            let mut roots = RootCertStore::empty();
            for certificate in certificates("client_ca_file", &pem)? {
                roots.add(certificate).map_err(|error| wrong("client_ca_file", error.to_string()))?;
            }
            let verifier = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider);
            let verifier = if auth == ClientAuth::IfGiven { verifier.allow_unauthenticated() } else { verifier };
            let verifier = verifier.build().map_err(|error| wrong("client_ca_file", error.to_string()))?;
            builder.with_client_cert_verifier(verifier)
        }
    };
    let mut config = builder.with_single_cert(chain, key).map_err(|error| wrong("cert_file", error.to_string()))?;
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    Ok(config)
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum ClientAuth {
    None,
    IfGiven,
    Required,
}

fn client_auth(settings: &TlsSettings) -> Result<ClientAuth, TlsError> {
    match settings.client_auth_type.as_deref() {
        None | Some("" | "NoClientCert") => Ok(ClientAuth::None),
        Some("VerifyClientCertIfGiven") => Ok(ClientAuth::IfGiven),
        Some("RequireAndVerifyClientCert") => Ok(ClientAuth::Required),
        Some(kind @ ("RequestClientCert" | "RequireAnyClientCert")) => {
            let reason = format!("{kind} verifies nothing and is not supported; use RequireAndVerifyClientCert");
            Err(wrong("client_auth_type", reason))
        }
        Some(kind) => {
            let allowed = "NoClientCert, VerifyClientCertIfGiven, RequireAndVerifyClientCert";
            Err(wrong("client_auth_type", format!("{kind} is not known; allowed are {allowed}")))
        }
    }
}

/// The protocol versions between `min_version` and `max_version`.
fn versions(settings: &TlsSettings) -> Result<Vec<&'static SupportedProtocolVersion>, TlsError> {
    let number = |key, name: &Option<String>, default| match name.as_deref() {
        None | Some("") => Ok(default),
        Some("TLS12") => Ok(12),
        Some("TLS13") => Ok(13),
        Some(old @ ("TLS10" | "TLS11")) => {
            Err(wrong(key, format!("{old} is broken and not offered; use TLS12 or TLS13")))
        }
        Some(name) => Err(wrong(key, format!("{name} is not known; allowed are TLS12, TLS13"))),
    };
    let least = number("min_version", &settings.min_version, 12)?;
    let most = number("max_version", &settings.max_version, 13)?;
    let known = [(13, &version::TLS13), (12, &version::TLS12)];
    let versions: Vec<_> = known.into_iter().filter(|(at, _)| (least..=most).contains(at)).map(|(_, it)| it).collect();
    if versions.is_empty() { Err(wrong("max_version", "below min_version")) } else { Ok(versions) }
}

/// ring with the suites and groups that were asked for, in the order of rustls.
fn provider(settings: &TlsSettings) -> Result<CryptoProvider, TlsError> {
    let mut provider = ring::default_provider();
    if let Some(names) = &settings.cipher_suites {
        for name in names {
            if !provider.cipher_suites.iter().any(|suite| suite_name(suite) == *name) {
                let known: Vec<_> = provider.cipher_suites.iter().map(suite_name).collect();
                return Err(wrong("cipher_suites", format!("{name} is not offered; allowed are {}", known.join(", "))));
            }
        }
        // As in Go, the list is about TLS 1.2; the suites of 1.3 are not configurable.
        provider.cipher_suites.retain(|suite| suite.tls13().is_some() || names.contains(&suite_name(suite)));
    }
    if let Some(names) = &settings.curve_preferences {
        let mut groups: Vec<&'static dyn SupportedKxGroup> = Vec::new();
        for name in names {
            let wanted = match name.as_str() {
                "X25519" => NamedGroup::X25519,
                "CurveP256" => NamedGroup::secp256r1,
                "CurveP384" => NamedGroup::secp384r1,
                _ => {
                    let reason = format!("{name} is not offered; allowed are X25519, CurveP256, CurveP384");
                    return Err(wrong("curve_preferences", reason));
                }
            };
            groups.extend(provider.kx_groups.iter().filter(|group| group.name() == wanted));
        }
        provider.kx_groups = groups;
    }
    Ok(provider)
}

/// The suite's name in the file: that of IANA, which rustls puts a version into (`TLS13_AES_…`).
fn suite_name(suite: &SupportedCipherSuite) -> String {
    format!("{:?}", suite.suite()).replace("TLS13_", "TLS_")
}

fn certificates(key: &'static str, pem: &[u8]) -> Result<Vec<CertificateDer<'static>>, TlsError> {
    let found: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(pem).collect();
    match found {
        Ok(chain) if chain.is_empty() => Err(wrong(key, "no certificate in it")),
        Ok(chain) => Ok(chain),
        Err(error) => Err(wrong(key, error.to_string())),
    }
}

fn wrong(key: &'static str, reason: impl Into<String>) -> TlsError {
    TlsError { key, reason: reason.into() }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn reason(yaml: &str) -> String {
        let settings: TlsSettings = serde_yaml_ng::from_str(yaml).expect("settings");
        let checked =
            provider(&settings).map(drop).and(versions(&settings).map(drop)).and(client_auth(&settings).map(drop));
        checked.expect_err(yaml).to_string()
    }

    #[test]
    fn what_is_weak_or_unknown_is_refused_with_what_is_allowed() {
        for (yaml, expected) in [
            ("min_version: TLS10", "min_version: TLS10 is broken"),
            ("{min_version: TLS13, max_version: TLS12}", "max_version: below min_version"),
            ("cipher_suites: [TLS_RSA_WITH_RC4_128_SHA]", "allowed are TLS_AES_256_GCM_SHA384"),
            ("curve_preferences: [CurveP521]", "curve_preferences: CurveP521 is not offered"),
            ("client_auth_type: RequireAnyClientCert", "verifies nothing"),
            ("client_auth_type: Maybe", "Maybe is not known"),
        ] {
            assert!(reason(yaml).contains(expected), "{}", reason(yaml));
        }
    }

    #[test]
    fn suites_and_versions_are_narrowed() {
        let yaml =
            "{cipher_suites: [TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256], max_version: TLS12, curve_preferences: [X25519]}";
        let settings: TlsSettings = serde_yaml_ng::from_str(yaml).expect("settings");
        let provider = provider(&settings).expect("a provider");
        assert_eq!(provider.cipher_suites.iter().filter(|suite| suite.tls13().is_none()).count(), 1);
        assert_eq!(provider.kx_groups.len(), 1);
        assert_eq!(versions(&settings).expect("versions"), [&version::TLS12]);
    }
}
