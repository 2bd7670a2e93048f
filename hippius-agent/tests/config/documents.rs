//! The example file and the reference name every key, and what they say holds.

use hippius_agent::config::{Applies, Config, Surroundings, applies, schema};
use std::path::{Path, PathBuf};

const EXAMPLE: &str = "monitoring/hippius-agent.example.toml";

fn workspace(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..").join(path)
}

fn read(path: &str) -> String {
    std::fs::read_to_string(workspace(path)).unwrap()
}

fn load_example() -> Config {
    Config::load(&workspace(EXAMPLE)).unwrap_or_else(|errors| panic!("refused:\n{errors}"))
}

/// Dotted paths of the keys in the example, those that are switched off included.
fn example_keys(text: &str) -> Vec<String> {
    let mut section = "";
    let mut keys = Vec::new();
    for line in text.lines() {
        let setting = line.strip_prefix('#').unwrap_or(line).split_once(" = ");
        if let Some(header) = line.strip_prefix('[') {
            section = header.trim_matches(['[', ']']);
        } else if let Some((key, _)) = setting.filter(|(key, _)| !key.contains(' ')) {
            keys.push(if section.is_empty() { key.to_owned() } else { format!("{section}.{key}") });
        }
    }
    keys
}

#[test]
fn the_example_is_good_and_names_every_key() {
    assert_eq!(load_example().services.len(), 2);
    let keys = example_keys(&read(EXAMPLE));
    for key in schema::value_paths() {
        assert!(keys.contains(&key), "{key} is missing in the example");
    }
    for key in keys {
        assert!(schema::value_paths().any(|known| known == key), "{key} of the example is no key");
    }
}

#[test]
fn what_the_example_calls_a_default_is_one() {
    let default = Config::default();
    let mut example = load_example();
    assert!(!example.capture.discover, "services are named");
    example.capture.discover = true;
    example.services.clear();
    example.clients.clear();
    example.peers.clear();
    example.operations.clear();
    example.redis.clear();
    example.postgres.clear();
    assert_eq!(example, default);
}

/// Each line that is switched off in the example is switched on alone.
#[test]
fn settings_that_are_switched_off_in_the_example_are_good() {
    let folder = std::env::temp_dir().join(format!("hippius-config-example-{}", std::process::id()));
    std::fs::create_dir_all(folder.join("secrets")).unwrap();
    for (file, text) in [
        ("web-config.yml", ""),
        ("accounts.toml", ""),
        ("secrets/redis-auth-url", "redis://127.0.0.1"),
        ("secrets/redis-accounts-url", "redis://127.0.0.1"),
        ("secrets/postgres-url", "postgres://127.0.0.1"),
        ("secrets/redis-main-url", "redis://127.0.0.1"),
        ("secrets/postgres-main-url", "postgres://127.0.0.1"),
        ("secrets/redis-password", "x"),
        ("secrets/postgres-password", "x"),
        ("ca.pem", ""),
        ("agent.pem", ""),
        ("agent.key", ""),
    ] {
        std::fs::write(folder.join(file), text).unwrap();
    }
    let environment = |name: &str| match name {
        "HIPPIUS_POSTGRES_URL" => Some("postgres://127.0.0.1".to_owned()),
        "HIPPIUS_POSTGRES_MAIN_URL" => Some("postgres://127.0.0.1".to_owned()),
        "HIPPIUS_POSTGRES_MAIN_PASSWORD" => Some("x".to_owned()),
        name if name.starts_with("HIPPIUS_REDIS_") => Some("redis://127.0.0.1".to_owned()),
        _ => None,
    };
    let around = Surroundings { folder: &folder, environment: &environment };
    let text = read(EXAMPLE);
    let is_off = |line: &&str| line.starts_with('#') && !line.starts_with("# ") && line.contains(" = ");
    let off: Vec<&str> = text.lines().filter(is_off).collect();
    assert!(off.len() > 10, "{off:?}");
    for line in off {
        let on = switched_on(&text, line);
        assert_ne!(on, text);
        if let Err(errors) = Config::parse(&on, Path::new("example"), &around) {
            panic!("{line}:\n{errors}");
        }
    }
    std::fs::remove_dir_all(&folder).unwrap();
}

/// The example with `line` in force. Of two ways to give an address only one may be, and of a pair none alone.
fn switched_on(text: &str, line: &str) -> String {
    let at = text.find(&format!("\n{line}\n")).expect("a line of it") + 1;
    let (before, rest) = text.split_at(at);
    let (others, section) = before.split_at(before.rfind("\n[").map_or(0, |at| at + 1));
    let section = if line.starts_with("#url_") { section.replace("\nurl = ", "\n#url = ") } else { section.to_owned() };
    let on = format!("{others}{section}{}", rest.replacen('#', "", 1));
    if line.starts_with("#tls_") { on.replace("\n#tls_", "\ntls_") } else { on }
}

#[test]
fn the_reference_names_every_key_and_when_it_applies() {
    let reference = read("docs/configuration.md");
    for key in schema::value_paths() {
        let row = reference.lines().find(|line| line.starts_with('|') && line.contains(&format!("`{key}`")));
        let row = row.unwrap_or_else(|| panic!("{key} has no row in docs/configuration.md"));
        let word = match applies(&key).unwrap_or_else(|| panic!("{key} is compared nowhere")) {
            Applies::Live => "| reload |",
            Applies::Restart => "| restart |",
        };
        assert!(row.contains(word), "{key}: the reference does not say {word}");
    }
}

/// The reference shows what `check` prints for a bad file; it is what it prints.
#[test]
fn the_mistakes_in_the_reference_are_said_like_that() {
    let text = "[capture]\nring_byte = 1\n[[service]]\nname = \"api\"\nprofile = \"s3\"\nports = [\"8110-8100\"]\n";
    let around = Surroundings { folder: Path::new(""), environment: &|_| None };
    let errors = Config::parse(text, Path::new("agent.toml"), &around).unwrap_err().to_string();
    let reference = read("docs/configuration.md");
    for line in errors.lines() {
        assert!(reference.contains(&format!("\nerror: {line}\n")), "the reference does not show:\n{line}");
    }
}
