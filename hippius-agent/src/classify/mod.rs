//! Method + path + query → S3 operation and handler.

/// What an S3 operation does to objects and buckets, for the counters of created and deleted things.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum Effect {
    /// Nothing is created or deleted.
    #[default]
    None,
    /// One object is created (`PutObject`, `CopyObject`, `CompleteMultipartUpload`).
    ObjectCreated,
    /// One object is deleted (`DeleteObject`).
    ObjectDeleted,
    /// Several objects are deleted (`DeleteObjects`); how many stands in the request's body.
    ObjectsDeleted,
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
    /// The request's body is object data (`PutObject`, `UploadPart`).
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
