//! TLS and basic auth by `web.config.file`, with openssl's certificates and curl as the client.

mod export_support;

use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use export_support::{Running, curl, folder, recorder};
use hippius_agent::export::server::ServerConfig;

fn openssl(folder: &Path, arguments: &str) {
    let output = Command::new("openssl").args(arguments.split(' ')).current_dir(folder).output().expect("openssl runs");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
}

/// A CA, a server certificate for 127.0.0.1 and a client certificate.
fn certificates(folder: &Path) {
    let key = "req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 2";
    openssl(folder, &format!("{key} -keyout ca.key -out ca.pem -subj /CN=ca"));
    for (name, extension) in [("server", "subjectAltName=IP:127.0.0.1"), ("client", "subjectAltName=DNS:client")] {
        let signed = format!("-CA ca.pem -CAkey ca.key -addext basicConstraints=CA:FALSE -addext {extension}");
        openssl(folder, &format!("{key} -keyout {name}.key -out {name}.pem -subj /CN={name} {signed}"));
    }
}

fn wait(what: &str, mut condition: impl FnMut() -> bool) {
    let deadline = Instant::now() + Duration::from_secs(15);
    while !condition() {
        assert!(Instant::now() < deadline, "{what}");
        std::thread::sleep(Duration::from_millis(20));
    }
}

#[test]
fn tls_basic_auth_and_headers_are_served_and_read_again() {
    let folder = folder("web");
    certificates(&folder);
    let path = folder.join("web.yml");
    let users = |password: &str| {
        let hash = bcrypt::hash(password, 4).expect("a hash");
        format!("basic_auth_users:\n  prometheus: {hash}\n")
    };
    let tls = "tls_server_config:\n  cert_file: server.pem\n  key_file: server.key\n  min_version: TLS13\n\
        http_server_config:\n  headers:\n    X-Frame-Options: deny\n";
    std::fs::write(&path, format!("{tls}{}", users("first"))).expect("a config");
    let config = ServerConfig { web_config: Some(path.clone()), ..ServerConfig::default() };
    let server = Running::start(config, &recorder());
    let url = format!("https://{}/healthz", server.address);
    let ca = folder.join("ca.pem").display().to_string();
    let get = |more: &[&str]| curl(&[&["-i", "--cacert", ca.as_str(), url.as_str()], more].concat());

    let refused = get(&[]);
    assert!(refused.starts_with("HTTP/1.1 401") && refused.contains("www-authenticate: Basic"), "{refused}");
    assert!(refused.contains("x-frame-options: deny"), "{refused}");
    assert!(get(&["-u", "prometheus:wrong"]).starts_with("HTTP/1.1 401"));
    assert!(get(&["-u", "prometheus:first"]).starts_with("HTTP/1.1 200"));
    assert_eq!(get(&["-u", "prometheus:first", "--tls-max", "1.2"]), "", "TLS 1.2 is not offered");
    assert_eq!(curl(&[&url.replace("https", "http")]), "", "plain text is not served");

    std::fs::write(&path, format!("{tls}{}", users("second"))).expect("a config");
    wait("the new password is read", || get(&["-u", "prometheus:second"]).starts_with("HTTP/1.1 200"));
    assert!(get(&["-u", "prometheus:first"]).starts_with("HTTP/1.1 401"));

    std::fs::write(&path, "basic_auth_user: {}\n").expect("a config");
    let reloads = &server.exposition.agent().config_reloads;
    wait("the bad file is noticed", || reloads.with_label_values(&["failure"]).get() == 1);
    assert!(get(&["-u", "prometheus:second"]).starts_with("HTTP/1.1 200"), "the old config stays");

    let mutual = "  client_auth_type: RequireAndVerifyClientCert\n  client_ca_file: ca.pem\n";
    let tls = "tls_server_config:\n  cert_file: server.pem\n  key_file: server.key\n";
    std::fs::write(&path, format!("{tls}{mutual}")).expect("a config");
    let (cert, key) =
        (folder.join("client.pem").display().to_string(), folder.join("client.key").display().to_string());
    wait("a client certificate is enough", || get(&["--cert", &cert, "--key", &key]).starts_with("HTTP/1.1 200"));
    assert_eq!(get(&[]), "", "no certificate, no answer");
    assert_eq!(reloads.with_label_values(&["failure"]).get(), 1);
    drop(server);
    std::fs::remove_dir_all(folder).expect("the folder");
}
