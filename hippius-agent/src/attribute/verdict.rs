//! What the server thought of the credential, read from its response.

use super::rules::Profile;

/// What a response says about the credential of its request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// The server has verified it: whatever came of the request, it came after that.
    Accepted,
    /// The server refused it. It proves nothing about who sent it.
    Refused,
    /// The response could have been written before the credential was looked at.
    Undecided,
}

/// Codes by which S3 refuses a credential
/// (<https://docs.aws.amazon.com/AmazonS3/latest/API/ErrorResponses.html>); most come with 400 or 403.
const REFUSALS: [&str; 22] = [
    "AccessDenied",
    "AuthorizationHeaderMalformed",
    "AuthorizationQueryParametersError",
    "CredentialsNotSupported",
    "ExpiredToken",
    "IncompleteSignature",
    "InvalidAccessKeyId",
    "InvalidClientTokenId",
    "InvalidSecurity",
    "InvalidSignature",
    "InvalidToken",
    "MissingAuthenticationToken",
    "MissingSecurityElement",
    "MissingSecurityHeader",
    "NotSignedUp",
    "RequestExpired",
    "RequestTimeTooSkewed",
    "SignatureDoesNotMatch",
    "TokenRefreshRequired",
    "UnauthorizedAccess",
    "UnrecognizedClientException",
    "UnsupportedSignature",
];

impl Verdict {
    /// The verdict of a final status and of the S3 error code, where the response's head has one
    /// (`x-amz-error-code`).
    ///
    /// All of 401 and 403 count as refusal, `AccessDenied` too: it answers both a valid key without the right and a
    /// signature out of time, and in doubt nobody's account is charged. A status that a proxy in front may give by
    /// itself (redirects, 400, 413, 429, 5xx) decides nothing.
    pub fn of(status: u16, error_code: Option<&str>) -> Self {
        match (status, error_code) {
            (_, Some(code)) if REFUSALS.contains(&code) => Self::Refused,
            (401 | 403 | 407, _) => Self::Refused,
            (200..=299 | 304, _) => Self::Accepted,
            // Credit, existence, conflict, precondition, range: all looked at after the signature.
            (402 | 404 | 409 | 412 | 416, _) => Self::Accepted,
            // Hippius looks at the account only when the signature was good.
            (_, Some("InsufficientAccountCredit" | "AccountVerificationError")) => Self::Accepted,
            _ => Self::Undecided,
        }
    }

    /// The verdict of `100 Continue`. Hippius sends it when it first reads the body, which is after signature, credit
    /// and rate limit; others, nginx among them, send it unasked.
    pub fn of_continue(profile: Profile) -> Self {
        match profile {
            Profile::Hippius2025 | Profile::Hippius2026 => Self::Accepted,
            Profile::S3 | Profile::Http => Self::Undecided,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_of_verdicts() {
        let cases = [
            (101, None, Verdict::Undecided),
            (200, None, Verdict::Accepted),
            (206, None, Verdict::Accepted),
            (304, None, Verdict::Accepted),
            (307, None, Verdict::Undecided),
            (413, None, Verdict::Undecided),
            (404, Some("NoSuchKey"), Verdict::Accepted),
            (402, Some("InsufficientAccountCredit"), Verdict::Accepted),
            (503, Some("SlowDown"), Verdict::Undecided),
            (503, Some("AccountVerificationError"), Verdict::Accepted),
            (503, None, Verdict::Undecided),
            (500, None, Verdict::Undecided),
            (400, None, Verdict::Undecided),
            (400, Some("InvalidBucketName"), Verdict::Undecided),
            (400, Some("AuthorizationHeaderMalformed"), Verdict::Refused),
            (401, None, Verdict::Refused),
            (403, None, Verdict::Refused),
            (403, Some("SignatureDoesNotMatch"), Verdict::Refused),
            (403, Some("InvalidAccessKeyId"), Verdict::Refused),
            (403, Some("AccessDenied"), Verdict::Refused),
            (404, Some("InvalidAccessKeyId"), Verdict::Refused),
        ];
        for (status, code, expected) in cases {
            assert_eq!(Verdict::of(status, code), expected, "{status} {code:?}");
        }
    }

    #[test]
    fn a_continue_counts_only_where_it_is_known_to_come_after_the_signature() {
        assert_eq!(Verdict::of_continue(Profile::Hippius2025), Verdict::Accepted);
        assert_eq!(Verdict::of_continue(Profile::S3), Verdict::Undecided);
    }
}
