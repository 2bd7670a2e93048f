//! Symbol tables of libraries, which a container may have made up: arbitrary bytes neither hang nor panic, and what is found
//! is found again.
#![no_main]

use hippius_agent::kernel::tls::symbols::{FUNCTIONS, offsets};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let found = offsets(bytes);
    if let Ok(found) = &found {
        assert_eq!(found.len(), FUNCTIONS.len());
    }
    assert_eq!(found, offsets(bytes));
});
