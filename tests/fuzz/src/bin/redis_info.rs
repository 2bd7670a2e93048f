//! `INFO` of a Redis server: whatever it says, what comes of it is bounded, finite and printable.
#![no_main]

use hippius_agent::poll::redis::glob;
use hippius_agent::poll::redis::info::{Info, MOST_ERRORS};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let text = String::from_utf8_lossy(bytes);
    if let Some(info) = Info::parse(&text) {
        let lines = text.lines().count();
        assert!(info.errors.len() <= MOST_ERRORS.min(lines));
        assert!(info.commands.len() + info.latencies.len() + info.slaves.len() + info.databases.len() <= lines);
        let numbers = info.commands.iter().flat_map(|command| [command.calls, command.usec]);
        let numbers = numbers.chain(info.databases.iter().flat_map(|database| [database.keys, database.expires]));
        assert!(numbers.chain(info.errors.iter().map(|(_, count)| *count)).all(f64::is_finite));
        for line in text.lines() {
            let name = line.split(':').next().unwrap_or_default();
            assert!(info.number(name).is_none_or(f64::is_finite));
        }
    }
    let (pattern, key) = bytes.split_at(bytes.len() / 2);
    if glob::fits(pattern, key) {
        let literal = pattern.iter().filter(|byte| **byte != b'*').count();
        assert!(literal <= key.len());
        assert!(pattern.contains(&b'*') || literal == key.len());
    }
});
