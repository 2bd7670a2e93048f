//! Kernel types: arbitrary bytes neither hang nor panic, and offsets are the same each time.
#![no_main]

use hippius_agent::kernel::btf::KernelTypes;
use hippius_agent::kernel::facts::Facts;
use hippius_common::fields::FIELDS;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let Ok(types) = KernelTypes::parse(bytes.to_vec()) else { return };
    let Ok(facts) = Facts::of(&types) else { return };
    assert_eq!(facts.globals().count(), FIELDS.len());
    let again = Facts::of(&types).expect("the same bytes");
    assert!(facts.globals().eq(again.globals()));
});
