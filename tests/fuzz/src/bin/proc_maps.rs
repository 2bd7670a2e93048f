//! Mapped files of a process: what is understood stands in the text, once for each file.
#![no_main]

use std::collections::HashSet;

use hippius_agent::kernel::tls::libraries::{executable_files, may_be_library};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|text: &str| {
    let found = executable_files(text);
    assert!(found.len() <= text.lines().count());
    let mut seen = HashSet::new();
    for mapping in found {
        assert!(mapping.inode != 0 && mapping.path.starts_with('/') && text.contains(mapping.path));
        assert!(seen.insert((mapping.device, mapping.inode)));
        may_be_library(mapping.path);
    }
});
