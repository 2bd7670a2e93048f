//! The file of TLS and basic auth, and what a scrape asks for: nothing panics, and hashes of passwords are not printed.
#![no_main]

use hippius_agent::export::negotiate;
use hippius_agent::export::web_config::WebConfig;
use libfuzzer_sys::fuzz_target;
use std::io;
use std::path::Path;

fuzz_target!(|bytes: &[u8]| {
    let mut no_file = |_: &Path| Err(io::ErrorKind::NotFound.into());
    if let Ok(config) = WebConfig::parse(bytes, Path::new("web.yml"), &mut no_file) {
        let printed = format!("{config:?}");
        for hash in config.users.values() {
            assert!(!printed.contains(hash), "a hash is printed");
        }
    }
    if let Ok(text) = std::str::from_utf8(bytes) {
        let _ = negotiate::format(text.lines());
        assert!(!negotiate::gzip(text.lines()) || text.contains(['z', 'Z', '*']));
    }
});
