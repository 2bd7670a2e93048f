//! Headers by which the Hippius gateway of 2026 names the account to the API behind it.
//!
//! The gateway deletes every `X-Hippius-*` header of the client and sets its own. `X-Hippius-Main-Account` is the owner
//! of the bucket, or the requester where there is no bucket; `X-Hippius-Request-User` is who asks, `anonymous` for a
//! public read. Only where the service is marked as standing behind the gateway are they believed.

use super::Found;
use crate::attribute::{Account, account_id};
use crate::decode::http1::RequestHead;

const MAIN_ACCOUNT: &str = "x-hippius-main-account";
const REQUEST_USER: &str = "x-hippius-request-user";
const ANONYMOUS: &str = "anonymous";

pub(super) fn look<'a>(head: &RequestHead<'a>) -> Option<Found<'a>> {
    let main = match single(head, MAIN_ACCOUNT) {
        Field::Absent => return None,
        Field::Bad => return Some(Found::Malformed),
        Field::Id(ANONYMOUS) => "public",
        Field::Id(id) => id,
    };
    let sub = match single(head, REQUEST_USER) {
        Field::Absent => "unknown",
        Field::Bad => return Some(Found::Malformed),
        Field::Id(ANONYMOUS) => "anon",
        Field::Id(id) => id,
    };
    Some(Found::Trusted(Account::new(main, sub)))
}

enum Field<'a> {
    Absent,
    Id(&'a str),
    Bad,
}

/// A field that the gateway sets once: twice means that somebody else wrote one of them.
fn single<'a>(head: &RequestHead<'a>, name: &str) -> Field<'a> {
    let mut values = head.fields.iter().filter(|(field, _)| field.eq_ignore_ascii_case(name)).map(|(_, value)| value);
    match (values.next(), values.next()) {
        (None, _) => Field::Absent,
        (Some(value), None) => account_id(value).map_or(Field::Bad, Field::Id),
        (Some(_), Some(_)) => Field::Bad,
    }
}
