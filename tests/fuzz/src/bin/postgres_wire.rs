//! The protocol of PostgreSQL and its sessions: however calls cut the bytes, the same is told, and every byte is counted.
//!
//! Input: two bytes that say how the bytes are cut, two that say how many of them are requests, the requests, the results.
#![no_main]

use hippius_agent::decode::postgres::{NameHasher, Reader, Role, Whole};
use hippius_fuzz::pieces::Pieces;
use hippius_fuzz::wire;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let Some((&[seed, size, high, low], rest)) = bytes.split_first_chunk() else { return };
    let at = usize::from(u16::from_be_bytes([high, low])).min(rest.len());
    let (requests, results) = rest.split_at(at);
    for (role, bytes) in [(Role::Frontend, requests), (Role::Backend, results)] {
        let whole = read(role, bytes, Pieces::new(0, 0));
        assert_eq!(read(role, bytes, Pieces::new(seed, size)), whole, "cut otherwise");
        let sizes: u64 = whole.0.iter().map(|whole| whole.bytes).sum();
        assert!(sizes <= bytes.len() as u64, "{sizes} bytes of {}", bytes.len());
    }
    let whole = wire::told(requests, results, Pieces::new(0, 0));
    assert_eq!(wire::told(requests, results, Pieces::new(seed, size)), whole, "cut otherwise");
});

fn read(role: Role, mut rest: &[u8], mut pieces: Pieces) -> (Vec<Whole>, bool) {
    let names = NameHasher::with_key(&[9; 16]);
    let (mut reader, mut all) = (Reader::first(role), Vec::new());
    while !rest.is_empty() {
        let (mut piece, after) = rest.split_at(pieces.next_len().min(rest.len()));
        rest = after;
        while !piece.is_empty() {
            let Ok(progress) = reader.read(piece, &names) else { return (all, false) };
            assert!((1..=piece.len()).contains(&progress.used), "no progress");
            all.extend(progress.whole);
            piece = &piece[progress.used..];
        }
    }
    (all, true)
}
