//! AWS Signature V4 in the query
//! (<https://docs.aws.amazon.com/AmazonS3/latest/API/sigv4-query-string-auth.html>):
//! `?X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Credential=<access key>%2F<date>%2F…%2Faws4_request&X-Amz-Signature=…`

use super::{AccessKey, Found, percent_decoded, query_parameter, sigv4};
use crate::decode::http1::RequestHead;
use zeroize::Zeroizing;

pub(super) fn look<'a>(head: &RequestHead<'a>) -> Option<Found<'a>> {
    let multi_region = match query_parameter(head, "X-Amz-Algorithm")? {
        "AWS4-HMAC-SHA256" => false,
        "AWS4-ECDSA-P256-SHA256" => true,
        _ => return Some(Found::Malformed),
    };
    let found = query_parameter(head, "X-Amz-Credential")
        .filter(|_| query_parameter(head, "X-Amz-Signature").is_some())
        .and_then(percent_decoded)
        .and_then(|credential| access_key(credential, multi_region));
    Some(found.map_or(Found::Malformed, Found::AccessKey))
}

fn access_key(credential: AccessKey<'_>, multi_region: bool) -> Option<AccessKey<'_>> {
    match credential {
        AccessKey::Borrowed(text) => sigv4::access_key(text, multi_region).map(AccessKey::Borrowed),
        AccessKey::Decoded(text) => {
            sigv4::access_key(&text, multi_region).map(|key| AccessKey::Decoded(Zeroizing::new(key.to_owned())))
        }
    }
}
