//! What the pipeline hands to the recorder: one finished exchange, or bytes of one that still runs.

use crate::classify::S3Operation;
pub use crate::exchange::Direction;
use crate::exchange::{MessageBytes, Outcome};

/// Index of a watched service in the recorder's table of service names.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ServiceId(pub u16);

/// Index of a pair (`main_account`, `subaccount_id`) in the recorder's table of accounts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct AccountId(pub u32);

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

/// One finished call of a peer whose calls can name an account.
#[derive(Debug, Clone, Copy)]
pub struct CallSample<'a> {
    /// Account for which it was made.
    pub account: AccountId,
    /// Whom it went to.
    pub peer: &'a str,
    /// What it was: the peer's name for it, else the request's method.
    pub operation: &'static str,
    /// Complete, status 2xx or 3xx and no error behind the body.
    pub success: bool,
}

/// Wire bytes of such a call.
#[derive(Debug, Clone, Copy)]
pub struct CallTransfer<'a> {
    /// Account for which it was made.
    pub account: AccountId,
    /// Whom it went to.
    pub peer: &'a str,
    /// What it was.
    pub operation: &'static str,
    /// Which way, seen from the caller.
    pub direction: Direction,
    /// How many.
    pub bytes: u64,
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
