//! Configuration files: what is refused and with which words, what the defaults are, and that the example file and
//! the reference name every key.

use hippius_agent::config::{
    Backend, Candidate, Config, Ports, Profile, QueryParameter, SecretUrl, Segment, Source, Surroundings, diff,
};
use std::path::Path;
use std::time::Duration;

#[path = "config/documents.rs"]
mod documents;
#[path = "config/refused.rs"]
mod refused;

fn environment(name: &str) -> Option<String> {
    match name {
        "REDIS" => Some("redis://user:geheim@redis.example.com:6379/0".to_owned()),
        "WRONG" => Some("http://user:geheim@example.com".to_owned()),
        _ => None,
    }
}

fn parse(text: &str) -> Result<Config, String> {
    let around = Surroundings { folder: Path::new("/etc"), environment: &environment };
    Config::parse(text, Path::new("agent.toml"), &around).map_err(|errors| errors.to_string())
}

fn accepted(text: &str) -> Config {
    parse(text).unwrap_or_else(|errors| panic!("refused:\n{errors}"))
}

#[test]
fn no_file_and_an_empty_one_mean_the_defaults() {
    let config = Config::default();
    assert_eq!(accepted(""), config);
    assert_eq!(accepted("[capture]\n[labels]\n[attribution]\n[attribution.redis]\n"), config);
    assert_eq!(config.listen.to_string(), "127.0.0.1:10187");
    assert_eq!(config.capture.ring_bytes, 4 << 20);
    assert_eq!(config.capture.backend, Backend::Auto);
    assert!(config.capture.discover);
    assert_eq!(config.labels.max_series, 100_000);
    assert_eq!(config.attribution.order, [Source::Static, Source::Redis, Source::Postgres, Source::Derive]);
    assert_eq!(config.attribution.wait, Duration::from_millis(500));
}

#[test]
fn a_named_service_ends_discovery_unless_asked_for() {
    let service = "[[service]]\nname = \"api\"\nports = [8000]\n";
    assert!(!accepted(service).capture.discover);
    assert!(accepted(&format!("capture.discover = true\n{service}")).capture.discover);
}

#[test]
fn profiles_decide_who_is_trusted_and_who_counts() {
    let service = |name: &str, port: u16, profile: &str| {
        format!("[[service]]\nname = \"{name}\"\nports = [{port}]\nprofile = \"{profile}\"\n")
    };
    // (behind_gateway, client_facing) of each service
    let flags = |text: &str| -> Vec<(bool, bool)> {
        accepted(text).services.iter().map(|service| (service.behind_gateway, service.client_facing)).collect()
    };
    assert_eq!(flags("[[service]]\nname = \"a\"\nports = [1]\n"), [(false, true)]);
    assert_eq!(flags(&service("a", 1, "http")), [(false, true)]);
    assert_eq!(flags(&service("a", 1, "s3")), [(false, true)]);
    assert_eq!(flags(&service("a", 1, "hippius-2025")), [(false, true)]);
    assert_eq!(flags(&service("a", 1, "hippius-2026")), [(true, true)]);
    assert_eq!(flags(&service("a", 1, "hippius-2026-gateway")), [(false, true)]);
    let both = service("api", 1, "hippius-2026") + &service("gateway", 2, "hippius-2026-gateway");
    assert_eq!(flags(&both), [(true, false), (false, true)]);
    let forced = service("api", 1, "hippius-2026") + "behind_gateway = false\nclient_facing = true\n";
    assert_eq!(flags(&(forced + &service("gateway", 2, "hippius-2026-gateway"))), [(false, true), (false, true)]);
}

#[test]
fn a_whole_service() {
    let config = accepted(
        r#"
        [[operation]]
        name = "share"
        path = "/share/{rest*}"
        [[service]]
        name = "api"
        ports = [8000, "8100-8110"]
        process = "uvicorn"
        profile = "s3"
        virtual_hosts = ["S3.example.com"]
        [[service.operation]]
        name = "usage"
        method = "GET"
        path = "/user/{name}/x"
        query = "uploads&list-type=2"
        s3 = true
        "#,
    );
    let service = config.services.first().unwrap();
    assert_eq!(service.profile, Profile::S3);
    assert_eq!(service.ports, Ports::from_iter([8000..=8000, 8100..=8110]));
    assert_eq!(service.virtual_hosts, [Box::<str>::from("s3.example.com")]);
    let operations: Vec<_> = config.operations_of(service).collect();
    let [own, shared] = operations.as_slice() else { panic!("{operations:?}") };
    assert_eq!((&*own.name, own.method.as_deref(), own.s3), ("usage", Some("GET"), true));
    assert_eq!(own.path.segments, [Segment::Literal("user".into()), Segment::One, Segment::Literal("x".into())]);
    let parameter =
        |name: &str, value: Option<&str>| QueryParameter { name: name.into(), value: value.map(Into::into) };
    assert_eq!(own.query, [parameter("uploads", None), parameter("list-type", Some("2"))]);
    assert_eq!((&*shared.name, shared.method.as_deref(), shared.s3), ("share", None, false));
    assert_eq!(shared.path.segments, [Segment::Literal("share".into()), Segment::Rest]);

    let name_of = |port, comm| owner(&config, Candidate { port, comm, ..Candidate::default() });
    assert_eq!(name_of(8105, Some("uvicorn")), Some("api"));
    assert_eq!(name_of(8105, Some("nginx")), None);
    assert_eq!(name_of(8105, None), None);
    assert_eq!(name_of(8111, Some("uvicorn")), None);
}

#[test]
fn two_containers_may_use_one_port() {
    let service = |name, process| format!("[[service]]\nname = \"{name}\"\nports = [80]\nprocess = \"{process}\"\n");
    let config = accepted(&(service("web", "nginx") + &service("api", "uvicorn")));
    let name_of = |port, comm| owner(&config, Candidate { port, comm, ..Candidate::default() });
    assert_eq!(name_of(80, Some("uvicorn")), Some("api"));
    assert_eq!(name_of(80, Some("nginx")), Some("web"));
}

fn owner<'c>(config: &'c Config, candidate: Candidate<'_>) -> Option<&'c str> {
    config.service_of(&candidate).map(|service| &*service.name)
}

#[test]
fn a_service_may_be_named_by_its_container_alone() {
    let config = accepted(
        "[[service]]\nname = \"api\"\ncontainer = \"api*\"\nnamespace = \"s3\"\n\
         [[service]]\nname = \"gateway\"\nports = [80]\npod = \"gateway-*\"\n\
         [[service]]\nname = \"other\"\nports = [80]\npod = \"other-*\"\n",
    );
    let within = |port, container, pod, namespace| {
        let candidate = Candidate { port, container, pod, namespace, ..Candidate::default() };
        owner(&config, candidate)
    };
    assert_eq!(within(9, Some("api-1"), Some("x"), Some("s3")), Some("api"));
    assert_eq!(within(9, Some("api-1"), Some("x"), Some("default")), None);
    assert_eq!(within(80, Some("main"), Some("gateway-7d"), Some("s3")), Some("gateway"));
    assert_eq!(within(80, Some("main"), Some("other-7d"), Some("s3")), Some("other"));
    assert_eq!(within(80, None, None, None), None);
}

#[test]
fn addresses_come_from_the_file_the_environment_or_another_file() {
    let secret = std::env::temp_dir().join(format!("hippius-config-secret-{}", std::process::id()));
    std::fs::write(&secret, "postgres://user:geheim@db.example.com/hippius\n").unwrap();
    let config = accepted(&format!(
        "[attribution.redis]\nauth_url = \"redis://127.0.0.1\"\naccounts_url_env = \"REDIS\"\n\
         [attribution.postgres]\nurl_file = {secret:?}\n",
    ));
    std::fs::remove_file(&secret).unwrap();
    let attribution = &config.attribution;
    let exposed = |url: &Option<SecretUrl>| url.as_ref().map(|url| url.expose().to_owned());
    assert_eq!(exposed(&attribution.redis_auth).as_deref(), Some("redis://127.0.0.1"));
    assert_eq!(exposed(&attribution.redis_accounts), environment("REDIS"));
    assert_eq!(exposed(&attribution.postgres).as_deref(), Some("postgres://user:geheim@db.example.com/hippius"));
    assert!(!format!("{config:?} {config:#?}").contains("geheim"));
}

#[test]
fn a_file_that_is_not_there() {
    let errors = Config::load(Path::new("/nonexistent/agent.toml")).unwrap_err();
    assert_eq!(
        errors.to_string(),
        "/nonexistent/agent.toml: cannot read the configuration: No such file or directory (os error 2)"
    );
}

#[test]
fn log_filters_keep_libraries_quiet() {
    for (log, directives) in [
        ("debug", "warn,hippius_agent=debug,hippius_ebpf=debug"),
        ("off", "off,hippius_agent=off,hippius_ebpf=off"),
        ("warn, hippius_agent::poll=trace", "warn,hippius_agent=warn,hippius_ebpf=warn,hippius_agent::poll=trace"),
    ] {
        assert_eq!(accepted(&format!("log = {log:?}")).log.as_directives(), directives);
    }
}

#[test]
fn changes_are_told_apart() {
    let old = accepted("");
    assert!(diff(&old, &old).is_empty());
    let new = accepted(
        "listen = \"127.0.0.1:1\"\nlog = \"warn\"\n[capture]\nring_bytes = 262144\nbackend = \"fentry\"\n\
         [labels]\nmax_series = 1000\n[attribution]\nwait_ms = 1\n[[service]]\nname = \"a\"\nports = [1]\n",
    );
    let changes = diff(&old, &new);
    assert_eq!(changes.restart, ["listen", "capture.ring_bytes", "capture.backend"]);
    assert_eq!(changes.live, ["log", "capture.discover", "labels", "service", "attribution"]);
}

proptest::proptest! {
    #[test]
    fn no_text_makes_it_panic(characters in proptest::collection::vec(proptest::prelude::any::<char>(), 0..200)) {
        let _ = parse(&characters.into_iter().collect::<String>());
    }

    /// Half a file, and a file with a piece cut out, as an editor or a full disk may leave it.
    #[test]
    fn no_damage_makes_it_panic(from in 0_usize..6000, length in 0_usize..200) {
        let mut text = include_str!("../../monitoring/hippius-agent.example.toml").to_owned();
        let from = from.min(text.len());
        let to = (from + length).min(text.len());
        if text.is_char_boundary(from) && text.is_char_boundary(to) {
            text.replace_range(from..to, "");
        }
        let _ = parse(&text);
    }
}
