//! `hippius-agent top --once` against a server behind TLS and basic auth, with openssl's certificates.

mod export_support;

use std::path::Path;
use std::process::{Command, Output};
use std::sync::Arc;

use export_support::{Running, fill, folder, recorder};
use hippius_agent::export::page::Overview;
use hippius_agent::export::server::ServerConfig;
use hippius_agent::record::history::Moment;

const PASSWORD: &str = "pass:wörd";

fn certificate(folder: &Path) {
    let words = "req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 2 -subj /CN=agent \
        -keyout server.key -out server.pem -addext subjectAltName=IP:127.0.0.1 -addext basicConstraints=critical,CA:FALSE";
    let output =
        Command::new("openssl").args(words.split_whitespace()).current_dir(folder).output().expect("openssl runs");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
}

fn top(url: &str, arguments: &[&str], password: Option<&str>) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_hippius-agent"));
    command.args(["top", "--once", "--url", url]).args(arguments).env_remove("HIPPIUS_AGENT_PASSWORD");
    if let Some(password) = password {
        command.env("HIPPIUS_AGENT_PASSWORD", password);
    }
    command.output().expect("the agent's binary runs")
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

#[test]
fn one_table_is_printed_behind_tls_and_a_password() {
    let folder = folder("top");
    certificate(&folder);
    let hash = bcrypt::hash(PASSWORD, 4).expect("a hash");
    let web = format!(
        "tls_server_config:\n  cert_file: server.pem\n  key_file: server.key\nbasic_auth_users:\n  reader: {hash}\n"
    );
    let path = folder.join("web.yml");
    std::fs::write(&path, web).expect("a config");
    let mut recorder = recorder();
    let config = ServerConfig { web_config: Some(path), ..ServerConfig::default() };
    let overview = Arc::new(Overview::default());
    let server = Running::start_with(config, &recorder, Arc::clone(&overview));
    overview.sample(&server.exposition, Moment { unix_s: 0.0, monotonic_ns: 0 });
    fill(&mut recorder, 3);
    overview.sample(&server.exposition, Moment { unix_s: 5.0, monotonic_ns: 5_000_000_000 });

    let url = format!("https://{}", server.address);
    let (ca, secret) = (folder.join("server.pem").display().to_string(), folder.join("password"));
    std::fs::write(&secret, format!("{PASSWORD}\n")).expect("a password");
    let secret = secret.display().to_string();
    let trusted = ["--ca-file", ca.as_str(), "--user", "reader"];
    let by_file = [&trusted[..], &["--password-file", &secret, "--sort", "name"]].concat();
    let shown = top(&url, &by_file, None);
    let table = text(&shown.stdout);
    assert!(shown.status.success(), "{}", text(&shown.stderr));
    let rows: Vec<Vec<&str>> = table.lines().skip(1).map(|line| line.split_whitespace().collect()).collect();
    // Four exchanges, one of them failed; a MiB and a head came in.
    assert_eq!(rows.len(), 3, "{table}");
    assert_eq!(
        rows[0],
        ["5F1", "0.80", "4", "0.20", "1", "205", "KiB", "1.00", "MiB", "40.0", "B", "200", "B"],
        "{table}"
    );
    assert!(top(&url, &trusted, Some(PASSWORD)).status.success(), "the password may stand in the environment");

    for (arguments, password, code, why) in [
        (&trusted[..], Some("wrong-secret"), 1, "401"),
        (&["--ca-file", ca.as_str()], None, 1, "give --user"),
        (&trusted[..], None, 2, "HIPPIUS_AGENT_PASSWORD"),
        (&["--user", "reader"], Some(PASSWORD), 1, "certificate"),
        (&["--ca-file", "/nowhere"], None, 1, "/nowhere"),
    ] {
        let refused = top(&url, arguments, password);
        let said = text(&refused.stderr);
        assert_eq!(refused.status.code(), Some(code), "{said}");
        assert!(said.contains(why) && !said.contains("secret") && !said.contains(PASSWORD), "{said}");
    }
    let plain = top(&url.replace("https", "http"), &[], None);
    assert_eq!(plain.status.code(), Some(1), "{}", text(&plain.stderr));
    std::fs::remove_dir_all(folder).expect("the folder");
}

#[test]
fn without_a_terminal_it_says_what_to_do() {
    let output = Command::new(env!("CARGO_BIN_EXE_hippius-agent")).arg("top").output().expect("the binary runs");
    assert_eq!(output.status.code(), Some(1));
    assert!(text(&output.stderr).contains("--once"), "{}", text(&output.stderr));
    let nobody = top("http://127.0.0.1:1", &[], None);
    assert!(text(&nobody.stderr).contains("no answer from 127.0.0.1:1"), "{}", text(&nobody.stderr));
}
