//! However calls cut the bytes, the same is told. Values are full of what looks like protocol.

use proptest::prelude::*;

use crate::script::{Wire, command, message, reply};

/// Cuts `bytes` and hands the pieces on.
fn cut<'a>(bytes: &'a [u8], sizes: &'a [usize]) -> impl Iterator<Item = &'a [u8]> {
    let mut rest = bytes;
    sizes.iter().cycle().map_while(move |size| {
        let (piece, after) = rest.split_at((*size).min(rest.len()));
        rest = after;
        (!piece.is_empty()).then_some(piece)
    })
}

/// What is told, without times.
fn told(turns: &[(Vec<u8>, Vec<u8>)], into: &[usize], out_of: &[usize]) -> (Vec<String>, bool) {
    let mut wire = Wire::new();
    for (request, response) in turns {
        cut(request, into).for_each(|piece| {
            wire.sends(piece);
        });
        cut(response, out_of).for_each(|piece| {
            wire.receives(piece);
        });
    }
    wire.closes();
    let counted = wire.session.take_bytes() == wire.moved();
    let names = wire.told().into_iter().map(|text| text.split(' ').next().unwrap_or_default().to_owned());
    (names.collect(), counted)
}

/// A command, its reply, and what must be told.
fn exchange() -> impl Strategy<Value = (Vec<u8>, Vec<u8>, Vec<&'static str>)> {
    let value =
        || prop::sample::select(vec!["a", "+OK\r\n", "*1\r\n$4\r\nPING\r\n", "$5\r\n", "\r\n", ">2\r\n", "", "-ERR x"]);
    let bulk = |text: &str| format!("${}\r\n{text}\r\n", text.len()).into_bytes();
    let set = move |text: &str| [&b"*3\r\n$3\r\nSET\r\n$1\r\nk\r\n"[..], &bulk(text)].concat();
    prop_oneof![
        value().prop_map(move |text| (set(text), b"+OK\r\n".to_vec(), vec!["SET"])),
        value().prop_map(move |text| (command("GET k"), bulk(text), vec!["GET"])),
        (value(), value()).prop_map(move |(one, two)| {
            (command("LRANGE l 0 1"), [b"*2\r\n".to_vec(), bulk(one), bulk(two)].concat(), vec!["LRANGE"])
        }),
        Just((command("LPUSH jobs a b"), reply(":2"), vec!["jobs+a", "jobs+b", "LPUSH"])),
        Just((command("BRPOP jobs retries 0"), reply("[retries b]"), vec!["retries-b", "BRPOP"])),
        Just((command("ZPOPMIN retries 2"), reply("[[a ,1] [b ,2]]"), vec!["retries-a", "retries-b", "ZPOPMIN"])),
        Just((command("GET k"), reply("> [invalidate [k]] -LOADING~wait"), vec!["GET!LOADING"])),
        Just((
            [command("MULTI"), command("RPOPLPUSH jobs retries"), command("EXEC")].concat(),
            reply("+OK +QUEUED [a]"),
            vec!["MULTI", "jobs-a", "retries+a", "RPOPLPUSH", "EXEC"],
        )),
    ]
}

fn statement() -> impl Strategy<Value = (Vec<u8>, Vec<u8>, Vec<&'static str>)> {
    let value = prop::sample::select(vec!["a", "Z\0\0\0\x05I", "C\0\0\0\x0dSELECT 1\0", ""]);
    let idle = || message('Z', "T");
    let extended = |sql: &str| {
        let bind = message('B', "\0\0\0\0\0\0\0\0");
        let execute = message('E', "\0\0\0\0\0");
        [message('P', format!("\0{sql}\0\0\0")), bind, execute, message('S', "")].concat()
    };
    prop_oneof![
        value.prop_map(move |text| {
            let rows = [message('T', text), message('D', text), message('C', "SELECT 1\0"), idle()].concat();
            (message('Q', format!("-- {text}\0")), rows, vec!["SELECT"])
        }),
        Just((
            extended("/* insert */ update t"),
            [message('1', ""), message('2', ""), message('C', "UPDATE 1\0"), idle()].concat(),
            vec!["UPDATE"],
        )),
        Just((
            extended("delete from t"),
            [message('1', ""), message('E', "SERROR\0C42501\0Mno\0\0"), idle()].concat(),
            vec!["DELETE!42"],
        )),
    ]
}

fn sizes() -> impl Strategy<Value = Vec<usize>> {
    prop::collection::vec(prop_oneof![1..4_usize, 1..60_usize, 50..5000_usize], 1..6)
}

/// Groups of pipelined exchanges, as turns.
type Groups = Vec<Vec<(Vec<u8>, Vec<u8>, Vec<&'static str>)>>;

fn turns(groups: &Groups) -> Vec<(Vec<u8>, Vec<u8>)> {
    let turn = |group: &Vec<(Vec<u8>, Vec<u8>, Vec<&str>)>| {
        let requests = group.iter().flat_map(|(request, ..)| request.clone()).collect();
        (requests, group.iter().flat_map(|(_, response, _)| response.clone()).collect())
    };
    groups.iter().map(turn).collect()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn redis_is_told_alike(
        groups in prop::collection::vec(prop::collection::vec(exchange(), 1..6), 1..5),
        into in sizes(),
        out_of in sizes(),
    ) {
        let expected: Vec<&str> = groups.iter().flatten().flat_map(|(.., events)| events.clone()).collect();
        let (told, counted) = told(&turns(&groups), &into, &out_of);
        prop_assert_eq!(told, expected);
        prop_assert!(counted);
    }

    #[test]
    fn postgres_is_told_alike(
        groups in prop::collection::vec(prop::collection::vec(statement(), 1..4), 1..5),
        into in sizes(),
        out_of in sizes(),
    ) {
        let startup = [&[0, 0, 0, 17, 0, 3, 0, 0][..], b"user\0me\0\0"].concat();
        let opening = (startup, [message('R', [0; 4]), message('Z', "I")].concat());
        let mut all = vec![opening];
        all.extend(turns(&groups));
        let expected: Vec<&str> =
            ["CONNECT"].into_iter().chain(groups.iter().flatten().flat_map(|(.., events)| events.clone())).collect();
        let (told, counted) = told(&all, &into, &out_of);
        prop_assert_eq!(told, expected);
        prop_assert!(counted);
    }

    #[test]
    fn any_bytes_are_told_without_a_panic_and_every_byte_is_counted(
        requests in prop::collection::vec(any::<u8>(), 0..200),
        responses in prop::collection::vec(any::<u8>(), 0..200),
        into in sizes(),
        out_of in sizes(),
        begin in prop::sample::select(vec![&b"*1\r\n$4\r\nPING\r\n"[..], b"\0\0\0\x09\0\x03\0\0\0", b""]),
    ) {
        let (_, counted) = told(&[(begin.to_vec(), Vec::new()), (requests, responses)], &into, &out_of);
        prop_assert!(counted);
    }
}
