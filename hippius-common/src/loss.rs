//! Why bytes could not be captured or followed: one table for both sides.

/// A reason code as the kernel side writes it.
pub type LossReason = u32;

macro_rules! reasons {
    ($($(#[$doc:meta])* $name:ident = $code:literal, $label:literal;)*) => {
        $($(#[$doc])* pub const $name: LossReason = $code;)*
        /// All reasons with their label values, in order of code.
        pub const REASONS: &[(LossReason, &str)] = &[$(($name, $label)),*];
    };
}

reasons! {
    /// Nothing is lost.
    NONE = 0, "none";
    /// The ring had no room for a record. Later records and sweeps tell of its bytes, unless it was the last of its flow.
    RING_FULL = 1, "ring_full";
    /// A page of the process's buffer was not resident or not readable.
    USER_FAULT = 2, "user_fault";
    /// The system call in flight could not be proven to be about this socket (io_uring, sendfile, splice): bytes are
    /// counted, nothing is copied.
    NO_BUFFER = 3, "no_buffer";
    /// A 32-bit process: its registers and structures have another layout.
    COMPAT32 = 4, "compat32";
    /// The kernel had no room for the socket's state.
    NO_STATE = 5, "no_state";
    /// A head longer than the capture limit.
    HEAD_TOO_LONG = 6, "head_too_long";
    /// More messages in one call than the program may walk.
    TOO_MANY_MESSAGES = 7, "too_many_messages";
    /// A chunk-size line that is none (RFC 9112 section 7.1).
    BAD_CHUNK = 8, "bad_chunk";
    /// Two threads used one socket in the same moment.
    CONTENDED = 9, "contended";
    /// A head left the socket by a path that no hook sees (splice, zero-copy receive).
    SPLICED = 10, "spliced";
    /// The connection was open before the agent started; its next request is the first that counts.
    BEFORE_START = 11, "before_start";
    /// The bytes are no HTTP/1 (HTTP/2 prior knowledge included).
    NOT_HTTP = 12, "not_http";
    /// A call into a TLS library ended whose beginning is not known: too many threads are in such calls.
    TLS_CALL = 13, "tls_call";
    /// More calls into TLS libraries one inside of the other than are followed.
    TLS_NESTED = 14, "tls_nested";
    /// A response that ends with its connection came over a TLS session that its client has ended: whether the server had
    /// ended it before is not known.
    TLS_END = 15, "tls_end";
    /// A connection over MPTCP of which no program sees the calls, or which a watched process has opened.
    MPTCP = 16, "mptcp";
}

/// Number of reason codes, the size of the per-CPU counters' array.
pub const REASON_COUNT: u32 = REASONS.len() as u32;

/// The label value of a reason code.
pub fn label(reason: LossReason) -> &'static str {
    REASONS.iter().find(|(code, _)| *code == reason).map_or("unknown", |(_, label)| label)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_are_dense_so_that_they_index_the_counters() {
        for (index, (code, _)) in REASONS.iter().enumerate() {
            assert_eq!(*code as usize, index);
        }
    }
}
