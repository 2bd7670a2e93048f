use super::*;

/// What is told, as text; pieces of one text are joined.
fn told(role: Role, pieces: &[&[u8]]) -> Result<Vec<String>, RespError> {
    let mut reader = Reader::new(role);
    let mut out: Vec<String> = Vec::new();
    for piece in pieces {
        let mut rest = *piece;
        while !rest.is_empty() {
            let progress = reader.read(rest, &mut |place, token| match token {
                Token::Piece(bytes) => out.last_mut().expect("a text").push_str(&String::from_utf8_lossy(bytes)),
                Token::Ended if place.depth > 0 => {}
                token => {
                    let text = match token {
                        Token::Open(kind, elements) => format!("{kind:?} {elements}"),
                        Token::Text(kind, bytes) => format!("{}{bytes}=", char::from(kind)),
                        Token::Line(kind, text) => format!("{}{}", char::from(kind), String::from_utf8_lossy(text)),
                        Token::Inline(text, whole) => format!("inline {} {whole}", String::from_utf8_lossy(text)),
                        Token::Ended => "end".to_owned(),
                        other => format!("{other:?}"),
                    };
                    out.push(format!("{}.{} {text}", place.depth, place.index));
                }
            })?;
            assert!(progress.used > 0, "no progress");
            rest = &rest[progress.used..];
        }
    }
    Ok(out)
}

#[test]
fn every_kind_of_value_is_told() {
    let table: &[(&str, &[&str])] = &[
        ("+OK\r\n", &["0.0 +OK", "0.0 end"]),
        ("-ERR no\r\n", &["0.0 -ERR no", "0.0 end"]),
        (":-12\r\n", &["0.0 :-12", "0.0 end"]),
        ("$5\r\nhe\r\no\r\n", &["0.0 $5=he\r\no", "0.0 end"]),
        ("$0\r\n\r\n", &["0.0 $0=", "0.0 end"]),
        ("$-1\r\n", &["0.0 Null", "0.0 end"]),
        ("*-1\r\n", &["0.0 Null", "0.0 end"]),
        ("*0\r\n", &["0.0 Array 0", "0.0 end"]),
        ("_\r\n", &["0.0 Null", "0.0 end"]),
        ("#t\r\n", &["0.0 #t", "0.0 end"]),
        (",1.5\r\n", &["0.0 ,1.5", "0.0 end"]),
        ("(123456789012345678901234567890\r\n", &["0.0 (123456789012345678901234567890", "0.0 end"]),
        ("=8\r\ntxt:some\r\n", &["0.0 =8=txt:some", "0.0 end"]),
        ("!6\r\nERR no\r\n", &["0.0 !6=ERR no", "0.0 end"]),
        ("*2\r\n*1\r\n:1\r\n$1\r\na\r\n", &["0.0 Array 2", "1.0 Array 1", "2.0 :1", "1.1 $1=a", "0.0 end"]),
        ("%1\r\n+k\r\n~1\r\n:2\r\n", &["0.0 Map 2", "1.0 +k", "1.1 Set 1", "2.0 :2", "0.0 end"]),
        (">2\r\n+message\r\n+x\r\n", &["0.0 Push 2", "1.0 +message", "1.1 +x", "0.0 end"]),
        // An attribute is no element, wherever it stands.
        (
            "|1\r\n+ttl\r\n:3\r\n*1\r\n|0\r\n|1\r\n+a\r\n|1\r\n+b\r\n+c\r\n+d\r\n+v\r\n",
            &["0.0 Array 1", "1.0 +v", "0.0 end"],
        ),
    ];
    for (bytes, expected) in table {
        assert_eq!(told(Role::Replies, &[bytes.as_bytes()]).expect(bytes), *expected, "{bytes:?}");
        let single: Vec<&[u8]> = bytes.as_bytes().chunks(1).collect();
        assert_eq!(told(Role::Replies, &single).expect(bytes), *expected, "{bytes:?} byte by byte");
    }
}

#[test]
fn commands_come_framed_or_in_a_line() {
    let bytes = b"*2\r\n$3\r\nGET\r\n$1\r\nk\r\nPING a\r\nPING\n\r\n";
    let expected = [
        "0.0 Array 2",
        "1.0 $3=GET",
        "1.1 $1=k",
        "0.0 end",
        "0.0 inline PING a true",
        "0.0 end",
        "0.0 inline PING true",
        "0.0 end",
        "0.0 inline  true",
        "0.0 end",
    ];
    assert_eq!(told(Role::Requests, &[bytes]).expect("requests"), expected);
    let long = [b"GET ", &[b'x'; 300][..], b"\r\n"].concat();
    assert!(told(Role::Requests, &[&long]).expect("a long line")[0].ends_with("false"));
    // What would begin a number in a reply begins no number here, however it is cut.
    let long = [b"#", &[b'x'; 300][..], b"\r\n"].concat();
    let pieces: Vec<&[u8]> = long.chunks(7).collect();
    assert_eq!(told(Role::Requests, &pieces), told(Role::Requests, &[&long]));
}

#[test]
fn what_is_no_resp_is_refused() {
    for bytes in [
        "HTTP/1.1 200 OK\r\n",
        "$5\r\nhello!\r\n",
        "$1\r\na\n",
        "$\r\n",
        "$-2\r\n",
        "$1x\r\n",
        "*?\r\n",
        "$?\r\n",
        "+OK\n",
        "$99999999999999999999\r\n",
        "*4294967297\r\n",
        ":\r\n",
        ":1.5\r\n",
        "#x\r\n",
        "\r\n",
        "_x\r\n",
        "*1\r\nGET\r\n",
    ] {
        assert_eq!(told(Role::Replies, &[bytes.as_bytes()]), Err(RespError::Malformed), "{bytes:?}");
    }
    let endless = [b"$", &[b'1'; 200][..]].concat();
    assert_eq!(told(Role::Replies, &[&endless]), Err(RespError::Malformed));
    let deep = "*1\r\n".repeat(MAX_DEPTH + 1);
    assert_eq!(told(Role::Replies, &[deep.as_bytes()]), Err(RespError::TooDeep));
}

#[test]
fn a_gap_is_harmless_inside_of_a_text_only() {
    let mut out = Vec::new();
    let mut reader = Reader::new(Role::Replies);
    let mut tell = |place: Place, token: Token<'_>| out.push((place.depth, format!("{token:?}")));
    reader.read(b"*2\r\n$10\r\nab", &mut tell).expect("a beginning");
    assert_eq!(reader.skip(6, &mut tell), Ok(false));
    // Over the rest of the text, its line end included.
    assert_eq!(reader.skip(4, &mut tell), Ok(false));
    assert_eq!(reader.skip(1, &mut tell), Err(RespError::Gap), "the next header is not known");
    assert!(reader.read(b":1\r\n", &mut tell).expect("the end").ended);
    assert!(reader.is_between());
    assert_eq!(reader.skip(1, &mut tell), Err(RespError::Gap));
    let hidden: Vec<_> = out.iter().filter(|(_, token)| token.starts_with("Hidden")).collect();
    assert_eq!(hidden, [&(1, "Hidden(6)".to_owned()), &(1, "Hidden(2)".to_owned())]);
    let mut reader = Reader::new(Role::Replies);
    reader.read(b"$4\r\na", &mut |_, _| ()).expect("a beginning");
    assert_eq!(reader.skip(6, &mut |_, _| ()), Err(RespError::Gap), "longer than the text");
    assert_eq!(reader.skip(5, &mut |_, _| ()), Ok(true));
}
