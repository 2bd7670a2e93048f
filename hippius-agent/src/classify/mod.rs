//! Method + path + query → S3 operation and handler.

use crate::record::sample::S3Operation;

/// What a request is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Class {
    /// The `handler` label.
    pub handler: &'static str,
    /// The S3 operation, `None` where the request is none.
    pub s3: Option<S3Operation>,
}
