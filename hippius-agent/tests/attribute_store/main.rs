//! The account store against a real Redis, a real Postgres, and servers that mean no good.

mod servers;

use base64::Engine;
use hippius_agent::attribute::rules::{Profile, RuleSet};
use hippius_agent::attribute::settle::{Settled, settle};
use hippius_agent::attribute::store::{Answered, Asked, Reason, Resolution, Source, Store, StoreConfig};
use hippius_agent::attribute::verdict::Verdict;
use hippius_agent::attribute::{Account, Claim, Credential, Secret};
use hippius_agent::decode::http1::HeadBuffer;
use servers::{Postgres, Redis, fake};
use std::sync::Arc;
use std::time::{Duration, Instant};

const PATIENCE: Duration = Duration::from_secs(60);
const SECOND_NS: u64 = 1_000_000_000;
const SEED_PHRASE: &str = "legal winner thank year wave sausage worth useful legal winner thank yellow";
const SEED_ADDRESS: &str = "5EHgWw2Af1pnoc7f1A8bfmM97W3DAYW8xr82RfhLL9oAabAe";

#[tokio::test]
async fn redis_names_the_account_of_a_hip_key() {
    let redis = Redis::start();
    let long = format!("{{\"valid\":true,\"account_address\":\"{}\"}}", "a".repeat(70_000));
    let entry = |rest: &str| format!("{{\"valid\":true,\"status\":\"active\",\"encrypted_secret\":\"x\",{rest}}}");
    let values = [
        ("hippius_auth:hip_master", entry("\"account_address\":\"5Main\",\"token_type\":\"master\"")),
        ("hippius_auth:hip_sub", entry("\"account_address\":\"5Sub\",\"token_type\":\"sub\"")),
        ("hippius_auth:hip_lone", entry("\"account_address\":\"5Lone\",\"token_type\":\"sub\"")),
        ("hippius_auth:hip_revoked", "{\"valid\":false,\"account_address\":\"5Main\"}".to_owned()),
        ("hippius_auth:hip_json", "{\"valid\":tr".to_owned()),
        ("hippius_auth:hip_shape", "[1,2]".to_owned()),
        ("hippius_auth:hip_label", entry("\"account_address\":\"a\\\"} evil 1\\n\"")),
        ("hippius_auth:hip_nobody", entry("\"account_address\":null")),
        ("hippius_auth:hip_long", long),
        (
            "hippius_subaccount_cache:5Sub",
            "{\"subaccount_id\":\"5Sub\",\"main_account_id\":\"5Main\",\"role\":\"Upload\"}".to_owned(),
        ),
    ];
    for (key, value) in &values {
        redis.command(&["SET", key, value]);
    }
    redis.command(&["LPUSH", "hippius_auth:hip_list", "x"]);
    let mut asker = Asker::new(StoreConfig {
        order: vec![Source::Redis],
        auth_redis: Some(redis.url()),
        accounts_redis: Some(redis.url()),
        ..StoreConfig::default()
    });

    let cases = [
        ("hip_master", known("5Main", "5Main")),
        ("hip_sub", known("5Main", "5Sub")),
        ("hip_lone", known("5Lone", "5Lone")),
        ("hip_revoked", Resolution::Unknown(Reason::NotFound)),
        ("hip_absent", Resolution::Unknown(Reason::NotFound)),
        ("AKIAIOSFODNN7EXAMPLE", Resolution::Unknown(Reason::NotFound)),
        ("hip_json", Resolution::Unknown(Reason::Failed)),
        ("hip_shape", Resolution::Unknown(Reason::Failed)),
        ("hip_label", Resolution::Unknown(Reason::Failed)),
        ("hip_nobody", Resolution::Unknown(Reason::Failed)),
        ("hip_long", Resolution::Unknown(Reason::Failed)),
        ("hip_list", Resolution::Unknown(Reason::Failed)),
        ("hip_master", known("5Main", "5Main")),
    ];
    for (access_key, expected) in cases {
        assert_eq!(asker.ask(access_key).await, expected, "{access_key}");
    }
    assert_eq!(asker.count(Asked::Redis, Answered::Hit), 3);
    assert_eq!(asker.count(Asked::Redis, Answered::Miss), 2);
    assert_eq!(asker.count(Asked::Redis, Answered::Malformed), 6);
    assert_eq!(asker.count(Asked::Memory, Answered::Hit), 1 + 3);
}

#[tokio::test]
async fn a_seed_gives_its_address_and_redis_its_main_account_without_seeing_the_seed() {
    let redis = Redis::start();
    redis.command(&["CONFIG", "SET", "slowlog-log-slower-than", "0"]);
    redis.command(&["CONFIG", "SET", "slowlog-max-len", "10000"]);
    let seed = base64::engine::general_purpose::STANDARD.encode(SEED_PHRASE);
    let mut asker = Asker::new(StoreConfig {
        order: vec![Source::Redis, Source::Derive],
        auth_redis: Some(redis.url()),
        accounts_redis: Some(redis.url()),
        ..StoreConfig::default()
    });
    let sub_key = format!("hippius_subaccount_cache:{SEED_ADDRESS}");
    let main_key = format!("hippius_main_account_credits:{SEED_ADDRESS}");

    // Neither key: the subaccount is known, its main account is not, and is asked for again after a while.
    assert_eq!(asker.ask(&seed).await, known("unknown", SEED_ADDRESS));
    redis.command(&["SET", &main_key, &format!("{{\"main_account_id\":\"{SEED_ADDRESS}\",\"has_credits\":true}}")]);
    assert_eq!(asker.ask(&seed).await, known("unknown", SEED_ADDRESS));
    asker.now_ns += 10 * SECOND_NS;
    assert_eq!(asker.ask_anew(&seed).await, known(SEED_ADDRESS, SEED_ADDRESS));
    redis.command(&["SET", &sub_key, "{\"main_account_id\":\"5Main\"}"]);
    asker.now_ns += 60 * SECOND_NS;
    assert_eq!(asker.ask_anew(&seed).await, known("5Main", SEED_ADDRESS));
    // Half an answer does not replace the whole one.
    redis.command(&["DEL", &sub_key, &main_key]);
    asker.now_ns += 60 * SECOND_NS;
    assert_eq!(asker.ask_anew(&seed).await, known("5Main", SEED_ADDRESS));

    assert_eq!(asker.count(Asked::Derive, Answered::Hit), 1, "the derivation was done once");
    let log = redis.command(&["SLOWLOG", "GET", "-1"]);
    assert!(log.contains("hippius_subaccount_cache") && !log.contains(&seed) && !log.contains("legal"), "{log}");
    for word in ["KEYS", "SCAN", "STRLEN", "HGETALL"] {
        assert!(!log.contains(word), "{word} was sent");
    }
}

#[tokio::test]
async fn a_redis_that_goes_away_fails_soon_and_is_found_again() {
    let mut redis = Redis::start();
    let value = "{\"valid\":true,\"account_address\":\"5Main\"}";
    redis.command(&["SET", "hippius_auth:hip_a", value]);
    let mut asker =
        Asker::new(StoreConfig { order: vec![Source::Redis], auth_redis: Some(redis.url()), ..StoreConfig::default() });
    assert_eq!(asker.ask("hip_a").await, known("5Main", "5Main"));
    redis.stop();
    assert_eq!(asker.ask("hip_b").await, Resolution::Unknown(Reason::Failed));
    redis.run();
    redis.command(&["SET", "hippius_auth:hip_b", value]);
    let deadline = Instant::now() + PATIENCE;
    while asker.ask("hip_b").await != known("5Main", "5Main") {
        assert!(Instant::now() < deadline, "Redis was not found again");
        asker.now_ns += 10 * SECOND_NS;
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

#[tokio::test]
async fn a_restart_between_two_lookups_is_not_noticed() {
    let mut redis = Redis::start();
    let mut asker =
        Asker::new(StoreConfig { order: vec![Source::Redis], auth_redis: Some(redis.url()), ..StoreConfig::default() });
    assert_eq!(asker.ask("hip_a").await, Resolution::Unknown(Reason::NotFound));
    redis.stop();
    redis.run();
    redis.command(&["SET", "hippius_auth:hip_a", "{\"valid\":true,\"account_address\":\"5Main\"}"]);
    asker.now_ns += 10 * SECOND_NS;
    assert_eq!(asker.ask("hip_a").await, known("5Main", "5Main"));
}

#[tokio::test]
async fn hostile_redis_servers_cost_one_lookup_each_and_no_more() {
    // What the server says to GET, whether it then closes, and what that counts as.
    let cases: [(&'static [u8], bool, Answered); 9] = [
        (b"-LOADING Redis is loading the dataset in memory\r\n", false, Answered::Error),
        (b"-NOAUTH Authentication required.\r\n", false, Answered::Error),
        (b"$100\r\n{\"valid\":true,\"acc", true, Answered::Malformed),
        (b"$100\r\n{\"valid\":true,\"acc", false, Answered::Timeout),
        (b":1\r\n", false, Answered::Malformed),
        (b"*2\r\n$1\r\na\r\n$1\r\nb\r\n", false, Answered::Malformed),
        (b"HTTP/1.1 400 Bad Request\r\n\r\n", true, Answered::Malformed),
        (b"$99999999999999999999\r\n", false, Answered::Malformed),
        (b"", true, Answered::Error),
    ];
    for (reply, close, expected) in cases {
        let url = format!("redis://127.0.0.1:{}/", fake(Some(reply), close));
        let mut asker = Asker::new(StoreConfig {
            order: vec![Source::Redis],
            auth_redis: Some(Secret::new(&url)),
            ..StoreConfig::default()
        });
        let reply = String::from_utf8_lossy(reply);
        assert_eq!(asker.ask("hip_a").await, Resolution::Unknown(Reason::Failed), "{reply:?}");
        let snapshot = asker.store.counters().snapshot();
        assert_eq!(snapshot.of(Asked::Redis, expected), 1, "{reply:?}: {:?}", snapshot.results[Asked::Redis as usize]);
    }
}

#[tokio::test]
async fn servers_that_never_answer_are_given_up_in_time() {
    let port = fake(None, false);
    let mut asker = Asker::new(StoreConfig {
        order: vec![Source::Redis, Source::Postgres],
        auth_redis: Some(Secret::new(&format!("redis://127.0.0.1:{port}/"))),
        postgres: Some(Secret::new(&format!("postgres://u@127.0.0.1:{port}/db"))),
        timeout: Duration::from_millis(200),
        ..StoreConfig::default()
    });
    let start = Instant::now();
    assert_eq!(asker.ask("hip_a").await, Resolution::Unknown(Reason::Failed));
    assert_eq!(asker.owner("b").await, Resolution::Unknown(Reason::Failed));
    // A hundred more wait for nothing: both servers are known to be away.
    for n in 0..100 {
        assert_eq!(asker.ask(&format!("hip_{n}")).await, Resolution::Unknown(Reason::Failed));
    }
    assert!(start.elapsed() < PATIENCE / 4, "{:?}", start.elapsed());
    assert!(asker.count(Asked::Redis, Answered::Timeout) >= 1);
    assert!(asker.count(Asked::Postgres, Answered::Timeout) >= 1);
    assert!(asker.count(Asked::Redis, Answered::Timeout) < 50, "the back-off does not work");
}

#[tokio::test]
async fn a_postgres_that_talks_nonsense_is_survived() {
    for reply in [b"HTTP/1.1 400 Bad Request\r\n\r\n".as_slice(), b"R\xff\xff\xff\xff", b"E\0\0\0\x04"] {
        let url = format!("postgres://u@127.0.0.1:{}/db", fake(Some(reply), true));
        let mut asker = Asker::new(StoreConfig {
            order: vec![Source::Postgres],
            postgres: Some(Secret::new(&url)),
            ..StoreConfig::default()
        });
        assert_eq!(asker.owner("b").await, Resolution::Unknown(Reason::Failed), "{reply:?}");
    }
}

#[tokio::test]
async fn postgres_names_the_owner_of_a_bucket_of_2025() {
    let postgres = Postgres::start();
    postgres
        .run(
            "CREATE TABLE buckets (bucket_name text, main_account_id text NOT NULL,
                                   UNIQUE (bucket_name, main_account_id));
             INSERT INTO buckets VALUES ('one', '5Main'), ('two', '5Main'), ('two', '5Other'), ('odd', 'a b'),
                                        ('it''s', '5Quote');",
        )
        .await;
    let mut asker = Asker::of(&postgres);
    let cases = [
        ("one", known_owner("5Main")),
        ("two", Resolution::Unknown(Reason::Ambiguous)),
        ("none", Resolution::Unknown(Reason::NotFound)),
        ("odd", Resolution::Unknown(Reason::Failed)),
        ("it's", known_owner("5Quote")),
        ("'; DROP TABLE buckets; --", Resolution::Unknown(Reason::NotFound)),
        ("nul\0", Resolution::Unknown(Reason::NotFound)),
        ("", Resolution::Unknown(Reason::NotFound)),
    ];
    for (bucket, expected) in cases {
        assert_eq!(asker.owner(bucket).await, expected, "{bucket:?}");
    }
    assert_eq!(asker.count(Asked::Postgres, Answered::Hit), 2);
    assert_eq!(asker.count(Asked::Postgres, Answered::Ambiguous), 1);
    assert_eq!(asker.count(Asked::Postgres, Answered::Malformed), 1);
    // There are no tokens in this generation.
    assert_eq!(asker.ask("hip_token").await, Resolution::Unknown(Reason::NotFound));

    // The claim is accepted and nobody knows the account: the owner of its bucket stands in.
    let claim = Claim::Credential(asker.credential("hip_token"));
    let settled = settle(&mut asker.store, &claim, Verdict::Accepted, Some("one"), asker.now_ns);
    assert_eq!(settled, Settled::Account(Arc::new(Account::new("5Main", "unknown"))));
}

#[tokio::test]
async fn postgres_names_owners_and_tokens_of_2026_and_comes_back_after_a_break() {
    let postgres = Postgres::start();
    postgres
        .run(
            "CREATE TABLE buckets (bucket_name text, main_account_id text NOT NULL, deleted_at timestamptz);
             INSERT INTO buckets VALUES ('one', '5Old', now()), ('one', '5New', NULL), ('gone', '5Old', now());
             CREATE TABLE sub_token_scopes (access_key_id text PRIMARY KEY, account_id text NOT NULL);
             INSERT INTO sub_token_scopes VALUES ('hip_token', '5Main');",
        )
        .await;
    let mut asker = Asker::of(&postgres);
    assert_eq!(asker.owner("one").await, known_owner("5New"));
    assert_eq!(asker.owner("gone").await, Resolution::Unknown(Reason::NotFound));
    assert_eq!(asker.ask("hip_token").await, known("5Main", "5Main"));
    assert_eq!(asker.ask("hip_other").await, Resolution::Unknown(Reason::NotFound));

    // A table that somebody else holds locked: the lookup ends by its time limit, and the next ones work again.
    let mut holder = postgres.client().await;
    let held = holder.transaction().await.expect("a transaction");
    held.batch_execute("LOCK TABLE buckets IN ACCESS EXCLUSIVE MODE").await.expect("the lock");
    assert_eq!(asker.owner("slow").await, Resolution::Unknown(Reason::Failed));
    held.batch_execute("INSERT INTO buckets VALUES ('slow', '5Slow', NULL)").await.expect("a row");
    held.commit().await.expect("the end of the lock");
    asker.until("slow", &known_owner("5Slow")).await;

    postgres
        .run("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'hippius-agent'")
        .await;
    postgres.run("INSERT INTO buckets VALUES ('late', '5Late', NULL)").await;
    asker.until("late", &known_owner("5Late")).await;
}

fn known_owner(main: &str) -> Resolution {
    Resolution::Known { account: Arc::new(Account::new(main, "unknown")), proven: false }
}

fn known(main: &str, sub: &str) -> Resolution {
    Resolution::Known { account: Arc::new(Account::new(main, sub)), proven: true }
}

/// A store with its lookups running, and a clock of its own.
struct Asker {
    store: Store,
    now_ns: u64,
}

impl Asker {
    fn new(config: StoreConfig) -> Self {
        let (store, lookups) = Store::open(&config).expect("a store");
        tokio::spawn(lookups.run());
        Self { store, now_ns: 0 }
    }

    fn of(postgres: &Postgres) -> Self {
        let order = vec![Source::Postgres];
        Self::new(StoreConfig { order, postgres: Some(postgres.url()), ..StoreConfig::default() })
    }

    /// The account of an accepted access key, as soon as there is an answer.
    async fn ask(&mut self, access_key: &str) -> Resolution {
        let credential = self.credential(access_key);
        let first = self.store.resolve_accepted(&credential, self.now_ns);
        self.answered(first, |store, now_ns| store.resolve_accepted(&credential, now_ns)).await
    }

    /// The same where the old answer goes on being given while the new one is awaited.
    async fn ask_anew(&mut self, access_key: &str) -> Resolution {
        let credential = self.credential(access_key);
        self.store.resolve_accepted(&credential, self.now_ns);
        self.answered(Resolution::Pending, |store, now_ns| store.peek(&credential.key, now_ns)).await
    }

    async fn owner(&mut self, bucket: &str) -> Resolution {
        let first = self.store.bucket_owner(bucket, self.now_ns);
        self.answered(first, |store, now_ns| store.bucket_owner(bucket, now_ns)).await
    }

    async fn until(&mut self, bucket: &str, expected: &Resolution) {
        let deadline = Instant::now() + PATIENCE;
        while self.owner(bucket).await != *expected {
            assert!(Instant::now() < deadline, "Postgres was not found again");
            self.now_ns += 10 * SECOND_NS;
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    async fn answered(&mut self, first: Resolution, again: impl Fn(&mut Store, u64) -> Resolution) -> Resolution {
        let deadline = Instant::now() + PATIENCE;
        let mut resolution = first;
        while resolution == Resolution::Pending {
            assert!(Instant::now() < deadline, "no answer");
            tokio::time::sleep(Duration::from_millis(1)).await;
            if self.store.collect(self.now_ns, |_| {}) > 0 {
                resolution = again(&mut self.store, self.now_ns);
            }
        }
        resolution
    }

    fn count(&self, asked: Asked, answered: Answered) -> u64 {
        self.store.counters().snapshot().of(asked, answered)
    }

    /// The credential as it comes from a request's head.
    fn credential(&self, access_key: &str) -> Credential {
        let head = format!("GET / HTTP/1.1\r\nAuthorization: Bearer {access_key}\r\n\r\n");
        let mut buffer = HeadBuffer::default();
        let head = buffer.request(head.as_bytes()).expect("a head");
        match self.store.claim(&RuleSet::new(Profile::Hippius2026, false), &head, self.now_ns) {
            Claim::Credential(credential) => credential,
            other => panic!("not a credential: {other:?}"),
        }
    }
}
