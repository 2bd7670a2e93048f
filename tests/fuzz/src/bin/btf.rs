//! Kernel types: arbitrary bytes neither hang nor panic, and offsets are the same each time.
#![no_main]

use hippius_agent::kernel::btf::KernelTypes;
use hippius_common::fields::FIELDS;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let Ok(types) = KernelTypes::parse(bytes.to_vec()) else { return };
    let Ok(offsets) = types.offsets() else { return };
    assert_eq!(offsets.len(), FIELDS.len());
    assert_eq!(types.offsets().ok(), Some(offsets));
});
