//! What the pipeline hands to the recorder: one finished exchange, or bytes of one that still runs.

/// Index of a watched service in the recorder's table of service names.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ServiceId(pub u16);

/// Index of a pair (`main_account`, `subaccount_id`) in the recorder's table of accounts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct AccountId(pub u32);

/// How an exchange ended. Never derived from a status that was not on the wire.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[repr(u8)]
pub enum Outcome {
    /// The whole response was accepted by the kernel.
    Complete,
    /// The client closed or reset the connection first.
    ClientAbort,
    /// The server closed or reset the connection first.
    ServerAbort,
    /// The connection timed out in the kernel (`ETIMEDOUT`).
    Timeout,
    /// The end was not seen (lost event, response that could not be read, agent started too late).
    Unobserved,
}

/// Bytes of one message, apart by kind. `head + body + framing` is everything that was accepted.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct MessageBytes {
    /// Start line and header fields, closing empty line included; 1xx heads count here too.
    pub head: u64,
    /// Content (RFC 9110 section 6.4): what remains when the transfer coding is taken off.
    pub body: u64,
    /// Chunk sizes, chunk extensions, trailers.
    pub framing: u64,
}

impl MessageBytes {
    /// Everything that was accepted for this message, in bytes.
    pub fn total(&self) -> u64 {
        self.head + self.body + self.framing
    }
}

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

/// One finished exchange with all its labels. Bytes of bodies were already counted by [`TransferSample`]s.
#[derive(Debug, Clone, Copy)]
pub struct ExchangeSample<'a> {
    /// Service whose socket served it.
    pub service: ServiceId,
    /// Account it is counted on.
    pub account: AccountId,
    /// Request method: a registered one, or `OTHER`.
    pub method: &'static str,
    /// Endpoint function of the service.
    pub handler: &'static str,
    /// Status of the final response; `None` when none was seen.
    pub status: Option<u16>,
    /// How it ended.
    pub outcome: Outcome,
    /// The operation, on the client-facing hop of an S3 service only.
    pub s3: Option<S3Operation>,
    /// The S3 error code of a failed operation, else `None` (then `http_NNN` is used).
    pub error_code: Option<&'a str>,
    /// Objects named by a `DeleteObjects` request whose body was seen.
    pub deleted_objects: Option<u64>,
    /// Payload of an upload after aws-chunked decoding, where it differs from the body.
    pub decoded_payload_bytes: Option<u64>,
    /// Request sizes.
    pub request: MessageBytes,
    /// Response sizes.
    pub response: MessageBytes,
    /// First to last request byte, in nanoseconds.
    pub receive_ns: u64,
    /// Last request byte to first byte of the final response, in nanoseconds; `None` without a response.
    pub process_ns: Option<u64>,
    /// First to last response byte, in nanoseconds; `None` without a response.
    pub send_ns: Option<u64>,
    /// First request byte to last response byte, in nanoseconds.
    pub total_ns: u64,
}

/// Which way bytes went, seen from the server.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Direction {
    /// Request bytes.
    In,
    /// Response bytes.
    Out,
}

/// Wire bytes of an exchange as they move (head and framing included): feeds `http_request_bytes_total` and
/// `http_response_bytes_total`. The sum over an exchange's samples is its `request.total()` or `response.total()`.
#[derive(Debug, Clone, Copy)]
pub struct TransferSample {
    /// Service whose socket moved them.
    pub service: ServiceId,
    /// Account they are counted on.
    pub account: AccountId,
    /// Endpoint function of the service.
    pub handler: &'static str,
    /// Which way.
    pub direction: Direction,
    /// How many.
    pub bytes: u64,
}
