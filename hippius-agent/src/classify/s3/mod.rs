//! S3 operations by method, address, query flags and header.

mod address;
mod query;
mod row;
pub(super) mod table;

pub use address::{BaseDomainError, MAX_BASE_DOMAINS};
pub(super) use address::{BaseDomains, Level, level};
pub(super) use query::{Flag, Flags};
pub(super) use row::{Method, Row};

use super::target::Target;
use super::{Class, S3Operation};
use crate::decode::http1::RequestHead;

/// A request of a plain S3 service.
pub(super) fn classify(bases: &BaseDomains, head: &RequestHead<'_>, target: &Target<'_>) -> Class {
    let bucket_in_host = bucket_in_host(bases, head, target);
    if !bucket_in_host && is_for_crawlers(target.path) {
        return Class::UNKNOWN;
    }
    let row = level(target.path, bucket_in_host)
        .zip(Method::parse(head.method))
        .and_then(|(level, method)| find(level, method, Flags::in_query(target), head));
    row.map_or(Class::UNKNOWN, |row| Class { handler: row.handler, s3: Some(row.operation) })
}

/// The operation, if what is addressed has one with this method.
pub(super) fn find(level: Level, method: Method, flags: Flags, head: &RequestHead<'_>) -> Option<&'static Row> {
    table::rows(level, method).iter().find(|row| row.matches(flags, head))
}

/// The operation that AWS calls `name`.
pub(super) fn by_name(name: &str) -> Option<S3Operation> {
    table::ALL.iter().copied().flatten().map(|row| row.operation).find(|operation| operation.name == name)
}

/// Whether the bucket is a label of the host name (virtual-host style). Looks at no field unless base domains are
/// configured.
pub(super) fn bucket_in_host(bases: &BaseDomains, head: &RequestHead<'_>, target: &Target<'_>) -> bool {
    if bases.is_empty() {
        return false;
    }
    target.authority.or_else(|| head.fields.get("host")).is_some_and(|host| bases.bucket_in(host))
}

/// Files that browsers and crawlers ask of every host. Buckets could bear these names; nobody's do.
fn is_for_crawlers(path: &str) -> bool {
    matches!(path, "/robots.txt" | "/favicon.ico")
}

#[cfg(test)]
mod aws_tests;
#[cfg(test)]
mod tests;
