//! Heads of HTTP/1 requests and responses: hostile bytes never panic, and a head's length is exact.
#![no_main]

use hippius_agent::decode::http1::{Fields, HeadBuffer, HeadError};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    check(bytes, |buffer, bytes| buffer.request(bytes).map(|head| look(&head.fields, head.len)));
    check(bytes, |buffer, bytes| buffer.response(bytes).map(|head| look(&head.fields, head.len)));
});

/// A complete head lies within the input, does not depend on what follows it, and no shorter part of it is complete.
fn check(bytes: &[u8], decode: impl Fn(&mut HeadBuffer, &[u8]) -> Result<usize, HeadError>) {
    let mut buffer = HeadBuffer::default();
    let Ok(len) = decode(&mut buffer, bytes) else { return };
    assert!(len <= bytes.len(), "a head of {len} bytes in {} bytes", bytes.len());
    assert_eq!(decode(&mut buffer, &bytes[..len]), Ok(len), "the head depends on what follows it");
    for cut in cuts(len) {
        assert_eq!(decode(&mut buffer, &bytes[..cut]), Err(HeadError::Incomplete), "cut at {cut} of {len}");
    }
}

/// All lengths of a short head; of a long one the ends and some between, to keep the fuzzer fast.
fn cuts(len: usize) -> impl Iterator<Item = usize> {
    (0..len).filter(move |cut| len <= 64 || *cut < 16 || len - cut <= 16 || cut % (len / 16) == 0)
}

/// Looks at every field and finds it again by its name.
fn look(fields: &Fields<'_>, len: usize) -> usize {
    for (name, value) in fields.iter() {
        assert!(value.len() < len, "a value longer than its head");
        assert!(fields.get_bytes(name).is_some(), "the field {name} is not found by its name");
    }
    len
}
