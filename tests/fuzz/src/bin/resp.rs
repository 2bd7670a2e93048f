//! RESP and the sessions of Redis: however calls cut the bytes, the same is told, every byte is counted, and nothing of a
//! value is in what is told.
//!
//! Input: two bytes that say how the bytes are cut, two that say how many of them are requests, the requests, the replies.
#![no_main]

use hippius_agent::decode::resp::{Reader, Role, Token};
use hippius_fuzz::pieces::Pieces;
use hippius_fuzz::wire;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let Some((&[seed, size, high, low], rest)) = bytes.split_first_chunk() else { return };
    let at = usize::from(u16::from_be_bytes([high, low])).min(rest.len());
    let (requests, replies) = rest.split_at(at);
    for (role, bytes) in [(Role::Requests, requests), (Role::Replies, replies)] {
        let whole = read(role, bytes, Pieces::new(0, 0));
        assert_eq!(read(role, bytes, Pieces::new(seed, size)), whole, "cut otherwise");
    }
    let whole = wire::told(requests, replies, Pieces::new(0, 0));
    assert_eq!(wire::told(requests, replies, Pieces::new(seed, size)), whole, "cut otherwise");
});

/// Texts as they were told, joined; and whether the bytes are RESP.
fn read(role: Role, mut rest: &[u8], mut pieces: Pieces) -> (Vec<String>, bool) {
    let (mut reader, mut told, mut text) = (Reader::new(role), Vec::new(), Vec::new());
    while !rest.is_empty() {
        let (mut piece, after) = rest.split_at(pieces.next_len().min(rest.len()));
        rest = after;
        while !piece.is_empty() {
            let progress = reader.read(piece, &mut |place, token| match token {
                Token::Piece(bytes) => text.extend_from_slice(bytes),
                token => told.push(format!("{place:?} {token:?} {:?}", std::mem::take(&mut text))),
            });
            let Ok(progress) = progress else { return (told, false) };
            assert!((1..=piece.len()).contains(&progress.used), "no progress");
            piece = &piece[progress.used..];
        }
    }
    // The rest of a text is told piece by piece.
    told.push(format!("{text:?}"));
    (told, true)
}
