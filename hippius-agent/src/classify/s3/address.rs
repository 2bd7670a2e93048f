//! What a request addresses: the service, a bucket or an object.
//!
//! Source: "Virtual hosting of buckets" in the Amazon S3 User Guide.

use super::super::ClassifierError;

/// Most base domains of one service.
pub const MAX_BASE_DOMAINS: usize = 64;

/// What a request addresses.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::classify) enum Level {
    Service,
    Bucket,
    Object,
}

/// Why a text is no base domain.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "{domain:?} is not a host name; allowed are labels of letters, digits, `-` and `_` joined by dots, without a port, for example \"s3.example.com\""
)]
pub struct BaseDomainError {
    domain: String,
}

/// Host names below which a bucket is a host label.
#[derive(Debug, Clone, Default)]
pub(in crate::classify) struct BaseDomains(Box<[Box<str>]>);

impl BaseDomains {
    pub(in crate::classify) fn new(domains: &[String], errors: &mut Vec<ClassifierError>) -> Self {
        if domains.len() > MAX_BASE_DOMAINS {
            errors.push(ClassifierError::TooManyBaseDomains);
        }
        let mut valid = Vec::new();
        for (index, domain) in domains.iter().enumerate().take(MAX_BASE_DOMAINS) {
            if is_host_name(domain) {
                valid.push(domain.clone().into_boxed_str());
            } else {
                let source = BaseDomainError { domain: domain.clone() };
                errors.push(ClassifierError::BaseDomain { index, source });
            }
        }
        Self(valid.into())
    }

    pub(in crate::classify) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Whether `host` (with or without a port) is a bucket below one of the base domains, and not one of them.
    pub(in crate::classify) fn bucket_in(&self, host: &str) -> bool {
        let host = without_port(host.trim_ascii());
        let host = host.strip_suffix('.').unwrap_or(host).as_bytes();
        !self.0.iter().any(|base| host.eq_ignore_ascii_case(base.as_bytes()))
            && self.0.iter().any(|base| is_below(host, base.as_bytes()))
    }
}

/// What `path` addresses; `bucket_in_host` tells the virtual-host style. `None` where the bucket's name is empty.
pub(in crate::classify) fn level(path: &str, bucket_in_host: bool) -> Option<Level> {
    let rest = path.strip_prefix('/')?;
    if bucket_in_host {
        return Some(if rest.is_empty() { Level::Bucket } else { Level::Object });
    }
    if rest.is_empty() {
        return Some(Level::Service);
    }
    match split_bucket(rest) {
        ("", _) => None,
        (_, "") => Some(Level::Bucket),
        _ => Some(Level::Object),
    }
}

/// Splits behind the bucket's name. A bucket's name holds no slash, so an encoded one ends it too: that is how
/// servers read it that decode the path before they route it (Starlette).
fn split_bucket(rest: &str) -> (&str, &str) {
    for (at, byte) in rest.bytes().enumerate() {
        let separator = match byte {
            b'/' => 1,
            b'%' if rest.get(at..at + 3).is_some_and(|escape| escape.eq_ignore_ascii_case("%2f")) => 3,
            _ => continue,
        };
        return (rest.get(..at).unwrap_or_default(), rest.get(at + separator..).unwrap_or_default());
    }
    (rest, "")
}

fn without_port(host: &str) -> &str {
    match host.rsplit_once(':') {
        Some((name, port)) if port.bytes().all(|byte| byte.is_ascii_digit()) => name,
        _ => host,
    }
}

fn is_below(host: &[u8], base: &[u8]) -> bool {
    let Some((label, rest)) = host.len().checked_sub(base.len()).and_then(|at| host.split_at_checked(at)) else {
        return false;
    };
    rest.eq_ignore_ascii_case(base) && matches!(label, [_, .., b'.'])
}

fn is_host_name(domain: &str) -> bool {
    domain.len() <= 253
        && domain.split('.').all(|label| {
            !label.is_empty() && label.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_'))
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bases(domains: &[&str]) -> (BaseDomains, Vec<ClassifierError>) {
        let mut errors = Vec::new();
        let domains: Vec<String> = domains.iter().map(|&domain| domain.to_owned()).collect();
        (BaseDomains::new(&domains, &mut errors), errors)
    }

    #[test]
    fn path_style_levels() {
        for (path, wanted) in [
            ("/", Some(Level::Service)),
            ("/b", Some(Level::Bucket)),
            ("/b/", Some(Level::Bucket)),
            ("/b%2f", Some(Level::Bucket)),
            ("/b/k", Some(Level::Object)),
            ("/b//", Some(Level::Object)),
            ("/b%2Fk", Some(Level::Object)),
            ("/b%2", Some(Level::Bucket)),
            ("//k", None),
            ("", None),
        ] {
            assert_eq!(level(path, false), wanted, "{path}");
        }
    }

    #[test]
    fn virtual_host_levels() {
        assert_eq!(level("/", true), Some(Level::Bucket));
        assert_eq!(level("/k", true), Some(Level::Object));
        assert_eq!(level("//", true), Some(Level::Object));
    }

    #[test]
    fn a_bucket_is_what_stands_below_a_base_domain() {
        let (bases, errors) = bases(&["s3.example.com", "example.com"]);
        assert!(errors.is_empty());
        for host in ["b.s3.example.com", "my.bucket.S3.Example.com:9000", "b.example.com.", " b.example.com"] {
            assert!(bases.bucket_in(host), "{host}");
        }
        for host in ["s3.example.com", "example.com:80", "other.org", ".example.com", "xexample.com", "[::1]:80", ""] {
            assert!(!bases.bucket_in(host), "{host}");
        }
    }

    #[test]
    fn what_is_no_host_name_is_refused_with_its_place() {
        let (_, errors) = bases(&["s3.example.com", "s3.example.com:80", "", "a..b"]);
        assert_eq!(errors.len(), 3);
        let text = errors.first().map(ToString::to_string).unwrap_or_default();
        assert!(text.starts_with("base domain 1: \"s3.example.com:80\" is not a host name; allowed"), "{text}");
    }
}
