use super::*;
use crate::decode::http1::HeadBuffer;
use proptest::prelude::*;

const SCOPE: &str = "20260801/decentralized/s3/aws4_request";

/// What a head claims, with the access key shown, which only a test may do.
fn claim(rules: &RuleSet, target: &str, fields: &[&str]) -> String {
    let mut head = format!("GET {target} HTTP/1.1\r\n");
    fields.iter().for_each(|field| head.extend([field, "\r\n"]));
    head.push_str("\r\n");
    claim_of_bytes(rules, head.as_bytes()).expect("a head")
}

fn claim_of_bytes(rules: &RuleSet, head: &[u8]) -> Option<String> {
    let hasher = CredentialHasher::with_keys(&[7; 32]);
    let mut buffer = HeadBuffer::default();
    let head = buffer.request(head).ok()?;
    Some(match rules.claim(&head, &hasher, |_| true) {
        Claim::Trusted(account) => format!("trusted {} {}", account.main, account.sub),
        Claim::Credential(Credential { key, secret }) => {
            let secret = secret.expect("asked for");
            assert_eq!(key, hasher.credential(secret.expose()));
            format!("key {}", secret.expose())
        }
        Claim::Anonymous => "anonymous".to_owned(),
        Claim::Malformed => "malformed".to_owned(),
    })
}

fn sigv4(key: &str) -> String {
    format!("Authorization: AWS4-HMAC-SHA256 Credential={key}/{SCOPE}, SignedHeaders=host, Signature=00")
}

fn presigned(key: &str) -> String {
    format!(
        "/b/k?X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Credential={key}%2F{}&X-Amz-Signature=00",
        SCOPE.replace('/', "%2F")
    )
}

#[test]
fn a_profile_says_which_credentials_count() {
    let inner = RuleSet::new(Profile::Hippius2026, true);
    let rules = |profile| RuleSet::new(profile, false);
    let (header, query) = (sigv4("hip_a"), presigned("hip_q"));
    let trusted = ["X-Hippius-Main-Account: 5Main", "X-Hippius-Request-User: 5Sub"];
    let cases: Vec<(RuleSet, &str, Vec<&str>, &str)> = vec![
        (rules(Profile::Hippius2025), "/b/k", vec![&header], "key hip_a"),
        (rules(Profile::Hippius2025), &query, vec![], "anonymous"),
        (rules(Profile::Hippius2026), &query, vec![], "key hip_q"),
        (rules(Profile::Hippius2026), &query, vec![&header], "key hip_a"),
        (rules(Profile::Hippius2026), "/b/k", vec!["authorization: bearer hip_t"], "key hip_t"),
        (rules(Profile::Hippius2026), "/b/k", vec![], "anonymous"),
        (rules(Profile::Hippius2026), "/b/k", trusted.to_vec(), "anonymous"),
        (inner.clone(), "/b/k", [&trusted[..], &[&header]].concat(), "trusted 5Main 5Sub"),
        (inner.clone(), "/b/k", vec![&header], "key hip_a"),
        (rules(Profile::Hippius2025), "/b/k", vec!["Authorization: AWS AKIA:sig="], "anonymous"),
        (rules(Profile::S3), "/b/k", vec!["Authorization: AWS AKIA:sig="], "key AKIA"),
        (rules(Profile::S3), "/b/k?AWSAccessKeyId=AK%2BA&Expires=1&Signature=x", vec![], "key AK+A"),
        (rules(Profile::S3), "/b/k?AWSAccessKeyId=AKIA", vec![], "anonymous"),
        (rules(Profile::S3), &query, vec![], "key hip_q"),
        (rules(Profile::Http), "/", vec![&header], "anonymous"),
        (rules(Profile::Http), "/", vec!["Authorization: Bearer a.b.c"], "key a.b.c"),
        (rules(Profile::Http), "/", vec!["Authorization: Basic dXNlcjpwYXNz"], "anonymous"),
    ];
    for (rules, target, fields, expected) in cases {
        assert_eq!(claim(&rules, target, &fields), expected, "{rules:?} {target} {fields:?}");
    }
}

#[test]
fn signature_v4_headers_as_clients_write_them() {
    let rules = RuleSet::new(Profile::S3, false);
    let seed = "Ym90dG9tIGRyaXZlIG9iZXkgbGFrZQ==";
    let cases = [
        (sigv4(seed), format!("key {seed}")),
        (sigv4("a/b/c"), "key a/b/c".to_owned()),
        (format!("authorization:AWS4-HMAC-SHA256 SignedHeaders=host,Signature=0,Credential=k/{SCOPE}"), "key k".into()),
        (format!("Authorization: aws4-hmac-sha256   Credential=k/{SCOPE}"), "key k".into()),
        ("Authorization: AWS4-ECDSA-P256-SHA256 Credential=k/20260801/s3/aws4_request".into(), "key k".into()),
        ("Authorization: AWS4-HMAC-SHA256 Credential=k/20260801/s3/aws4_request".into(), "malformed".into()),
        ("Authorization: AWS4-HMAC-SHA256".into(), "malformed".into()),
        ("Authorization: AWS4-HMAC-SHA256 Credential=".into(), "malformed".into()),
        (format!("Authorization: AWS4-HMAC-SHA256 Credential=/{SCOPE}"), "malformed".into()),
        (format!("Authorization: AWS4-HMAC-SHA256 Credential=a b/{SCOPE}"), "malformed".into()),
        (format!("Authorization: AWS4-HMAC-SHA256 Credential=k/{SCOPE}x"), "malformed".into()),
        (sigv4(&"k".repeat(MAX_ACCESS_KEY_BYTES)), format!("key {}", "k".repeat(MAX_ACCESS_KEY_BYTES))),
        (sigv4(&"k".repeat(MAX_ACCESS_KEY_BYTES + 1)), "malformed".into()),
        ("Authorization: Bearer".into(), "malformed".into()),
        ("Authorization: Bearer a b".into(), "malformed".into()),
        ("Authorization: AWS :sig".into(), "malformed".into()),
        ("Authorization: AWS key".into(), "malformed".into()),
    ];
    for (field, expected) in cases {
        assert_eq!(claim(&rules, "/b", &[&field]), expected, "{field}");
    }
}

#[test]
fn presigned_queries_as_clients_write_them() {
    let rules = RuleSet::new(Profile::Hippius2026, false);
    let all = |credential: &str| {
        format!("/b?X-Amz-Signature=0&X-Amz-Credential={credential}&X-Amz-Algorithm=AWS4-HMAC-SHA256")
    };
    let cases = [
        (presigned("a%2Fb%3D"), "key a/b="),
        (all(&format!("hip_a/{SCOPE}")), "key hip_a"),
        (all("hip_a"), "malformed"),
        (all("%FF%FE/a/b/c/aws4_request"), "malformed"),
        (all("%0Aa/a/b/c/aws4_request"), "malformed"),
        (format!("/b?X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Credential=k/{SCOPE}"), "malformed"),
        ("/b?X-Amz-Algorithm=none".to_owned(), "malformed"),
        ("/b?prefix=X-Amz-Algorithm=AWS4-HMAC-SHA256".to_owned(), "anonymous"),
        ("/b?".to_owned(), "anonymous"),
    ];
    for (target, expected) in cases {
        assert_eq!(claim(&rules, &target, &[]), expected, "{target}");
    }
}

#[test]
fn trusted_headers_become_labels_only_when_they_are_account_ids() {
    let rules = RuleSet::new(Profile::Hippius2026, true);
    let long = format!("x-hippius-main-account: {}", "a".repeat(129));
    let cases: Vec<(Vec<&str>, &str)> = vec![
        (vec!["X-HIPPIUS-MAIN-ACCOUNT: 5Own", "x-hippius-request-user: anonymous"], "trusted 5Own anon"),
        (vec!["X-Hippius-Main-Account: anonymous", "X-Hippius-Request-User: anonymous"], "trusted public anon"),
        (vec!["X-Hippius-Main-Account: 5Own"], "trusted 5Own unknown"),
        (vec!["X-Hippius-Request-User: 5Sub"], "anonymous"),
        (vec!["X-Hippius-Main-Account: 5Own", "X-Hippius-Main-Account: 5Own"], "malformed"),
        (vec!["X-Hippius-Main-Account:"], "malformed"),
        (vec!["X-Hippius-Main-Account: a\",b=\"c"], "malformed"),
        (vec!["X-Hippius-Main-Account: __other__"], "malformed"),
        (vec!["X-Hippius-Main-Account: 5Own", "X-Hippius-Request-User: {}"], "malformed"),
        (vec![&long], "malformed"),
    ];
    for (fields, expected) in cases {
        assert_eq!(claim(&rules, "/b/k", &fields), expected, "{fields:?}");
    }
}

#[test]
fn the_access_key_stays_out_of_the_claim_unless_asked_for() {
    let mut buffer = HeadBuffer::default();
    let text = format!("GET / HTTP/1.1\r\n{}\r\n\r\n", sigv4("hip_a"));
    let head = buffer.request(text.as_bytes()).expect("a head");
    let claim = RuleSet::new(Profile::S3, false).claim(&head, &CredentialHasher::with_keys(&[0; 32]), |_| false);
    assert!(matches!(claim, Claim::Credential(Credential { secret: None, .. })));
}

#[test]
fn profiles_are_known_by_their_names() {
    assert_eq!("hippius-2026".parse(), Ok(Profile::Hippius2026));
    assert_eq!("S3".parse::<Profile>(), Err(UnknownProfile));
}

proptest! {
    #[test]
    fn random_bytes_never_panic(authorization in prop::collection::vec(any::<u8>(), 0..200),
                                query in "[!-~]{0,200}", glue in 0usize..6) {
        let start: &[u8] = [b"".as_slice(), b"AWS4-HMAC-SHA256 Credential=", b"AWS ", b"Bearer ", b"AWS4-ECDSA-P256-SHA256 ",
            b"AWS4-HMAC-SHA256 "][glue];
        let target = ["/?", "/?X-Amz-Credential=", "/?AWSAccessKeyId=", "/?X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Signature=&X-Amz-Credential=",
            "*", ""][glue];
        let mut head = format!("GET {target}{query} HTTP/1.1\r\nX-Hippius-Main-Account: {query}\r\nAuthorization: ").into_bytes();
        head.extend_from_slice(start);
        head.extend(authorization.iter().filter(|b| **b >= b' ' && **b != 0x7f));
        head.extend_from_slice(b"\r\n\r\n");
        for (_, profile) in Profile::NAMES {
            claim_of_bytes(&RuleSet::new(profile, true), &head);
            claim_of_bytes(&RuleSet::new(profile, false), &head);
        }
    }
}
