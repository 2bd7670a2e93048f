use super::static_file::StaticAccounts;
use super::*;
use crate::attribute::rules::Profile;
use crate::attribute::settle::{Settled, early, settle};
use crate::attribute::verdict::Verdict;
use crate::attribute::{PUBLIC, Secret, UNAUTHENTICATED, UNKNOWN};
use crate::decode::http1::HeadBuffer;
use base64::Engine;
use std::path::PathBuf;

const SECOND_NS: u64 = 1_000_000_000;
const PHRASE: &str = "bottom drive obey lake curtain smoke basket hold race lonely fit walk";
const ADDRESS: &str = "5DfhGyQdFobKM8NsWvEeAKk5EQQgYe9AydgJ7rMB6E1EqRzV";

fn seed_key() -> String {
    base64::engine::general_purpose::STANDARD.encode(PHRASE)
}

fn credential(store: &Store, access_key: &str) -> Credential {
    Credential { key: store.hasher.credential(access_key), secret: Some(Secret::new(access_key)) }
}

fn open(order: &[Source]) -> (Store, Lookups) {
    Store::open(&StoreConfig { order: order.to_vec(), ..StoreConfig::default() }).expect("a store")
}

/// Waits for `count` answers.
async fn collect(store: &mut Store, now_ns: u64, count: usize) {
    let deadline = Instant::now() + Duration::from_secs(20);
    let mut collected = 0;
    while collected < count {
        assert!(Instant::now() < deadline, "no answer");
        collected += store.collect(now_ns, |_| {});
        tokio::task::yield_now().await;
    }
}

/// A store that knows `hip_x` as the account `main` from a file.
fn open_with_file(name: &str, main: &str) -> (Store, Lookups) {
    let (path, config) = file(name, main);
    let opened = Store::open(&config).expect("a store");
    std::fs::remove_file(path).expect("the file is there");
    opened
}

fn file(name: &str, main: &str) -> (PathBuf, StoreConfig) {
    let path = std::env::temp_dir().join(format!("hippius-{}-{name}.toml", std::process::id()));
    let text = format!("[[account]]\naccess_key = \"hip_x\"\nmain_account = \"{main}\"\n");
    std::fs::write(&path, text).expect("a file in the temporary folder");
    let order = vec![Source::StaticFile];
    (path.clone(), StoreConfig { order, static_file: Some(path), ..StoreConfig::default() })
}

fn claim_of(store: &Store, head: &str, now_ns: u64) -> Claim {
    let mut buffer = HeadBuffer::default();
    let head = buffer.request(head.as_bytes()).expect("a head");
    store.claim(&RuleSet::new(Profile::Hippius2025, false), &head, now_ns)
}

fn sigv4_head(access_key: &str) -> String {
    format!(
        "PUT /b/k HTTP/1.1\r\nAuthorization: AWS4-HMAC-SHA256 Credential={access_key}/20250901/decentralized/s3/\
         aws4_request, SignedHeaders=host, Signature=00\r\n\r\n"
    )
}

#[tokio::test]
async fn only_an_accepted_credential_is_derived() {
    let (mut store, lookups) = open(&[Source::Derive]);
    tokio::spawn(lookups.run());
    let credential = credential(&store, &seed_key());
    let counters = store.counters();

    assert_eq!(store.peek(&credential.key, 0), Resolution::Unknown(Reason::NeverAsked));
    assert_eq!(store.resolve(&credential, 0), Resolution::Pending);
    collect(&mut store, 0, 1).await;
    assert_eq!(store.resolve(&credential, 0), Resolution::Unknown(Reason::NotFound));
    assert_eq!(counters.snapshot().of(Asked::Derive, Answered::Hit), 0);

    assert_eq!(store.resolve_accepted(&credential, 1), Resolution::Pending);
    collect(&mut store, 1, 1).await;
    let account = Arc::new(Account::new("unknown", ADDRESS));
    assert_eq!(store.peek(&credential.key, 1), Resolution::Known { account: account.clone(), proven: true });
    assert_eq!(counters.snapshot().of(Asked::Derive, Answered::Hit), 1);

    // The main account is still to be found, so it is asked for again, without the key and without deriving.
    let without_secret = Credential { secret: None, ..credential };
    assert_eq!(store.resolve_accepted(&without_secret, 11 * SECOND_NS), Resolution::Known { account, proven: true });
    collect(&mut store, 11 * SECOND_NS, 1).await;
    assert_eq!(counters.snapshot().of(Asked::Derive, Answered::Hit), 1);
    assert_eq!(counters.snapshot().of(Asked::Memory, Answered::Stale), 1);
}

#[tokio::test]
async fn an_acceptance_during_a_cheap_lookup_is_not_lost_to_its_answer() {
    let (mut store, lookups) = open(&[Source::Derive]);
    let credential = credential(&store, &seed_key());
    assert_eq!(store.resolve(&credential, 0), Resolution::Pending);
    assert_eq!(store.resolve_accepted(&credential, 0), Resolution::Pending);
    assert_eq!(store.resolve_accepted(&credential, 0), Resolution::Pending);
    tokio::spawn(lookups.run());
    collect(&mut store, 0, 2).await;
    assert!(matches!(store.peek(&credential.key, 0), Resolution::Known { proven: true, .. }));
}

#[tokio::test]
async fn what_is_not_found_is_believed_for_its_time_and_then_asked_again() {
    let (mut store, lookups) = open(&[Source::Derive]);
    tokio::spawn(lookups.run());
    let credential = credential(&store, "hip_unheard_of");
    assert_eq!(store.resolve_accepted(&credential, 0), Resolution::Pending);
    collect(&mut store, 0, 1).await;
    assert_eq!(store.resolve_accepted(&credential, 9 * SECOND_NS), Resolution::Unknown(Reason::NotFound));
    assert_eq!(store.resolve_accepted(&credential, 10 * SECOND_NS), Resolution::Pending);
}

#[tokio::test]
async fn a_known_account_outlives_lookups_that_find_nothing_but_not_for_ever() {
    let (mut store, lookups) = open_with_file("stale", "team");
    tokio::spawn(lookups.run());
    let credential = credential(&store, "hip_x");
    store.resolve_accepted(&credential, 0);
    collect(&mut store, 0, 1).await;
    let known = store.peek(&credential.key, 0);
    assert!(matches!(known, Resolution::Known { .. }));

    let lost = Answer { key: credential.key, scope: Scope::Accepted, found: Err(Reason::Failed), derived: None };
    store.take_up(lost, 100 * SECOND_NS);
    assert_eq!(store.peek(&credential.key, 3_599 * SECOND_NS), known);
    assert_eq!(store.peek(&credential.key, 3_600 * SECOND_NS), Resolution::Unknown(Reason::Failed));
}

#[test]
fn a_full_queue_is_counted_and_never_waited_for() {
    let config = StoreConfig { queue: 2, order: vec![Source::Derive], ..StoreConfig::default() };
    let (mut store, _lookups) = Store::open(&config).expect("a store");
    for n in 0..5 {
        let credential = credential(&store, &format!("hip_{n}"));
        let expected = if n < 2 { Resolution::Pending } else { Resolution::Unknown(Reason::QueueFull) };
        assert_eq!(store.resolve(&credential, 0), expected);
    }
    assert_eq!(store.counters().snapshot().of(Asked::Memory, Answered::QueueFull), 3);
}

#[test]
fn a_lookup_that_never_comes_back_is_asked_for_again() {
    let (mut store, _lookups) = open(&[Source::Derive]);
    let credential = credential(&store, "hip_lost");
    store.resolve(&credential, 0);
    assert_eq!(store.resolve(&credential, LOST_AFTER_NS - 1), Resolution::Pending);
    assert_eq!(store.counters().snapshot().of(Asked::Memory, Answered::Miss), 1);
    store.resolve(&credential, LOST_AFTER_NS);
    assert_eq!(store.counters().snapshot().of(Asked::Memory, Answered::Miss), 2);
}

#[tokio::test]
async fn another_configuration_takes_over_or_leaves_all_as_it_was() {
    let (mut store, lookups) = open_with_file("before", "team");
    tokio::spawn(lookups.run());
    let credential = credential(&store, "hip_x");
    store.resolve_accepted(&credential, 0);
    collect(&mut store, 0, 1).await;
    let known = |main: &str| Resolution::Known { account: Arc::new(Account::new(main, main)), proven: true };
    assert_eq!(store.peek(&credential.key, 0), known("team"));

    assert!(store.reopen(&StoreConfig { order: vec![Source::Redis], ..StoreConfig::default() }).is_err());
    assert_eq!(store.peek(&credential.key, 0), known("team"));

    let (path, config) = file("after", "club");
    tokio::spawn(store.reopen(&config).expect("a good configuration").run());
    std::fs::remove_file(path).expect("the file is there");
    assert_eq!(store.resolve_accepted(&credential, 1), Resolution::Pending);
    collect(&mut store, 1, 1).await;
    assert_eq!(store.peek(&credential.key, 1), known("club"));
}

#[tokio::test]
async fn an_exchange_lands_on_its_account_only_when_the_server_said_yes() {
    let (mut store, lookups) = open_with_file("settle", "team");
    tokio::spawn(lookups.run());
    let team = Arc::new(Account::new("team", "team"));
    let on = |account: &Arc<Account>| Settled::Account(account.clone());
    let head = sigv4_head("hip_x");
    let claim = claim_of(&store, &head, 0);

    assert_eq!(settle(&mut store, &claim, Verdict::Refused, None, 0), on(&UNAUTHENTICATED));
    assert_eq!(settle(&mut store, &claim, Verdict::Undecided, None, 0), on(&UNKNOWN));
    assert_eq!(early(&mut store, &claim, 0), None);
    assert_eq!(settle(&mut store, &claim, Verdict::Accepted, Some("b"), 0), Settled::Pending);
    collect(&mut store, 0, 1).await;
    assert_eq!(settle(&mut store, &claim, Verdict::Accepted, Some("b"), 0), on(&team));

    // From here on the access key is not kept any more, and bytes may be counted early.
    let again = claim_of(&store, &head, 1);
    assert!(matches!(again, Claim::Credential(Credential { secret: None, .. })));
    assert_eq!(early(&mut store, &again, 1), Some(team.clone()));
    assert_eq!(settle(&mut store, &again, Verdict::Undecided, None, 1), on(&team));

    // Somebody forges a request in the team's name: it is not the team's, and nothing is early until the next yes.
    assert_eq!(settle(&mut store, &again, Verdict::Refused, None, 2), on(&UNAUTHENTICATED));
    assert_eq!(early(&mut store, &again, 2), None);
    assert_eq!(settle(&mut store, &again, Verdict::Undecided, None, 2), on(&UNKNOWN));
    assert_eq!(settle(&mut store, &again, Verdict::Accepted, None, 2), on(&team));
    assert_eq!(early(&mut store, &again, 2), Some(team));
}

#[test]
fn requests_without_a_credential_have_special_accounts() {
    let (mut store, _lookups) = open(&[]);
    let trusted = Arc::new(Account::new("5Main", "5Sub"));
    let cases = [
        (Claim::Anonymous, Verdict::Accepted, &*PUBLIC),
        (Claim::Anonymous, Verdict::Undecided, &*PUBLIC),
        (Claim::Anonymous, Verdict::Refused, &*UNAUTHENTICATED),
        (Claim::Malformed, Verdict::Accepted, &*UNKNOWN),
        (Claim::Malformed, Verdict::Undecided, &*UNKNOWN),
        (Claim::Malformed, Verdict::Refused, &*UNAUTHENTICATED),
        (Claim::Trusted(trusted.clone()), Verdict::Refused, &trusted),
    ];
    for (claim, verdict, expected) in cases {
        let settled = settle(&mut store, &claim, verdict, Some("b"), 0);
        assert_eq!(settled, Settled::Account(expected.clone()), "{claim:?} {verdict:?}");
    }
}

#[test]
fn a_source_without_its_address_is_refused_and_no_url_is_repeated() {
    let url = || Some(Secret::new("redis//:hidden@"));
    let cases = [
        (StoreConfig { order: vec![Source::StaticFile], ..StoreConfig::default() }, "static_file"),
        (StoreConfig { order: vec![Source::Redis], ..StoreConfig::default() }, "redis"),
        (StoreConfig { order: vec![Source::Postgres], ..StoreConfig::default() }, "postgres"),
        (StoreConfig { auth_redis: url(), ..StoreConfig::default() }, "Redis URL for access keys"),
        (StoreConfig { accounts_redis: url(), ..StoreConfig::default() }, "Redis URL for accounts"),
        (StoreConfig { order: vec![Source::Postgres], postgres: url(), ..StoreConfig::default() }, "Postgres URL"),
    ];
    for (config, expected) in cases {
        let error = Store::open(&config).err().expect("an error");
        let text = format!("{error} {error:?} {config:?}");
        assert!(error.to_string().contains(expected) && !text.contains("hidden"), "{text}");
    }
}

#[tokio::test]
async fn nothing_that_is_printed_shows_a_secret() {
    let (mut store, lookups) = open(&[Source::Derive]);
    let key = seed_key();
    let mut printed = format!("{:?} {:#?}", claim_of(&store, &sigv4_head(&key), 0), Secret::new(&key));
    let one = credential(&store, &key);
    let resolution = store.resolve_accepted(&one, 0);
    printed += &format!("{one:?} {:?} {resolution:?}", store.hasher);
    let job = Job {
        key: one.key,
        subject: Subject::AccessKey(Secret::new(&key)),
        scope: Scope::Accepted,
        asked_at: Instant::now(),
    };
    printed += &format!("{job:?} {store:?}");
    tokio::spawn(lookups.run());
    collect(&mut store, 0, 1).await;
    printed += &format!("{store:?} {:?} {:?}", store.peek(&one.key, 0), store.counters().snapshot());
    let damaged = Secret::new(&key[..key.len() - 8]);
    printed += &format!("{:?}", crate::attribute::derive::address(&damaged));
    let text = format!("[[account]]\naccess_key = {key}\n");
    printed += &format!("{:?}", StaticAccounts::parse(&text, "f"));
    let text = format!("[[account]]\naccess_key = \"{key}\"\nmain_account = \"{key}\"\n\"{key}\" = 1\n[\"{key}\"]\n");
    printed += &format!("{:?}", StaticAccounts::parse(&text, "f"));

    assert!(printed.contains("[redacted]") && printed.contains(ADDRESS), "{printed}");
    assert!(!printed.contains(&key), "the access key was printed");
    assert!(!printed.contains(key.trim_end_matches('=')), "the access key was printed");
    assert!(!printed.contains(PHRASE), "the phrase was printed");
    for word in PHRASE.split(' ').filter(|word| !matches!(*word, "hold" | "fit" | "race" | "walk" | "drive")) {
        assert!(!printed.contains(word), "a word of the phrase was printed: {word}");
    }
}
