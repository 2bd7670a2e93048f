use super::*;

fn typed(kind: u8, content: &[u8]) -> Vec<u8> {
    let length = (content.len() as u32 + 4).to_be_bytes();
    [&[kind], &length[..], content].concat()
}

fn names() -> NameHasher {
    NameHasher::with_key(&[7; 16])
}

fn read(reader: &mut Reader, bytes: &[u8], piece: usize) -> Result<Vec<Whole>, PostgresError> {
    let mut all = Vec::new();
    for mut rest in bytes.chunks(piece) {
        while !rest.is_empty() {
            let progress = reader.read(rest, &names())?;
            assert!(progress.used > 0, "no progress");
            all.extend(progress.whole);
            rest = &rest[progress.used..];
        }
    }
    Ok(all)
}

#[test]
fn messages_of_a_client_are_told_with_what_is_wanted_of_them() {
    let startup = [&[0, 0, 0, 19, 0, 3, 0, 0][..], b"user\0you\0\0\0"].concat();
    let bytes = [
        vec![0, 0, 0, 8, 4, 210, 22, 47],
        startup[..19].to_vec(),
        typed(b'p', b"secret\0"),
        typed(b'Q', b"select 1; insert\0"),
        typed(b'P', b"s1\0update t\0\0\0"),
        typed(b'B', b"\0s1\0\0\0"),
        typed(b'D', b"Ss1\0"),
        typed(b'E', b"\0\0\0\0\0"),
        typed(b'S', b""),
    ]
    .concat();
    for piece in [1, 2, 3, 7, 1000] {
        let mut reader = Reader::first(Role::Frontend);
        let mut all = read(&mut reader, &bytes[..8], piece).expect("the request");
        reader.expect_first();
        all.extend(read(&mut reader, &bytes[8..], piece).expect("the rest"));
        let sizes: u64 = all.iter().map(|whole| whole.bytes).sum();
        assert_eq!(sizes, bytes.len() as u64);
        let messages: Vec<_> = all.iter().map(|whole| whole.message).collect();
        let [Message::First(First::Encryption), Message::First(First::Startup), rest @ ..] = &messages[..] else {
            panic!("{messages:?}")
        };
        let [
            Message::Typed(b'p', Fields::Nothing),
            Message::Typed(b'Q', Fields::Verb(query)),
            Message::Typed(b'P', Fields::Statement(Some(parsed), verb)),
            Message::Typed(b'B', Fields::Bind(Some(portal), Some(bound))),
            Message::Typed(b'D', Fields::Target(b'S', Some(described))),
            Message::Typed(b'E', Fields::Portal(Some(executed))),
            Message::Typed(b'S', Fields::Nothing),
        ] = rest
        else {
            panic!("{rest:?}")
        };
        assert_eq!((query.name(), verb.name()), ("SELECT", "UPDATE"));
        assert_eq!((parsed, portal), (bound, executed));
        assert_eq!(parsed, described);
        assert_ne!(parsed, portal);
    }
}

#[test]
fn messages_of_a_server_are_told_with_what_is_wanted_of_them() {
    let bytes = [
        typed(b'R', &[0, 0, 0, 0]),
        typed(b'C', b"INSERT 0 5\0"),
        typed(b'E', b"SERROR\0VERROR\0C23505\0Mkey (secret) exists\0\0"),
        typed(b'Z', b"I"),
    ]
    .concat();
    for piece in [1, 5, 1000] {
        let all = read(&mut Reader::first(Role::Backend), &bytes, piece).expect("messages");
        let messages: Vec<_> = all.iter().map(|whole| whole.message).collect();
        assert_eq!(
            messages,
            [
                Message::Typed(b'R', Fields::Nothing),
                Message::Typed(b'C', Fields::Verb(Verb::of(b"INSERT"))),
                Message::Typed(b'E', Fields::SqlState(*b"23505")),
                Message::Typed(b'Z', Fields::Status(b'I')),
            ]
        );
    }
    let mut reader = Reader::first(Role::Backend);
    reader.expect_one_byte();
    let all = read(&mut reader, b"N", 1).expect("the answer");
    assert_eq!(all, [Whole { message: Message::Encryption(b'N'), bytes: 1 }]);
}

#[test]
fn other_protocols_are_refused() {
    for bytes in [&b"GET / HTTP/1.1\r\n"[..], b"\0\0\0\x08\0\x02\0\0", b"\0\0\0\x04\0\x03\0\0", b"\0\x01\0\0\0\x03\0\0"]
    {
        assert_eq!(read(&mut Reader::first(Role::Frontend), bytes, 1000), Err(PostgresError::Malformed), "{bytes:?}");
    }
    for bytes in [&b"+OK\r\n!"[..], b"Z\0\0\0\x03I", b"Z\x7f\xff\xff\xffI"] {
        assert_eq!(read(&mut Reader::typed(Role::Backend), bytes, 1000), Err(PostgresError::Malformed), "{bytes:?}");
    }
}

#[test]
fn a_gap_is_harmless_inside_of_a_message_only() {
    let row = typed(b'D', &[9; 100]);
    let mut reader = Reader::typed(Role::Backend);
    assert!(read(&mut reader, &row[..20], 1000).expect("a beginning").is_empty());
    assert_eq!(reader.skip(50), Ok(None));
    assert_eq!(reader.skip(36), Err(PostgresError::Gap), "one byte of the next message");
    assert_eq!(reader.skip(35).expect("the end").map(|whole| whole.bytes), Some(105));
    assert!(reader.is_between());
    assert_eq!(reader.skip(1), Err(PostgresError::Gap));
    // What stood in the gap is not known.
    let mut reader = Reader::typed(Role::Frontend);
    let parse = typed(b'P', b"name\0SELECT 1\0\0\0");
    assert!(read(&mut reader, &parse[..7], 1000).expect("a beginning").is_empty());
    let whole = reader.skip(parse.len() as u64 - 7).expect("the end").expect("a message");
    assert_eq!(whole.message, Message::Typed(b'P', Fields::Statement(None, Verb::OTHER)));
}
