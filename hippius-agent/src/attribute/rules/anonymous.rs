//! No credential that any rule before this one knows. Whether that was enough, the server's answer tells.

use super::Found;
use crate::decode::http1::RequestHead;

pub(super) fn look<'a>(_head: &RequestHead<'a>) -> Option<Found<'a>> {
    Some(Found::Anonymous)
}
