//! Credentials in request heads: what is claimed stands in the head, labels are fit to be labels, and no access key is
//! printed.
#![no_main]

use hippius_agent::attribute::rules::{MAX_ACCESS_KEY_BYTES, Profile, RuleSet};
use hippius_agent::attribute::{Claim, Credential, CredentialHasher, Secret, account_id};
use hippius_agent::decode::http1::{HeadBuffer, RequestHead};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let mut buffer = HeadBuffer::default();
    let Ok(head) = buffer.request(bytes) else { return };
    let hasher = CredentialHasher::with_keys(&[7; 32]);
    for (_, profile) in Profile::NAMES {
        for behind_gateway in [false, true] {
            let rules = RuleSet::new(profile, behind_gateway);
            let claim = rules.claim(&head, &hasher, |_| true);
            check(&claim, &hasher, &head, bytes);
            let without = rules.claim(&head, &hasher, |_| false);
            assert_eq!(redacted(&claim), redacted(&without), "the claim depends on who keeps the secret");
            assert!(!matches!(without, Claim::Credential(Credential { secret: Some(_), .. })), "nobody asked for it");
        }
    }
});

fn check(claim: &Claim, hasher: &CredentialHasher, head: &RequestHead<'_>, bytes: &[u8]) {
    match claim {
        Claim::Credential(Credential { key, secret }) => {
            let secret = secret.as_ref().expect("asked for");
            assert_eq!(*key, hasher.credential(secret.expose()));
            assert_eq!(redacted(claim), format!("Credential(Credential {{ key: {key:?}, secret: None }})"));
            stands_in(secret, head, bytes);
        }
        Claim::Trusted(account) => {
            for label in [&account.main, &account.sub] {
                let is_reserved = matches!(&**label, "public" | "anon" | "unknown");
                assert!(is_reserved || account_id(label.as_bytes()).is_some(), "{label:?} is no label");
            }
        }
        Claim::Anonymous | Claim::Malformed => {}
    }
}

/// How a claim is printed, with the mark of a secret taken out: nothing of its text may remain.
fn redacted(claim: &Claim) -> String {
    format!("{claim:?}").replace("Some([redacted])", "None")
}

fn stands_in(secret: &Secret, head: &RequestHead<'_>, bytes: &[u8]) {
    let text = secret.expose();
    assert!((1..=MAX_ACCESS_KEY_BYTES).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_graphic()));
    let decoded: Vec<u8> = percent_encoding::percent_decode_str(head.target).collect();
    let found = [bytes, &decoded].iter().any(|place| memchr::memmem::find(place, text.as_bytes()).is_some());
    assert!(found, "an access key that is not in the head");
}
