use proptest::prelude::{ProptestConfig, proptest};

use crate::classify::{Class, Classifier, Effect, Payload, Profile};
use crate::decode::http1::HeadBuffer;

fn class(bases: &[&str], request: &str, headers: &str) -> Class {
    let bases: Vec<String> = bases.iter().map(|&base| base.to_owned()).collect();
    let classifier = Classifier::new(Profile::S3, &bases, &[]).expect("a valid configuration");
    let bytes = format!("{request} HTTP/1.1\r\n{headers}\r\n");
    let mut buffer = HeadBuffer::default();
    classifier.classify(&buffer.request(bytes.as_bytes()).expect("a head"))
}

fn name(request: &str, headers: &str) -> Option<&'static str> {
    class(&[], request, headers).s3.map(|s3| s3.name)
}

#[test]
fn requests_as_clients_really_send_them() {
    const COPY: &str = "X-Amz-Copy-Source: /b/other\r\n";
    for (request, headers, wanted) in [
        // s3cmd lists with a slash behind the bucket, rclone gives every flag an equals sign.
        ("GET /bucket/?delimiter=%2F", "", "ListObjects"),
        ("GET /bucket?list-type=2&prefix=&delimiter=&encoding-type=url", "", "ListObjectsV2"),
        ("GET /bucket?prefix=&list%2Dtype=2", "", "ListObjectsV2"),
        ("GET /bucket?uploads", "", "ListMultipartUploads"),
        ("GET /bucket?uploads=", "", "ListMultipartUploads"),
        ("GET /bucket?delimiter=&uploads=&prefix=uploads", "", "ListMultipartUploads"),
        ("POST /bucket/key?uploads=", "", "CreateMultipartUpload"),
        ("PUT /bucket/key?partNumber=1&uploadId=U", "", "UploadPart"),
        ("PUT /bucket/key?uploadId=U&partNumber=1", "", "UploadPart"),
        ("PUT /bucket/key?uploadId=U&partNumber=1&x-id=UploadPart", "", "UploadPart"),
        ("PUT /bucket/key?uploadId=U&partNumber=1", COPY, "UploadPartCopy"),
        ("PUT /bucket/key", COPY, "CopyObject"),
        ("PUT /bucket/key", "x-amz-meta-append: true\r\n", "PutObject"),
        ("PUT /bucket/key?x-id=PutObject", "", "PutObject"),
        (
            "PUT /bucket/key?X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Credential=tagging&X-Amz-Signature=x",
            "",
            "PutObject",
        ),
        ("GET /bucket/key?versionId=3&partNumber=2&response-expires=acl", "", "GetObject"),
        ("GET /bucket/folder/", "", "GetObject"),
        ("GET /bucket/key?versionId=3&tagging", "", "GetObjectTagging"),
        ("HEAD /bucket/key?partNumber=1", "", "HeadObject"),
        ("HEAD /bucket/", "", "HeadBucket"),
        ("GET /bucket?inventory&id=1", "", "GetBucketInventoryConfiguration"),
        ("GET /bucket?inventory&x-id=ListBucketInventoryConfigurations", "", "ListBucketInventoryConfigurations"),
        ("GET /", "", "ListBuckets"),
        ("GET /?x-id=ListBuckets", "", "ListBuckets"),
        ("GET /?max-directory-buckets=9", "", "ListDirectoryBuckets"),
        ("GET /?x-id=ListDirectoryBuckets", "", "ListDirectoryBuckets"),
        ("GET /", "Host: S3Express-Control.us-east-1.amazonaws.com\r\n", "ListDirectoryBuckets"),
        ("POST /bucket", "Content-Type: Multipart/form-data; boundary=x\r\n", "PostObject"),
        ("POST /bucket?delete", "Content-Type: application/xml\r\n", "DeleteObjects"),
        ("OPTIONS /bucket/key", "Origin: https://example.com\r\n", "OptionsObject"),
        ("GET http://s3.example.com/bucket/key?acl", "", "GetObjectAcl"),
        ("DELETE /bucket/key?versionId=1", "", "DeleteObject"),
    ] {
        assert_eq!(name(request, headers), Some(wanted), "{request}");
    }
}

#[test]
fn what_is_no_operation_is_none() {
    for (request, headers) in [
        ("POST /bucket", "Content-Type: application/xml\r\n"),
        ("POST /bucket/key", ""),
        ("POST /", ""),
        ("HEAD /", ""),
        ("PATCH /bucket/key", ""),
        ("get /bucket/key", ""),
        ("OPTIONS *", ""),
        ("CONNECT example.com:443", ""),
        ("GET //key", ""),
        ("GET /robots.txt", ""),
        ("GET /favicon.ico", ""),
        ("POST /WriteGetObjectResponse", ""),
    ] {
        assert_eq!(class(&[], request, headers), Class::UNKNOWN, "{request}");
    }
}

#[test]
fn the_host_decides_where_the_bucket_stands() {
    const BASES: &[&str] = &["s3.example.com"];
    for (request, host, wanted) in [
        ("GET /key", "b.s3.example.com", "GetObject"),
        ("GET /?list-type=2", "b.s3.example.com:80", "ListObjectsV2"),
        ("GET /robots.txt", "b.s3.example.com", "GetObject"),
        ("GET /", "s3.example.com", "ListBuckets"),
        ("GET /b/k", "s3.example.com", "GetObject"),
        ("GET /b", "10.0.0.1:8000", "ListObjects"),
        ("GET http://b.s3.example.com/", "s3.example.com", "ListObjects"),
        ("GET http://s3.example.com/", "b.s3.example.com", "ListBuckets"),
        ("POST /", "b.s3.example.com\r\nContent-Type: multipart/form-data; boundary=x", "PostObject"),
    ] {
        let class = class(BASES, request, &format!("Host: {host}\r\n"));
        assert_eq!(class.s3.map(|s3| s3.name), Some(wanted), "{request} at {host}");
    }
}

#[test]
fn effects_and_payloads_belong_to_few_operations() {
    use super::table;
    for row in table::ALL.iter().copied().flatten() {
        let effect = match row.operation.name {
            "PutObject" | "CopyObject" | "CompleteMultipartUpload" | "PostObject" => Effect::ObjectCreated,
            "DeleteObject" => Effect::ObjectDeleted,
            "CreateBucket" => Effect::BucketCreated,
            "DeleteBucket" => Effect::BucketDeleted,
            _ => Effect::None,
        };
        let payload = match row.operation.name {
            "PutObject" | "UploadPart" | "PostObject" => Payload::Upload,
            "GetObject" => Payload::Download,
            _ => Payload::None,
        };
        assert_eq!((row.operation.effect, row.operation.payload), (effect, payload), "{}", row.operation.name);
    }
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn no_target_or_host_brings_it_down(
        method in "GET|PUT|POST|DELETE|HEAD|OPTIONS|[A-Z!]{1,9}",
        target in "(http://|/|\\*)?[!-~\u{e9}]{0,60}",
        host in "[ -~]{0,30}(s3.example.com)?(:[0-9]{0,3})?",
    ) {
        let bytes = format!("{method} {target} HTTP/1.1\r\nHost: {host}\r\n\r\n");
        let bases = ["s3.example.com".to_owned()];
        let mut buffer = HeadBuffer::default();
        if let Ok(head) = buffer.request(bytes.as_bytes()) {
            for profile in Profile::ALL {
                Classifier::new(profile, &bases, &[]).expect("a valid configuration").classify(&head);
            }
        }
    }

    #[test]
    fn noise_brings_no_class_down(bytes: Vec<u8>) {
        let mut buffer = HeadBuffer::default();
        if let Ok(head) = buffer.request(&bytes) {
            Classifier::new(Profile::S3, &[], &[]).expect("a valid configuration").classify(&head);
        }
    }
}
