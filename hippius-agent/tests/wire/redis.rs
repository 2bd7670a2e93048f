//! Commands, transactions, subscriptions and queues.

use crate::script::{Wire, command, reply};

/// All requests in one call, all replies in another.
fn pipeline(requests: &[&str], replies: &str) -> Vec<String> {
    let mut wire = Wire::new();
    wire.sends(requests.iter().flat_map(|words| command(words)).collect::<Vec<u8>>()).receives(reply(replies));
    wire.closes().told()
}

#[test]
fn each_reply_ends_the_first_command_that_waits() {
    assert_eq!(
        pipeline(&["SET k v", "get k", "Nope 1"], "+OK v -ERR~unknown"),
        ["SET 1ms", "GET 1ms", "other!ERR 1ms"]
    );
    let mut wire = Wire::new();
    wire.sends(command("SET k v")).sends(command("INCR k")).receives("+O").receives("K\r\n-WRONGTYPE Operation\r\n");
    assert_eq!(wire.told(), ["SET 3ms", "INCR!WRONGTYPE 2ms"]);
    wire.sends("PING\r\nECHO \"a b\"\r\n\r\n").receives(reply("+PONG a~b"));
    assert_eq!(wire.told(), ["PING 1ms", "ECHO 1ms"]);
    wire.sends(command("GET k")).sends(command("BLPOP k 0")).closes();
    assert_eq!(wire.told(), ["GET unanswered"], "who blocks is not owed an answer");
}

#[test]
fn queues_are_counted_by_item() {
    let table: &[(&[&str], &str, &[&str])] = &[
        (&["LPUSH jobs a b"], ":2", &["jobs+a", "jobs+b", "LPUSH 1ms"]),
        (&["LPUSH other a b"], ":2", &["LPUSH 1ms"]),
        (&["RPUSH jobs a"], "-OOM~no", &["RPUSH!OOM 1ms"]),
        (&["LPUSHX jobs a"], ":0", &["LPUSHX 1ms"]),
        (&["LPOP jobs", "RPOP jobs"], "a nil", &["jobs-a", "LPOP 1ms", "RPOP 1ms"]),
        (&["LPOP jobs 9", "RPOP jobs 9"], "[a b] none", &["jobs-a", "jobs-b", "LPOP 1ms", "RPOP 1ms"]),
        (&["BRPOP x jobs 5", "BLPOP jobs 5"], "[jobs a] none", &["jobs-a", "BRPOP 1ms", "BLPOP 1ms"]),
        (&["BLPOP x jobs 5"], "[x a]", &["BLPOP 1ms"]),
        (&["RPOPLPUSH jobs retries"], "a", &["jobs-a", "retries+a", "RPOPLPUSH 1ms"]),
        (&["LMOVE x retries LEFT RIGHT"], "a", &["retries+a", "LMOVE 1ms"]),
        (&["BLMOVE jobs x LEFT RIGHT 0"], "nil", &["BLMOVE 1ms"]),
        (&["LMPOP 2 x jobs LEFT COUNT 5"], "[jobs [a b]]", &["jobs-a", "jobs-b", "LMPOP 1ms"]),
        (&["LREM jobs 0 a"], ":1", &["jobs-a", "LREM 1ms"]),
        (&["LREM jobs 0 a"], ":3", &["jobs-3", "LREM 1ms"]),
        (&["ZADD retries 1 a 2 b"], ":2", &["retries+a", "retries+b", "ZADD 1ms"]),
        (&["ZADD retries 1 a 2 b"], ":1", &["retries+1", "ZADD 1ms"]),
        (&["ZADD retries NX CH 1.5 a"], ":1", &["retries+a", "ZADD 1ms"]),
        (&["ZADD retries INCR 1 a"], "1", &["ZADD 1ms"]),
        (&["ZPOPMIN retries"], "[a 1]", &["retries-a", "ZPOPMIN 1ms"]),
        (&["ZPOPMIN retries 2"], "[a 1 b 2]", &["retries-a", "retries-b", "ZPOPMIN 1ms"]),
        (&["ZPOPMAX retries 2"], "[[a ,1] [b ,2]]", &["retries-a", "retries-b", "ZPOPMAX 1ms"]),
        (&["BZPOPMIN x retries 0"], "[retries a 1]", &["retries-a", "BZPOPMIN 1ms"]),
        (&["BZMPOP 0 1 retries MIN"], "[retries [[a 1] [b 2]]]", &["retries-a", "retries-b", "BZMPOP 1ms"]),
        (&["ZREM retries a b"], ":2", &["retries-a", "retries-b", "ZREM 1ms"]),
        (&["ZREM retries a b"], ":1", &["retries-1", "ZREM 1ms"]),
        (&["XADD events MAXLEN 5 * f v"], "1-1", &["events+1-1", "XADD 1ms"]),
        (&["XADD events NOMKSTREAM * f v"], "nil", &["XADD 1ms"]),
        (
            &["XREADGROUP GROUP g c COUNT 5 STREAMS events >"],
            "[[events [[1-1 [f v]] [1-2 [f v]]]]]",
            &["events-1-1", "events-1-2", "XREADGROUP 1ms"],
        ),
        (
            &["XREADGROUP GROUP g c BLOCK 0 STREAMS x events > >"],
            "% [x [[1-1 [f v]]] events [[1-2 [f v]]]]",
            &["events-1-2", "XREADGROUP BLOCK 1ms"],
        ),
        // What was delivered before is read again.
        (&["XREADGROUP GROUP g c STREAMS events 0"], "[[events [[1-1 [f v]]]]]", &["XREADGROUP 1ms"]),
        (&["XREADGROUP GROUP BLOCK c STREAMS events >"], "none", &["XREADGROUP 1ms"]),
        (&["XREAD BLOCK 5 STREAMS events $", "XREAD STREAMS block 0"], "none none", &["XREAD BLOCK 1ms", "XREAD 1ms"]),
        (&["XACK events g 1-1"], ":1", &["XACK 1ms"]),
    ];
    for (requests, replies, expected) in table {
        assert_eq!(pipeline(requests, replies), *expected, "{requests:?}");
    }
    let many = format!("LPUSH jobs {}", vec!["a"; 300].join(" "));
    let told = pipeline(&[&many], ":300");
    assert_eq!((told.len(), &*told[255], &*told[256]), (258, "jobs+a", "jobs+44"));
}

#[test]
fn a_transaction_counts_when_it_has_run() {
    let requests = ["MULTI", "LPUSH jobs a", "INCR k", "LPOP jobs", "EXEC", "PING"];
    let replies = "+OK +QUEUED +QUEUED +QUEUED [:1 -WRONGTYPE~no a] +PONG";
    let expected =
        ["MULTI 1ms", "jobs+a", "LPUSH 1ms", "INCR!WRONGTYPE 1ms", "jobs-a", "LPOP 1ms", "EXEC 1ms", "PING 1ms"];
    assert_eq!(pipeline(&requests, replies), expected);
    let dropped = pipeline(&["MULTI", "LPUSH jobs a", "DISCARD", "PING"], "+OK +QUEUED +OK +PONG");
    assert_eq!(dropped, ["MULTI 1ms", "DISCARD 1ms", "PING 1ms"]);
    let watched = pipeline(&["WATCH k", "MULTI", "LPUSH jobs a", "EXEC"], "+OK +OK +QUEUED none");
    assert_eq!(watched, ["WATCH 1ms", "MULTI 1ms", "EXEC 1ms"]);
    let refused = pipeline(&["MULTI", "GET", "LPUSH jobs a", "EXEC"], "+OK -ERR~wrong +QUEUED -EXECABORT~no");
    assert_eq!(refused, ["MULTI 1ms", "GET!ERR 1ms", "EXEC!EXECABORT 1ms"]);
}

#[test]
fn messages_of_subscriptions_answer_nothing() {
    let mut wire = Wire::new();
    wire.sends(command("SUBSCRIBE x y")).receives(reply("[subscribe x :1]"));
    assert_eq!(wire.told(), [""; 0]);
    wire.receives(reply("[message x hello] [subscribe y :2] [message y hello]"));
    assert_eq!(wire.told(), ["SUBSCRIBE 2ms"]);
    wire.sends([command("PSUBSCRIBE p*"), command("PING"), command("UNSUBSCRIBE")].concat());
    let replies =
        "[psubscribe p* :3] [pmessage p* p1 hello] [pong +] [unsubscribe x :2] [message y z] [unsubscribe y :1]";
    wire.receives(reply(replies).as_slice());
    assert_eq!(wire.told(), ["PSUBSCRIBE 1ms", "PING 1ms", "UNSUBSCRIBE 1ms"]);
    wire.sends(command("PUNSUBSCRIBE")).receives(reply("[punsubscribe p* :0]"));
    wire.sends(command("LRANGE l 0 -1")).receives(reply("[message a b]"));
    assert_eq!(wire.told(), ["PUNSUBSCRIBE 1ms", "LRANGE 1ms"]);
    wire.sends(command("UNSUBSCRIBE")).receives(reply("[unsubscribe nil :0]"));
    assert_eq!(wire.told(), ["UNSUBSCRIBE 1ms"]);
}

#[test]
fn pushes_of_the_third_version_answer_nothing() {
    let mut wire = Wire::new();
    wire.sends(command("HELLO 3")).receives(b"%1\r\n$5\r\nproto\r\n:3\r\n");
    wire.sends([command("SUBSCRIBE x"), command("GET k")].concat());
    wire.receives(reply("> [invalidate [k]] > [subscribe x :1] v > [message x hello]"));
    wire.sends(command("LPOP k")).receives(reply("> [message x hello] _"));
    assert_eq!(wire.told(), ["HELLO 1ms", "SUBSCRIBE 1ms", "GET 1ms", "LPOP 1ms"]);
}

#[test]
fn a_client_may_want_no_replies() {
    let requests = ["CLIENT REPLY SKIP", "SET a b", "GET a", "CLIENT REPLY OFF", "SET c d", "CLIENT REPLY ON", "PING"];
    let told = pipeline(&requests, "b +OK +PONG");
    let silent = ["CLIENT silent", "SET silent", "CLIENT silent", "SET silent"];
    assert_eq!(told, [&silent[..], &["GET 1ms", "CLIENT 1ms", "PING 1ms"]].concat());
}

#[test]
fn a_monitor_hears_without_asking() {
    let mut wire = Wire::new();
    wire.sends(command("MONITOR")).receives("+OK\r\n+1339518083.107412 [0 127.0.0.1:60866] \"keys\" \"*\"\r\n");
    wire.sends(command("RESET")).receives("+1339518083.2 [0 lua] \"get\" \"x\"\r\n+RESET\r\n");
    wire.sends(command("PING")).receives("+PONG\r\n");
    assert_eq!(wire.told(), ["MONITOR 1ms", "RESET 1ms", "PING 1ms"]);
}

#[test]
fn a_replica_is_not_followed() {
    let mut wire = Wire::new();
    wire.sends(command("PSYNC ? -1")).receives("+FULLRESYNC 0 0\r\n$3\r\nRDB*2").receives("GARBAGE");
    assert_eq!(wire.told(), ["PSYNC 1ms", "lost opaque 0"]);
    assert_eq!(wire.session.take_bytes(), wire.moved());
}

#[test]
fn a_reply_may_be_seen_before_its_request() {
    let mut wire = Wire::new();
    wire.receives("+PONG\r\n").sends(command("PING"));
    wire.receives(reply("a +OK")).sends(command("LPOP jobs")).sends(command("SET k v"));
    assert_eq!(wire.told(), ["PING 0ms", "jobs-a", "LPOP 0ms", "SET 0ms"]);
}
