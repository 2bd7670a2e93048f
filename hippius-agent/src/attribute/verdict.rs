//! What the server thought of the credential, read from its response.

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
const REFUSALS: [&str; 16] = [
    "AccessDenied",
    "AuthorizationHeaderMalformed",
    "AuthorizationQueryParametersError",
    "CredentialsNotSupported",
    "ExpiredToken",
    "InvalidAccessKeyId",
    "InvalidSecurity",
    "InvalidToken",
    "MissingAuthenticationToken",
    "MissingSecurityHeader",
    "NotSignedUp",
    "RequestExpired",
    "RequestTimeTooSkewed",
    "SignatureDoesNotMatch",
    "TokenRefreshRequired",
    "UnauthorizedAccess",
];

impl Verdict {
    /// The verdict of a status and of the S3 error code, where the response's head has one (`x-amz-error-code`).
    ///
    /// `100 Continue` counts as acceptance: the Hippius API sends it when it first reads the body, which is after
    /// signature, credit and rate limit. A server that sends it by itself (nginx) sends a final status as well, and
    /// that one has the last word. All of 401 and 403 count as refusal, `AccessDenied` too: it answers both a
    /// valid key without the right and a signature out of time, and in doubt nobody's account is charged.
    pub fn of(status: u16, error_code: Option<&str>) -> Self {
        if error_code.is_some_and(|code| REFUSALS.contains(&code)) {
            return Self::Refused;
        }
        match status {
            // Switching protocols and early hints tell nothing; 304 and 2xx are the outcome of an allowed request.
            100 | 200..=399 => Self::Accepted,
            401 | 403 | 407 => Self::Refused,
            // Credit, existence, precondition, range: all looked at after the signature.
            402 | 404 | 409 | 411..=413 | 416 => Self::Accepted,
            // 503 SlowDown and InsufficientAccountCredit name a state of the account, so it was known by then.
            _ if matches!(error_code, Some("SlowDown" | "InsufficientAccountCredit" | "AccountVerificationError")) => {
                Self::Accepted
            }
            _ => Self::Undecided,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_of_verdicts() {
        let cases = [
            (100, None, Verdict::Accepted),
            (101, None, Verdict::Undecided),
            (200, None, Verdict::Accepted),
            (206, None, Verdict::Accepted),
            (304, None, Verdict::Accepted),
            (404, Some("NoSuchKey"), Verdict::Accepted),
            (402, Some("InsufficientAccountCredit"), Verdict::Accepted),
            (503, Some("SlowDown"), Verdict::Accepted),
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
}
