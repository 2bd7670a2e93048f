//! The file of static accounts: errors name a line and nothing of the text, which may hold access keys.
#![no_main]

use hippius_agent::attribute::store::static_file::StaticAccounts;
use libfuzzer_sys::fuzz_target;

/// Everything that can be said of a file.
const MESSAGES: [&str; 10] = [
    "not valid TOML",
    "only [[account]] tables are allowed",
    "a key that is not allowed here; allowed are access_key_sha256, access_key, main_account, subaccount_id",
    "an account needs one of access_key_sha256 and access_key",
    "main_account is missing",
    "this access key has an account already, further up",
    "access_key_sha256 must be a string of 64 hexadecimal digits",
    "access_key must be a string with something in it",
    "main_account must be 1 to 128 of A-Z a-z 0-9 - _ . : @",
    "subaccount_id must be 1 to 128 of A-Z a-z 0-9 - _ . : @",
];

fuzz_target!(|text: &str| {
    match StaticAccounts::parse(text, "accounts.toml") {
        Ok(accounts) => assert!(accounts.len() <= text.matches("main_account").count() + text.matches('\\').count()),
        Err(errors) => {
            assert!(!errors.0.is_empty(), "refused without a reason");
            errors.0.iter().for_each(|error| check(error, text));
        }
    }
});

fn check(error: &str, text: &str) {
    let place = error.strip_prefix("accounts.toml:").and_then(|rest| rest.split_once(": "));
    let (line, message) = place.expect("a line");
    let line: usize = line.parse().expect("a number");
    assert!((1..=text.matches('\n').count() + 1).contains(&line), "{error}");
    assert!(MESSAGES.contains(&message), "{error}");
}
