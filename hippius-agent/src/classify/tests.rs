use proptest::prelude::{ProptestConfig, proptest};

use super::*;
use crate::decode::http1::HeadBuffer;

fn class(profile: Profile, rules: &[RouteRule], request: &str, headers: &str) -> Class {
    let classifier = Classifier::new(profile, &[], rules).expect("a valid configuration");
    let bytes = format!("{request} HTTP/1.1\r\n{headers}\r\n");
    let mut buffer = HeadBuffer::default();
    classifier.classify(&buffer.request(bytes.as_bytes()).expect("a head"))
}

/// Request with a credential, handler, operation (`-`: none).
fn check(profile: Profile, rows: &[(&str, &str, &str)]) {
    for &(request, handler, operation) in rows {
        let class = class(profile, &[], request, "Authorization: AWS4-HMAC-SHA256 Credential=x\r\n");
        let found = (class.handler, class.s3.map_or("-", |s3| s3.name));
        assert_eq!(found, (handler, operation), "{request}");
    }
}

const API: &[(&str, &str, &str)] = &[
    ("GET /", "list_buckets", "ListBuckets"),
    ("GET /user/list_buckets?main_account_id=5", "list_buckets", "-"),
    ("GET /b", "get_bucket", "ListObjects"),
    ("GET /b?list-type=2", "get_bucket", "ListObjectsV2"),
    ("GET /b?location", "get_bucket", "GetBucketLocation"),
    ("GET /b?tagging", "get_bucket", "GetBucketTagging"),
    ("GET /b?lifecycle", "get_bucket", "GetBucketLifecycleConfiguration"),
    ("GET /b?uploads", "get_bucket", "ListMultipartUploads"),
    ("GET /b?policy", "get_bucket", "GetBucketPolicy"),
    ("PUT /b", "create_or_modify_bucket", "CreateBucket"),
    ("PUT /b?tagging", "create_or_modify_bucket", "PutBucketTagging"),
    ("PUT /b?lifecycle", "create_or_modify_bucket", "PutBucketLifecycleConfiguration"),
    ("PUT /b?policy", "create_or_modify_bucket", "PutBucketPolicy"),
    ("DELETE /b", "delete_bucket_tags_route", "DeleteBucket"),
    ("DELETE /b?tagging", "delete_bucket_tags_route", "DeleteBucketTagging"),
    ("POST /b?delete", "post_bucket_subresources", "DeleteObjects"),
    ("POST /b", "post_bucket_subresources", "-"),
    ("HEAD /b", "head_bucket", "HeadBucket"),
    ("HEAD /b/k", "head_object", "HeadObject"),
    ("GET /b/k", "get_object", "GetObject"),
    ("GET /b/k?tagging", "get_object", "GetObjectTagging"),
    ("GET /b/k?uploadId=U", "get_object", "ListParts"),
    ("PUT /b/k", "put_object", "PutObject"),
    ("PUT /b/k?uploadId=U&partNumber=1", "put_object", "UploadPart"),
    ("PUT /b/k?tagging", "put_object", "PutObjectTagging"),
    ("DELETE /b/k", "delete_object", "DeleteObject"),
    ("DELETE /b/k?uploadId=U", "delete_object", "AbortMultipartUpload"),
    ("DELETE /b/k?tagging", "delete_object", "DeleteObjectTagging"),
    ("POST /b/k?uploads", "handle_post_object", "CreateMultipartUpload"),
    ("POST /b/k?uploadId=U", "handle_post_object", "CompleteMultipartUpload"),
    ("POST /b/k", "handle_post_object", "-"),
    ("GET /public/b/k", "get_public_object", "GetObject"),
    ("HEAD /public/b/k", "head_public_object", "HeadObject"),
    ("GET /user/get_bucket_location", "get_bucket_location", "-"),
    ("GET /user/credits?b64_subaccount_seed_phrase=x", "credits", "-"),
    ("GET /user/list_objects", "list_objects", "-"),
    ("GET /user/other", "unknown", "-"),
    ("PUT /user/other", "unknown", "-"),
    ("GET /user", "get_bucket", "ListObjects"),
    ("GET /robots.txt", "robots_txt", "-"),
    ("HEAD /robots.txt", "head_bucket", "HeadBucket"),
    ("GET /openapi.json", "openapi", "-"),
    ("GET /docs", "swagger_ui_html", "-"),
    ("GET /redoc/", "redoc_html", "-"),
    ("OPTIONS /b/k", "options_object", "OptionsObject"),
    ("PATCH /b/k", "unknown", "-"),
    ("HEAD /", "unknown", "-"),
    ("GET //", "unknown", "-"),
];

#[test]
fn handlers_of_the_api_of_2025() {
    check(Profile::Hippius2025, API);
    check(
        Profile::Hippius2025,
        &[
            ("GET /metrics", "metrics_endpoint", "-"),
            ("PUT /metrics", "create_or_modify_bucket", "CreateBucket"),
            ("GET /health", "unknown", "-"),
            ("GET /user/unban", "unknown", "-"),
            ("GET /internal/parts/o/1/1/chunks/0", "get_object", "GetObject"),
        ],
    );
}

#[test]
fn handlers_of_the_api_of_2026() {
    check(Profile::Hippius2026Api, API);
    check(
        Profile::Hippius2026Api,
        &[
            ("GET /metrics", "unknown", "-"),
            ("GET /health", "health", "-"),
            ("GET /user/recent_uploads", "recent_uploads", "-"),
            ("POST /user/unban", "unban", "-"),
            ("GET /user/sub-tokens/hip_x/scope", "get_scope", "-"),
            ("PUT /user/sub-tokens/hip_x/scope", "put_scope", "-"),
            ("DELETE /user/sub-tokens/hip_x/scope", "delete_scope", "-"),
            ("GET /internal/parts/o/1/1/chunks/0", "get_local_chunk", "-"),
            ("GET /b?acl", "get_bucket", "GetBucketAcl"),
            ("PUT /b/k?acl", "put_object", "PutObjectAcl"),
        ],
    );
}

#[test]
fn handlers_of_the_gateway_of_2026() {
    check(
        Profile::Hippius2026Gateway,
        &[
            ("GET /", "gateway_forward_all", "ListBuckets"),
            ("GET /b?list-type=2", "gateway_forward_all", "ListObjectsV2"),
            ("PUT /b/k", "gateway_forward_all", "PutObject"),
            ("HEAD /b/k", "gateway_forward_all", "HeadObject"),
            ("POST /b?delete", "gateway_forward_all", "DeleteObjects"),
            ("DELETE /b", "gateway_forward_all", "DeleteBucket"),
            ("PATCH /b/k", "gateway_forward_all", "-"),
            ("GET /b?acl", "gateway_get_bucket_acl", "GetBucketAcl"),
            ("PUT /b?acl=", "gateway_put_bucket_acl", "PutBucketAcl"),
            ("GET /b/k?acl", "gateway_get_object_acl", "GetObjectAcl"),
            ("PUT /b/k?acl", "gateway_put_object_acl", "PutObjectAcl"),
            ("GET /health", "gateway_health", "-"),
            ("GET /docs", "gateway_get_swagger_ui", "-"),
            ("GET /redoc", "gateway_get_redoc", "-"),
            ("GET /openapi.json", "gateway_get_openapi_json", "-"),
            ("DELETE /docs/cache", "gateway_clear_docs_cache", "-"),
            ("GET /metrics", "gateway_forward_all", "-"),
            ("GET /robots.txt", "gateway_forward_all", "-"),
            ("GET /user/list_buckets", "gateway_forward_all", "-"),
            ("OPTIONS /b/k", "options_object", "OptionsObject"),
            ("TRACE /b/k", "unknown", "-"),
        ],
    );
}

#[test]
fn an_anonymous_read_is_public_in_2025_only_and_only_without_query() {
    for (profile, request, handler) in [
        (Profile::Hippius2025, "GET /b/k", "get_public_object"),
        (Profile::Hippius2025, "GET /b/k?", "get_public_object"),
        (Profile::Hippius2025, "HEAD /b/k", "head_public_object"),
        (Profile::Hippius2025, "GET /b/k?versionId=1", "get_object"),
        (Profile::Hippius2025, "PUT /b/k", "put_object"),
        (Profile::Hippius2025, "GET /b", "get_bucket"),
        (Profile::Hippius2026Api, "GET /b/k", "get_object"),
        (Profile::Hippius2026Gateway, "GET /b/k", "gateway_forward_all"),
    ] {
        assert_eq!(class(profile, &[], request, "").handler, handler, "{request} on {}", profile.name());
    }
}

#[test]
fn copies_and_appends_are_put_object_handlers() {
    for (header, operation) in [("x-amz-copy-source: /b/o", "CopyObject"), ("x-amz-meta-append: true", "PutObject")] {
        let class = class(Profile::Hippius2025, &[], "PUT /b/k", &format!("{header}\r\n"));
        assert_eq!((class.handler, class.s3.map(|s3| s3.name)), ("put_object", Some(operation)));
    }
}

#[test]
fn a_flag_that_2025_does_not_know_does_not_change_what_it_does() {
    for (profile, request, effect, payload) in [
        (Profile::Hippius2025, "DELETE /b?policy", Effect::BucketDeleted, Payload::None),
        (Profile::Hippius2025, "PUT /b?versioning", Effect::BucketCreated, Payload::None),
        (Profile::Hippius2025, "PUT /b?policy", Effect::None, Payload::None),
        (Profile::Hippius2025, "PUT /b/k?acl", Effect::ObjectCreated, Payload::Upload),
        (Profile::Hippius2025, "GET /b/k?acl", Effect::None, Payload::Download),
        (Profile::Hippius2025, "GET /b/k?tagging", Effect::None, Payload::None),
        (Profile::Hippius2026Api, "DELETE /b?policy", Effect::None, Payload::None),
        (Profile::Hippius2026Api, "PUT /b/k?acl", Effect::None, Payload::None),
    ] {
        let s3 = class(profile, &[], request, "Authorization: x\r\n").s3.expect("an operation");
        assert_eq!((s3.effect, s3.payload), (effect, payload), "{request} on {}", profile.name());
    }
}

#[test]
fn on_http_only_declared_operations_have_a_name() {
    let rules = [
        RouteRule { path: "/items/{id}".to_owned(), name: "item".to_owned(), ..RouteRule::default() },
        RouteRule {
            method: Some("POST".to_owned()),
            path: "/upload".to_owned(),
            name: "ArionUpload".to_owned(),
            s3: true,
            effect: Some(Effect::ObjectCreated),
            payload: Some(Payload::Upload),
            ..RouteRule::default()
        },
    ];
    assert_eq!(class(Profile::Http, &rules, "GET /secret/path", ""), Class::UNKNOWN);
    assert_eq!(class(Profile::Http, &rules, "GET /items/7?x", "").handler, "item");
    let upload = class(Profile::Http, &rules, "POST /upload", "");
    assert_eq!((upload.handler, upload.s3.map(|s3| s3.name)), ("arion_upload", Some("ArionUpload")));
}

#[test]
fn declared_operations_come_before_the_profile_in_their_order() {
    let rule = |path: &str, name: &str| RouteRule { path: path.into(), name: name.into(), ..RouteRule::default() };
    let rules = [rule("/metrics", "scrape"), rule("/{all*}", "rest")];
    for profile in Profile::ALL {
        assert_eq!(class(profile, &rules, "GET /metrics", ""), Class { handler: "scrape", s3: None });
        assert_eq!(class(profile, &rules, "GET /b/k", "").handler, "rest");
    }
}

#[test]
fn all_errors_of_a_configuration_are_reported() {
    let rules = [
        RouteRule { path: "x".into(), name: "x".into(), ..RouteRule::default() },
        RouteRule { path: "/".into(), name: "x".into(), ..RouteRule::default() },
        RouteRule { path: "/".into(), name: "-".into(), ..RouteRule::default() },
    ];
    let errors = Classifier::new(Profile::S3, &["a..b".to_owned()], &rules).expect_err("three are wrong");
    let texts: Vec<String> = errors.iter().map(ToString::to_string).collect();
    let beginnings = ["base domain 0: ", "operation 0: path", "operation 2: name"];
    assert_eq!(texts.len(), beginnings.len(), "{texts:?}");
    assert!(texts.iter().zip(beginnings).all(|(text, beginning)| text.starts_with(beginning)), "{texts:?}");
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn no_rule_text_brings_it_down(path in ".{0,40}", query in ".{0,20}", name in ".{0,20}", target in "/[!-~]{0,40}") {
        let rule = RouteRule { path, query: Some(query), name, ..RouteRule::default() };
        if let Ok(classifier) = Classifier::new(Profile::Http, &[], &[rule]) {
            let bytes = format!("GET {target} HTTP/1.1\r\n\r\n");
            let mut buffer = HeadBuffer::default();
            if let Ok(head) = buffer.request(bytes.as_bytes()) {
                classifier.classify(&head);
            }
        }
    }

    #[test]
    fn almost_patterns_are_accepted_or_refused(path in "(/|\\{|\\}|a|\\*|%|é){0,12}", target in "(/|a|%|%61){0,12}") {
        if let Ok(pattern) = path.parse::<PathPattern>() {
            pattern.matches(&target);
        }
    }
}
