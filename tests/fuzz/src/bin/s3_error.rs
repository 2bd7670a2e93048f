//! Error codes: a code is fit to be a label, and chunked coding changes no answer.
//!
//! Input: two bytes that say how the body is cut into chunks, then the body.
#![no_main]

use hippius_agent::decode::s3_error::{MAX_CODE_BYTES, MAX_ERROR_BODY_BYTES, body_code, known_code};
use hippius_fuzz::pieces::Pieces;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let Some((&[seed, size], body)) = bytes.split_first_chunk() else { return };
    let code = body_code(body);
    if let Some(code) = code {
        let fits = (1..=MAX_CODE_BYTES).contains(&code.len()) && code.bytes().all(|byte| byte.is_ascii_alphanumeric());
        assert!(fits, "{code:?} is no label");
        assert!(memchr::memmem::find(body, code.as_bytes()).is_some() || known_code(code).is_some());
    }
    // What begins otherwise may be chunked already.
    if !body.starts_with(b"<") {
        return;
    }
    let chunked = chunked(body, Pieces::new(seed, size));
    if chunked.len() <= MAX_ERROR_BODY_BYTES {
        let found = body_code(&chunked);
        assert!(found == code || (found.is_none() && code.and_then(known_code).is_none()), "{found:?} was {code:?}");
    }
});

fn chunked(mut rest: &[u8], mut pieces: Pieces) -> Vec<u8> {
    let mut chunked = Vec::new();
    while !rest.is_empty() {
        let (chunk, after) = rest.split_at(pieces.next_len().min(rest.len()));
        chunked.extend_from_slice(format!("{:x}\r\n", chunk.len()).as_bytes());
        chunked.extend_from_slice(chunk);
        chunked.extend_from_slice(b"\r\n");
        rest = after;
    }
    chunked.extend_from_slice(b"0\r\n\r\n");
    chunked
}
