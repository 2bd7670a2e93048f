//! The Hippius services: `handler` is the name of the endpoint's function, as the service's own metrics had it.
//!
//! One function serves several S3 operations there, so the handler follows from what is addressed and the method.

use super::s3::{self, BaseDomains, Flag, Flags, Level, Method};
use super::target::Target;
use super::{Class, Profile, S3Operation};
use crate::decode::http1::RequestHead;

/// A request of a Hippius service.
pub(super) fn classify(profile: Profile, bases: &BaseDomains, head: &RequestHead<'_>, target: &Target<'_>) -> Class {
    let bucket_in_host = s3::bucket_in_host(bases, head, target);
    if !bucket_in_host && let Some(handler) = own_route(profile, head.method, target.path) {
        return Class { handler, s3: None };
    }
    let Some((level, method)) = s3::level(target.path, bucket_in_host).zip(Method::parse(head.method)) else {
        return Class { handler: if forwards(profile, head.method) { FORWARD } else { UNKNOWN }, s3: None };
    };
    let flags = Flags::in_query(target);
    let row = s3::find(level, method, flags, head);
    let handler = match (profile, method) {
        (_, Method::Options) => row.map_or(UNKNOWN, |row| row.handler),
        (Profile::Hippius2026Gateway, _) => gateway_handler(level, method, flags),
        _ if is_public(profile, level, method, head, target) => public_handler(method),
        _ => api_handler(level, method),
    };
    let s3 = row.map(|row| as_served(profile, level, method, flags, head, row.operation));
    Class { handler, s3 }
}

const UNKNOWN: &str = Class::UNKNOWN.handler;
const FORWARD: &str = "gateway_forward_all";

/// Routes that are no S3 operations. They shadow buckets of the same name for the method that they have.
fn own_route(profile: Profile, method: &str, path: &str) -> Option<&'static str> {
    // A trailing slash is taken off before routing.
    let path = path.strip_suffix('/').unwrap_or(path);
    if let Some(rest) = path.strip_prefix("/user/") {
        return Some(user_route(profile, method, rest));
    }
    match profile {
        Profile::Hippius2026Gateway => gateway_route(method, path),
        _ => api_route(profile, method, path),
    }
}

/// FastAPI answers HEAD for its documentation pages, but not for the routes that the application adds itself.
fn api_route(profile: Profile, method: &str, path: &str) -> Option<&'static str> {
    let is_2026 = profile == Profile::Hippius2026Api;
    match (method, path) {
        ("GET" | "HEAD", "/openapi.json") => Some("openapi"),
        ("GET" | "HEAD", "/docs") => Some("swagger_ui_html"),
        ("GET" | "HEAD", "/docs/oauth2-redirect") => Some("swagger_ui_redirect"),
        ("GET" | "HEAD", "/redoc") => Some("redoc_html"),
        ("GET", "/metrics") => Some(if is_2026 { UNKNOWN } else { "metrics_endpoint" }),
        ("GET", "/robots.txt") => Some("robots_txt"),
        ("GET", "/health") => Some(if is_2026 { "health" } else { UNKNOWN }),
        ("GET", _) if is_2026 && path.starts_with("/internal/parts/") => Some("get_local_chunk"),
        _ => None,
    }
}

fn gateway_route(method: &str, path: &str) -> Option<&'static str> {
    match (method, path) {
        ("GET", "/health") => Some("gateway_health"),
        ("GET", "/openapi.json") => Some("gateway_get_openapi_json"),
        ("GET", "/docs") => Some("gateway_get_swagger_ui"),
        ("GET", "/redoc") => Some("gateway_get_redoc"),
        ("DELETE", "/docs/cache") => Some("gateway_clear_docs_cache"),
        ("GET", "/metrics" | "/robots.txt") => Some(FORWARD),
        _ => None,
    }
}

/// `/user/…`, the console's interface; `rest` stands behind the slash.
fn user_route(profile: Profile, method: &str, rest: &str) -> &'static str {
    let is_2026 = match profile {
        Profile::Hippius2026Gateway => return if forwards(profile, method) { FORWARD } else { UNKNOWN },
        Profile::Hippius2026Api => true,
        _ => false,
    };
    let (first, deeper) = rest.split_once('/').unwrap_or((rest, ""));
    match (method, first) {
        ("GET", "list_buckets") => "list_buckets",
        ("GET", "get_bucket_location") => "get_bucket_location",
        ("GET", "credits") => "credits",
        ("GET", "list_objects") => "list_objects",
        (_, "recent_uploads") if is_2026 => "recent_uploads",
        (_, "unban") if is_2026 => "unban",
        (_, "sub-tokens") if is_2026 && deeper.ends_with("/scope") => match method {
            "GET" => "get_scope",
            "PUT" => "put_scope",
            "DELETE" => "delete_scope",
            _ => UNKNOWN,
        },
        _ => UNKNOWN,
    }
}

/// The methods of the gateway's catch-all route.
fn forwards(profile: Profile, method: &str) -> bool {
    profile == Profile::Hippius2026Gateway && matches!(method, "GET" | "HEAD" | "POST" | "PUT" | "DELETE" | "PATCH")
}

/// The gateway answers ACL requests itself and forwards the rest.
fn gateway_handler(level: Level, method: Method, flags: Flags) -> &'static str {
    if !flags.contains(Flags::of(&[Flag::Acl])) {
        return FORWARD;
    }
    match (level, method) {
        (Level::Bucket, Method::Get) => "gateway_get_bucket_acl",
        (Level::Bucket, Method::Put) => "gateway_put_bucket_acl",
        (Level::Object, Method::Get) => "gateway_get_object_acl",
        (Level::Object, Method::Put) => "gateway_put_object_acl",
        _ => FORWARD,
    }
}

fn api_handler(level: Level, method: Method) -> &'static str {
    match (level, method) {
        (Level::Service, Method::Get) => "list_buckets",
        (Level::Bucket, Method::Get) => "get_bucket",
        (Level::Bucket, Method::Head) => "head_bucket",
        (Level::Bucket, Method::Put) => "create_or_modify_bucket",
        (Level::Bucket, Method::Post) => "post_bucket_subresources",
        (Level::Bucket, Method::Delete) => "delete_bucket_tags_route",
        (Level::Object, Method::Get) => "get_object",
        (Level::Object, Method::Head) => "head_object",
        (Level::Object, Method::Put) => "put_object",
        (Level::Object, Method::Post) => "handle_post_object",
        (Level::Object, Method::Delete) => "delete_object",
        _ => UNKNOWN,
    }
}

/// Whether the request is served as an anonymous read of a public bucket. In 2025 the application rewrites the path
/// of a request without credentials and query; on the wire it stays as the client sent it. In 2026 the gateway
/// decides, and the API sees an ordinary read.
fn is_public(profile: Profile, level: Level, method: Method, head: &RequestHead<'_>, target: &Target<'_>) -> bool {
    level == Level::Object
        && matches!(method, Method::Get | Method::Head)
        && (names_public(target.path)
            || profile == Profile::Hippius2025
                && target.query.is_empty()
                && head.fields.get_bytes("authorization").is_none())
}

/// `/public/{bucket}/{key}`: the route to which that path is rewritten, asked for directly.
fn names_public(path: &str) -> bool {
    path.strip_prefix("/public/").is_some_and(|rest| rest.contains('/'))
}

fn public_handler(method: Method) -> &'static str {
    if method == Method::Head { "head_public_object" } else { "get_public_object" }
}

/// The operation with the effect that it has there. The API of 2025 ignores the flags that it does not know and does
/// what the request says without them: `DELETE /bucket?policy` deletes the bucket.
fn as_served(
    profile: Profile,
    level: Level,
    method: Method,
    flags: Flags,
    head: &RequestHead<'_>,
    asked: S3Operation,
) -> S3Operation {
    if profile != Profile::Hippius2025 || flags == Flags::NONE || flags.intersects(known_in_2025(level, method)) {
        return asked;
    }
    match s3::find(level, method, Flags::NONE, head) {
        Some(plain) => S3Operation { name: asked.name, ..plain.operation },
        None => asked,
    }
}

fn known_in_2025(level: Level, method: Method) -> Flags {
    const BUCKET_GET: Flags = Flags::of(&[Flag::Location, Flag::Tagging, Flag::Lifecycle, Flag::Uploads, Flag::Policy]);
    const BUCKET_PUT: Flags = Flags::of(&[Flag::Tagging, Flag::Lifecycle, Flag::Policy]);
    const BUCKET_DELETE: Flags = Flags::of(&[Flag::Tagging]);
    const BUCKET_POST: Flags = Flags::of(&[Flag::Delete]);
    const OBJECT: Flags = Flags::of(&[Flag::Tagging, Flag::UploadId]);
    const OBJECT_POST: Flags = Flags::of(&[Flag::Uploads, Flag::UploadId]);
    match (level, method) {
        (Level::Bucket, Method::Get) => BUCKET_GET,
        (Level::Bucket, Method::Put) => BUCKET_PUT,
        (Level::Bucket, Method::Delete) => BUCKET_DELETE,
        (Level::Bucket, Method::Post) => BUCKET_POST,
        (Level::Object, Method::Post) => OBJECT_POST,
        (Level::Object, _) => OBJECT,
        _ => Flags::NONE,
    }
}
