//! AWS Signature V4 in the `Authorization` header
//! (<https://docs.aws.amazon.com/AmazonS3/latest/API/sigv4-auth-using-authorization-header.html>):
//! `AWS4-HMAC-SHA256 Credential=<access key>/<date>/<region>/<service>/aws4_request, SignedHeaders=…, Signature=…`

use super::{AccessKey, Found, authorization};
use crate::decode::http1::RequestHead;

pub(super) fn look<'a>(head: &RequestHead<'a>) -> Option<Found<'a>> {
    let (scheme, parameters) = authorization(head)?;
    let multi_region = if scheme.eq_ignore_ascii_case(b"AWS4-HMAC-SHA256") {
        false
    } else if scheme.eq_ignore_ascii_case(b"AWS4-ECDSA-P256-SHA256") {
        true
    } else {
        return None;
    };
    let access_key = std::str::from_utf8(parameters)
        .ok()
        .and_then(|text| text.split(',').find_map(|part| part.trim_ascii().strip_prefix("Credential=")))
        .and_then(|credential| access_key(credential, multi_region));
    Some(access_key.map_or(Found::Malformed, |key| Found::AccessKey(AccessKey::Borrowed(key))))
}

/// The access key in front of a credential's scope. The scope is counted from the right, because base64 may contain
/// `/`. The multi-region form (Signature V4A) has no region in it.
pub(super) fn access_key(credential: &str, multi_region: bool) -> Option<&str> {
    let mut parts = credential.rsplitn(if multi_region { 4 } else { 5 }, '/');
    if parts.next()? != "aws4_request" {
        return None;
    }
    parts.last().filter(|key| !key.is_empty() && credential.matches('/').count() >= if multi_region { 3 } else { 4 })
}
