//! Method + path + query → S3 operation and handler.
//!
//! Pure: a [`Classifier`] is built once from the configuration and then reads request heads only. It knows nothing
//! of accounts, metrics or responses. What it returns are labels, so every name in a [`Class`] is `'static`: it
//! comes from a table or from the configuration, never from the wire.

mod hippius;
mod method;
mod names;
mod outbound;
mod profile;
mod route;
mod s3;
mod target;
mod words;

pub use method::method_label;
pub use outbound::{CallClassifier, PeerProfile};
pub use profile::{Profile, UnknownProfile};
pub use route::{MAX_ROUTES, PathPattern, PatternError, QueryPattern, RouteError, RouteRule};
pub use s3::{BaseDomainError, MAX_BASE_DOMAINS};
pub use words::UnknownWord;

use crate::decode::http1::RequestHead;
use route::Route;
use s3::BaseDomains;
use target::Target;

/// What an S3 operation does to objects and buckets, for the counters of created and deleted things.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum Effect {
    /// Nothing is created or deleted, or nobody knows how much: the keys of `DeleteObjects` stand in a body, which is
    /// not captured.
    #[default]
    None,
    /// One object is created (`PutObject`, `CopyObject`, `CompleteMultipartUpload`, `PostObject`).
    ObjectCreated,
    /// One object is deleted (`DeleteObject`).
    ObjectDeleted,
    /// `CreateBucket`.
    BucketCreated,
    /// `DeleteBucket`.
    BucketDeleted,
}

/// Which way object payload moves in an operation.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum Payload {
    /// The bodies are not object data.
    #[default]
    None,
    /// The request's body is object data (`PutObject`, `UploadPart`, `PostObject` with its form fields).
    Upload,
    /// The response's body is object data (`GetObject`).
    Download,
}

/// An S3 operation as classified.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct S3Operation {
    /// AWS name, for example `PutObject`.
    pub name: &'static str,
    /// What it creates or deletes.
    pub effect: Effect,
    /// Which body is object data.
    pub payload: Payload,
}

/// What a request is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Class {
    /// The `handler` label.
    pub handler: &'static str,
    /// The S3 operation, `None` where the request is none.
    pub s3: Option<S3Operation>,
}

impl Class {
    /// A request that no rule knows. Its path must not become a label, so all of them share this one.
    pub const UNKNOWN: Self = Self { handler: "unknown", s3: None };
}

/// Something in the configuration that a classifier cannot be built from.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ClassifierError {
    /// A base domain of the virtual-host style is none.
    #[error("base domain {index}: {source}")]
    BaseDomain {
        /// Position in the list, from 0.
        index: usize,
        /// What is wrong with it.
        source: BaseDomainError,
    },
    /// More base domains than a request may be compared with.
    #[error("more than {MAX_BASE_DOMAINS} base domains")]
    TooManyBaseDomains,
    /// A declared operation is not valid.
    #[error("operation {index}: {source}")]
    Route {
        /// Position in the list, from 0.
        index: usize,
        /// What is wrong with it.
        source: RouteError,
    },
    /// More declared operations than a request may be compared with.
    #[error("more than {MAX_ROUTES} operations")]
    TooManyRoutes,
}

/// Names the requests of one service.
#[derive(Debug, Clone)]
pub struct Classifier {
    profile: Profile,
    base_domains: BaseDomains,
    routes: Box<[Route]>,
}

impl Classifier {
    /// A classifier for a service that speaks `profile`.
    ///
    /// `base_domains` are the host names below which a bucket is a host label (`bucket.s3.example.com`); with none,
    /// addressing is path style. `rules` are the operations that the configuration declares; they are tried first,
    /// in their order. All errors are reported, not only the first.
    pub fn new(profile: Profile, base_domains: &[String], rules: &[RouteRule]) -> Result<Self, Vec<ClassifierError>> {
        let mut errors = Vec::new();
        let base_domains = BaseDomains::new(base_domains, &mut errors);
        let routes = route::compile(rules, &mut errors);
        if errors.is_empty() { Ok(Self { profile, base_domains, routes }) } else { Err(errors) }
    }

    /// A classifier without base domains and declared operations.
    pub fn plain(profile: Profile) -> Self {
        Self { profile, base_domains: BaseDomains::new(&[], &mut Vec::new()), routes: Box::default() }
    }

    /// The profile that it was built for.
    pub fn profile(&self) -> Profile {
        self.profile
    }

    /// Names the request. Allocates nothing and reads no more header fields than the candidates ask for.
    pub fn classify(&self, head: &RequestHead<'_>) -> Class {
        let Some(target) = Target::parse(head.target) else { return Class::UNKNOWN };
        if let Some(route) = self.routes.iter().find(|route| route.matches(head.method, &target)) {
            return route.class;
        }
        match self.profile {
            Profile::Http => Class::UNKNOWN,
            Profile::S3 => s3::classify(&self.base_domains, head, &target),
            Profile::Hippius2025 | Profile::Hippius2026Gateway | Profile::Hippius2026Api => {
                hippius::classify(self.profile, &self.base_domains, head, &target)
            }
        }
    }
}

#[cfg(test)]
mod tests;
