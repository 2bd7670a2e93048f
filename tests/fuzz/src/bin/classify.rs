//! Names of requests: a closed set of labels, the same each time, and effects that fit the operation.
//!
//! Input: a request head; its target is also tried as the pattern of a declared operation.
#![no_main]

use hippius_agent::classify::{
    CallClassifier, Class, Classifier, Effect, Payload, PeerProfile, Profile, RouteRule, method_label,
};
use hippius_agent::decode::http1::HeadBuffer;
use libfuzzer_sys::fuzz_target;
use std::sync::LazyLock;

static CLASSIFIERS: LazyLock<Vec<Classifier>> = LazyLock::new(|| {
    let domains = ["s3.example.com".to_owned()];
    let virtual_host = |profile| Classifier::new(profile, &domains, &[]).expect("a domain");
    Profile::ALL.into_iter().flat_map(|profile| [Classifier::plain(profile), virtual_host(profile)]).collect()
});

fuzz_target!(|bytes: &[u8]| {
    let mut buffer = HeadBuffer::default();
    let Ok(head) = buffer.request(bytes) else { return };
    assert!(!method_label(head.method).is_empty());
    for classifier in &*CLASSIFIERS {
        let class = classifier.classify(&head);
        // This server ignores flags that it does not know, so an operation may do what a plainer one does.
        check(&class, classifier.profile() == Profile::Hippius2025);
        assert_eq!(class, classifier.classify(&head), "another name for the same request");
        if classifier.profile() == Profile::Http {
            assert_eq!(class, Class::UNKNOWN);
        }
    }
    let peers = [PeerProfile::Http, PeerProfile::Kubo, PeerProfile::IpfsGateway, PeerProfile::Arion];
    for calls in peers.map(CallClassifier::plain).into_iter().chain([CallClassifier::default()]) {
        if let Some(name) = calls.operation(head.method, head.target) {
            assert!(
                name.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_'),
                "{name}"
            );
        }
    }
    let (path, query) = head.target.split_once('?').unwrap_or((head.target, ""));
    let rule = RouteRule {
        path: path.to_owned(),
        query: (!query.is_empty()).then(|| query.to_owned()),
        name: "declared".to_owned(),
        ..RouteRule::default()
    };
    if let Ok(classifier) = Classifier::new(Profile::Http, &[], &[rule]) {
        let class = classifier.classify(&head);
        assert!(class == Class::UNKNOWN || class.handler == "declared", "{class:?}");
    }
});

fn check(class: &Class, ignores_flags: bool) {
    let is_name =
        |name: &str| !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_');
    assert!(is_name(class.handler), "{class:?}");
    let Some(s3) = class.s3 else { return };
    assert!(is_name(s3.name), "{class:?}");
    if ignores_flags {
        return;
    }
    let effect = match s3.name {
        "PutObject" | "CopyObject" | "CompleteMultipartUpload" | "PostObject" => Effect::ObjectCreated,
        "DeleteObject" => Effect::ObjectDeleted,
        "CreateBucket" => Effect::BucketCreated,
        "DeleteBucket" => Effect::BucketDeleted,
        _ => Effect::None,
    };
    let payload = match s3.name {
        "PutObject" | "UploadPart" | "PostObject" => Payload::Upload,
        "GetObject" => Payload::Download,
        _ => Payload::None,
    };
    assert_eq!((s3.effect, s3.payload), (effect, payload), "{}", s3.name);
}
