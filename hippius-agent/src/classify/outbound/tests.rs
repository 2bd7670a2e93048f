use super::*;
use crate::decode::http1::HeadBuffer;

const V0: &str = "QmYwAPJzv5CZsnA625s3Xf2nemtYgPpHdWEz79ojWKPbdG";
const V1: &str = "bafybeigdyrzt5sfp7udm7hu76uh7y26nf3efuylqabf3oclgtqy55fbzdi";

/// As HIPPIUS' pinner and downloader send them, and others.
#[test]
fn a_kubo_peer_is_read_by_its_endpoints() {
    let kubo = CallClassifier::plain(PeerProfile::Kubo);
    for (method, target, operation) in [
        ("POST", "/api/v0/add?wrap-with-directory=false&cid-version=1", Some("add")),
        ("POST", "/api/v0/pin/add?arg=x", Some("pin")),
        ("POST", "/api/v0/pin/rm?arg=x", Some("unpin")),
        ("POST", "/api/v0/pin/ls", Some("pin_ls")),
        ("POST", "/api/v0/block/put/", Some("block_put")),
        ("POST", "/api/v0/object/patch/add-link", Some("object_patch_add_link")),
        ("GET", "/api/v0/id", Some("id")),
        ("POST", "/api/v0/made/up", Some("other")),
        ("POST", "/api/v0/", Some("other")),
        ("GET", "/ipfs/anything", Some("get")),
        ("GET", "/webui", None),
        ("OPTIONS", "*", None),
    ] {
        assert_eq!(kubo.operation(method, target), operation, "{method} {target}");
    }
}

#[test]
fn of_an_unknown_peer_only_what_is_hardly_anything_else_is_ipfs() {
    let unknown = CallClassifier::default();
    let call = |method: &str, target: &str| unknown.operation(method, target);
    assert_eq!(call("POST", "/api/v0/pin/add?arg=x"), Some("pin"));
    assert_eq!(call("POST", "http://node:5001/api/v0/cat?arg=x"), Some("cat"));
    assert_eq!(call("GET", "/api/v0/cat?arg=x"), None, "kubo takes POST only");
    assert_eq!(call("POST", "/api/v0/orders"), None, "many an API is at its version 0");
    for root in [V0, V1] {
        assert_eq!(call("GET", &format!("/ipfs/{root}")), Some("get"));
        assert_eq!(call("HEAD", &format!("/ipfs/{root}/a/b?format=raw")), Some("get"));
        assert_eq!(call("PUT", &format!("/ipfs/{root}")), None);
        assert_eq!(call("GET", &format!("/other/{root}")), None);
    }
    assert_eq!(call("GET", "/ipns/docs.ipfs.tech/install"), Some("get"));
    for path in ["/ipfs/", "/ipfs", "/ipfs/readme", "/ipns/", "/ipns/name", "/", "/ipfs//x"] {
        assert_eq!(call("GET", path), None, "{path}");
    }
}

#[test]
fn other_profiles_know_their_own_and_plain_http_knows_nothing() {
    let gateway = CallClassifier::plain(PeerProfile::IpfsGateway);
    assert_eq!(gateway.operation("GET", "/file-of-a-subdomain"), Some("get"));
    assert_eq!(gateway.operation("POST", "/ipfs/x"), None);
    let arion = CallClassifier::plain(PeerProfile::Arion);
    for (method, target, operation) in [
        ("POST", "/upload", Some("upload")),
        ("POST", "/can_upload", Some("can_upload")),
        ("GET", "/download/5Grw/abc", Some("download")),
        ("DELETE", "/delete/5Grw/abc", Some("delete")),
        ("POST", "/delete_files", Some("delete_files")),
        ("GET", "/download/5Grw", None),
        ("GET", "/upload", None),
    ] {
        assert_eq!(arion.operation(method, target), operation, "{method} {target}");
    }
    assert_eq!(CallClassifier::plain(PeerProfile::Http).operation("POST", "/api/v0/add"), None);
    for (method, target, account) in [
        ("GET", "/download/5Grw/abc?x=/y", Some("5Grw")),
        ("DELETE", "/delete//5Grw/abc", Some("5Grw")),
        ("GET", "http://arion/download/5Grw/abc", Some("5Grw")),
        ("POST", "/upload", None),
        ("GET", "/files/5Grw/abc", None),
    ] {
        assert_eq!(arion.account(method, target), account, "{method} {target}");
        assert_eq!(CallClassifier::plain(PeerProfile::Kubo).account(method, target), None);
    }
}

#[test]
fn calls_of_s3_have_the_names_of_operations_and_are_none_of_ipfs() {
    let mut room = HeadBuffer::default();
    let head = room.request(b"GET /bucket/key HTTP/1.1\r\nHost: s3\r\n\r\n").expect("a head");
    for profile in [PeerProfile::S3, PeerProfile::Hippius2026] {
        let s3 = CallClassifier::plain(profile);
        assert_eq!((s3.s3(&head), s3.operation("GET", "/bucket/key")), (Some("GetObject"), None));
    }
    assert_eq!(CallClassifier::plain(PeerProfile::Http).s3(&head), None);
}

#[test]
fn operations_of_the_configuration_come_first() {
    let rule = |path: &str, name: &str| RouteRule { path: path.into(), name: name.into(), ..RouteRule::default() };
    let rules = [rule("/v1/pins/{id}", "pin_status"), rule("/upload", "put_file")];
    let arion = CallClassifier::new(PeerProfile::Arion, &rules).expect("good rules");
    assert_eq!(arion.operation("GET", "/v1/pins/7"), Some("pin_status"));
    assert_eq!(arion.operation("POST", "/upload"), Some("put_file"));
    assert_eq!(arion.operation("POST", "/delete_files"), Some("delete_files"));
    assert!(CallClassifier::new(PeerProfile::Http, &[rule("no-path", "x")]).is_err());
}
