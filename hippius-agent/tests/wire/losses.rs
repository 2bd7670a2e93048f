//! Gaps, other protocols, connections that were open before: what is lost is said, and nothing is guessed.

use hippius_agent::exchange::wire::{MAX_PENDING, Session, System};

use crate::script::{Wire, command, message, reply};

#[test]
fn a_gap_inside_of_a_value_costs_at_most_the_item() {
    let mut wire = Wire::new();
    wire.sends(b"*3\r\n$5\r\nLPUSH\r\n$4\r\njobs\r\n$1000\r\nabc").sends_unseen(990).sends(b"1234567\r\n");
    wire.receives(":1\r\n").sends(command("LPOP jobs")).receives(b"$1000\r\nabc").receives_unseen(999);
    wire.sends(command("PING")).receives("+PONG\r\n");
    // The pop ended unseen; the next position tells of it.
    assert_eq!(wire.told(), ["jobs+1", "LPUSH 2ms", "jobs-unseen", "LPOP 1ms", "PING 1ms"]);
    assert_eq!(wire.session.take_bytes(), wire.moved());
    assert_eq!(wire.session.system(), Some(System::Redis));
}

#[test]
fn a_gap_with_a_boundary_loses_the_connection_until_it_is_at_rest() {
    let mut wire = Wire::new();
    wire.sends(command("GET a")).receives(reply("v")).sends(command("GET a")).sends_unseen(10).sends(command("GET b"));
    assert_eq!(wire.told(), ["GET 1ms", "lost gap 1"]);
    // Replies to nobody knows how many commands.
    wire.receives(reply("v")).sends(command("GET c")).receives(reply("v v"));
    assert_eq!(wire.told(), [""; 0], "too early to begin again");
    wire.waits_ms(200).sends(&command("GET d")[..5]);
    assert_eq!(wire.told(), [""; 0], "half a name is none");
    wire.receives(reply("v")).waits_ms(200).sends(command("GET e")).receives(reply("v"));
    assert_eq!(wire.told(), ["GET 1ms"]);
    assert_eq!(wire.session.take_bytes(), wire.moved());
}

#[test]
fn postgres_begins_again_after_it_was_ready() {
    let ready = || message('Z', "I");
    let query = || message('Q', "select 1\0");
    let mut wire = Wire::with(Session::before_start());
    wire.sends(query()).receives([message('C', "SELECT 1\0"), ready()].concat());
    wire.sends(query()).receives([message('C', "SELECT 1\0"), ready()].concat());
    assert_eq!(wire.told(), ["lost before_start 0", "SELECT 1ms"]);
    // Of a large result the end is enough, if nothing else is under way.
    wire.sends(query()).receives_unseen(3).receives(message('D', "xyz"));
    wire.receives([message('C', "SELECT 1\0"), ready()].concat());
    assert_eq!(wire.told(), ["SELECT 2ms"]);
    wire.sends([query(), query()].concat()).receives_unseen(3).receives(message('D', "xyz"));
    wire.receives([message('C', "SELECT 1\0"), ready()].concat());
    assert_eq!(wire.told(), ["lost gap 2"]);
    wire.sends(query()).receives_unseen(3).receives([message('E', "C42000\0"), ready()].concat());
    assert_eq!(wire.told(), ["lost gap 1"], "whether it failed is not known");
    wire.sends(query()).receives([message('C', "SELECT 1\0"), ready()].concat());
    assert_eq!(wire.told(), ["SELECT 1ms"]);
    // A result that nothing asked for.
    wire.sends(query()).receives([message('1', ""), ready()].concat());
    assert_eq!(wire.told(), ["lost unpaired 1"]);
}

#[test]
fn other_protocols_are_none_of_these() {
    for (first, answer) in [
        ("SSH-2.0-x\r\n", "SSH-2.0-y\r\n"),
        ("get k\r\n", "END\r\n"),
        ("MONITOR\r\n", "hello\r\n"),
        ("\0\0\0\x10\0\x01\0\0abcdefgh", "x"),
        ("\x10\x20\x04MQTT", "\x20\x02"),
        ("*abc\r\n", ""),
    ] {
        let mut wire = Wire::new();
        wire.sends(first).receives(answer).sends(first).receives(answer).closes();
        assert_eq!(wire.told(), [""; 0], "{first:?}");
        assert_eq!((wire.session.system(), wire.session.take_bytes()), (None, wire.moved()));
    }
}

#[test]
fn waiting_requests_are_bounded() {
    let mut wire = Wire::new();
    let all: Vec<u8> = command("PING").repeat(MAX_PENDING);
    wire.sends(&all);
    assert_eq!(wire.told(), [""; 0]);
    wire.sends(command("PING"));
    assert_eq!(wire.told(), [format!("lost too_many_pending {MAX_PENDING}")]);
}

#[test]
fn bytes_that_were_seen_before_count_once() {
    let mut wire = Wire::new();
    wire.sends(command("GET a")).receives(reply("v"));
    let (queues, events) = (&wire.queues, &mut wire.events);
    let times = hippius_agent::exchange::wire::Times { first_ns: 1, last_ns: 1 };
    wire.session.request(3, &command("GET a")[3..], times, queues, events);
    wire.session.response(0, &reply("v"), times, queues, events);
    wire.sends(command("GET b")).receives(reply("v"));
    assert_eq!(wire.told(), ["GET 1ms", "GET 1ms"]);
    assert_eq!(wire.session.take_bytes(), wire.moved());
}
