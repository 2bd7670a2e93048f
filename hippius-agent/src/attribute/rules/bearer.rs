//! Bearer tokens (RFC 6750 section 2.1): `Authorization: Bearer <token>`. Hippius takes its `hip_…` keys this way too.

use super::{AccessKey, Found, authorization};
use crate::decode::http1::RequestHead;

pub(super) fn look<'a>(head: &RequestHead<'a>) -> Option<Found<'a>> {
    let (scheme, token) = authorization(head)?;
    if !scheme.eq_ignore_ascii_case(b"Bearer") {
        return None;
    }
    Some(std::str::from_utf8(token).map_or(Found::Malformed, |token| Found::AccessKey(AccessKey::Borrowed(token))))
}
