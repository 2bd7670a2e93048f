//! The table against the operations of AWS's own service model, every one of them.

use std::collections::BTreeSet;

use crate::classify::names::snake_case;
use crate::classify::s3::table;
use crate::classify::{Classifier, Profile};
use crate::decode::http1::HeadBuffer;

/// Operation, method, URI template, required query parameters, required headers; facts of the service model.
const AWS: &str = include_str!("aws_operations.txt");

/// Operations that cannot be told from another one by the request, with the name that both go by.
const SAME_ON_THE_WIRE: &[(&str, &str)] = &[
    // Deprecated; the current operation has the same method and query, only another XML body.
    ("GetBucketLifecycle", "GetBucketLifecycleConfiguration"),
    ("PutBucketLifecycle", "PutBucketLifecycleConfiguration"),
    ("GetBucketNotification", "GetBucketNotificationConfiguration"),
    ("PutBucketNotification", "PutBucketNotificationConfiguration"),
    // `GET /` as well; told apart only by an optional parameter or the endpoint's host name (tested apart).
    ("ListDirectoryBuckets", "ListBuckets"),
];

/// Operations that are in the API Reference but not in the service model: browsers send them, no SDK does.
const NOT_IN_THE_MODEL: &[&str] = &["OptionsObject", "PostObject"];

struct Operation {
    name: &'static str,
    method: &'static str,
    uri: &'static str,
    query: Vec<&'static str>,
    headers: Vec<&'static str>,
}

fn operations() -> Vec<Operation> {
    let list = |column: &'static str| column.split(',').filter(|item| *item != "-").collect();
    AWS.lines()
        .filter(|line| !line.starts_with('#'))
        .map(|line| {
            let columns: Vec<&str> = line.split(' ').collect();
            let [name, method, uri, query, headers] = columns[..] else { panic!("five columns: {line}") };
            Operation { name, method, uri, query: list(query), headers: list(headers) }
        })
        .collect()
}

fn classified(bases: &[String], method: &str, target: &str, headers: &str) -> Option<(&'static str, &'static str)> {
    let classifier = Classifier::new(Profile::S3, bases, &[]).expect("a valid configuration");
    let bytes = format!("{method} {target} HTTP/1.1\r\n{headers}\r\n");
    let mut buffer = HeadBuffer::default();
    let head = buffer.request(bytes.as_bytes()).expect("a head");
    let class = classifier.classify(&head);
    class.s3.map(|s3| (s3.name, class.handler))
}

/// The requests that an operation may look like: flags with and without `=`, in both orders, a slash behind a bucket.
fn targets(operation: &Operation, path: &str) -> Vec<String> {
    let (path, flags) = path.split_once('?').unwrap_or((path, ""));
    let flags: Vec<String> = flags.split('&').filter(|flag| !flag.is_empty()).map(str::to_owned).collect();
    let with_equals = flags.iter().map(|flag| if flag.contains('=') { flag.clone() } else { format!("{flag}=") });
    let mut targets = Vec::new();
    for flags in [flags.clone(), with_equals.collect()] {
        let mut parameters = flags;
        parameters.extend(operation.query.iter().map(|name| format!("{name}=1")));
        let reversed: Vec<String> = parameters.iter().rev().cloned().chain(["x-id=Other".to_owned()]).collect();
        for parameters in [parameters, reversed] {
            let query = if parameters.is_empty() { String::new() } else { format!("?{}", parameters.join("&")) };
            targets.push(format!("{path}{query}"));
            if operation.uri.contains("{Bucket}") && !operation.uri.contains("{Key+}") && !path.ends_with('/') {
                targets.push(format!("{path}/{query}"));
            }
        }
    }
    targets
}

fn check(bases: &[String], host: &str, rewrite: impl Fn(&str) -> Option<String>) {
    for operation in operations() {
        let Some(path) = rewrite(operation.uri) else { continue };
        let wanted =
            SAME_ON_THE_WIRE.iter().find(|(name, _)| *name == operation.name).map_or(operation.name, |same| same.1);
        let headers: String = operation.headers.iter().map(|header| format!("{header}: x\r\n")).collect();
        for target in targets(&operation, &path) {
            let target = target.replace("{Key+}", "Key/a");
            let found = classified(bases, operation.method, &target, &format!("Host: {host}\r\n{headers}"));
            let snake = snake_case(wanted);
            assert_eq!(found, Some((wanted, snake.as_str())), "{} as {} {target}", operation.name, operation.method);
        }
    }
}

#[test]
fn every_aws_operation_is_known_by_its_name_in_path_style() {
    check(&[], "s3.example.com", |uri| Some(uri.replace("{Bucket}", "bucket")));
}

#[test]
fn every_aws_operation_is_known_by_its_name_in_virtual_host_style() {
    let bases = ["s3.example.com".to_owned()];
    check(&bases, "bucket.s3.example.com:9000", |uri| {
        let rest = uri.strip_prefix("/{Bucket}")?;
        Some(if rest.starts_with('/') { rest.to_owned() } else { format!("/{rest}") }.replace("//", "/"))
    });
    check(&bases, "S3.example.com", |uri| Some(uri.replace("{Bucket}", "bucket")));
}

#[test]
fn every_aws_operation_is_known_in_absolute_form() {
    check(&[], "ignored", |uri| Some(format!("http://s3.example.com{}", uri.replace("{Bucket}", "bucket"))));
}

#[test]
fn the_table_names_what_aws_names_and_nothing_else() {
    let aws: BTreeSet<&str> = operations().iter().map(|operation| operation.name).collect();
    let table: BTreeSet<&str> = table::ALL.iter().copied().flatten().map(|row| row.operation.name).collect();
    let deprecated = SAME_ON_THE_WIRE.iter().map(|(name, _)| *name).filter(|name| *name != "ListDirectoryBuckets");
    let mut wanted: BTreeSet<&str> = aws.union(&NOT_IN_THE_MODEL.iter().copied().collect()).copied().collect();
    for name in deprecated {
        assert!(wanted.remove(name), "{name} is not in the model");
    }
    assert_eq!(table, wanted);
}

#[test]
fn handlers_are_the_names_in_snake_case() {
    for row in table::ALL.iter().copied().flatten() {
        assert_eq!(row.handler, snake_case(row.operation.name));
    }
}
