//! AWS Signature V2 (<https://docs.aws.amazon.com/AmazonS3/latest/userguide/RESTAuthentication.html>), still spoken by
//! old clients and by some S3 servers: `Authorization: AWS <access key>:<signature>`, or
//! `?AWSAccessKeyId=…&Expires=…&Signature=…`

use super::{AccessKey, Found, authorization, percent_decoded, query_parameter};
use crate::decode::http1::RequestHead;

pub(super) fn look<'a>(head: &RequestHead<'a>) -> Option<Found<'a>> {
    if let Some((scheme, rest)) = authorization(head) {
        // An Authorization header of another kind outweighs the query.
        return scheme.eq_ignore_ascii_case(b"AWS").then(|| in_header(rest));
    }
    let raw = query_parameter(head, "AWSAccessKeyId")?;
    query_parameter(head, "Signature")?;
    Some(percent_decoded(raw).map_or(Found::Malformed, Found::AccessKey))
}

fn in_header(rest: &[u8]) -> Found<'_> {
    match std::str::from_utf8(rest).ok().and_then(|text| text.rsplit_once(':')) {
        Some((key, signature)) if !key.is_empty() && !signature.is_empty() => {
            Found::AccessKey(AccessKey::Borrowed(key))
        }
        _ => Found::Malformed,
    }
}
