//! Statements of the simple and the extended protocol.

use crate::script::{Wire, message};

fn startup() -> Vec<u8> {
    [&[0, 0, 0, 17, 0, 3, 0, 0][..], b"user\0me\0\0"].concat()
}

/// A connection that is ready for statements.
fn ready() -> Wire {
    let mut wire = Wire::new();
    wire.sends(startup()).receives(message('R', [0, 0, 0, 10])).sends(message('p', "secret"));
    wire.receives([message('R', [0; 4]), message('S', "a\0b\0"), message('K', [1; 8]), message('Z', "I")].concat());
    assert_eq!(wire.told(), ["CONNECT 3ms"]);
    wire
}

fn parse(name: &str, sql: &str) -> Vec<u8> {
    message('P', format!("{name}\0{sql}\0\0\0"))
}

fn bind(portal: &str, name: &str) -> Vec<u8> {
    message('B', format!("{portal}\0{name}\0\0\0\0\0\0\0"))
}

fn execute(portal: &str) -> Vec<u8> {
    message('E', format!("{portal}\0\0\0\0\0"))
}

fn sync() -> Vec<u8> {
    message('S', "")
}

fn complete(tag: &str) -> Vec<u8> {
    message('C', format!("{tag}\0"))
}

fn error(state: &str) -> Vec<u8> {
    message('E', format!("SERROR\0C{state}\0Msecret value\0\0"))
}

fn row() -> Vec<u8> {
    message('D', [0, 1, 0, 0, 0, 1, b'Z'])
}

fn idle() -> Vec<u8> {
    message('Z', "I")
}

fn done(kind: char) -> Vec<u8> {
    message(kind, "")
}

#[test]
fn statements_of_a_query_count_alone() {
    let mut wire = ready();
    wire.sends(message('Q', "select 1; insert into t; update t\0"));
    wire.receives([message('T', "row"), row(), complete("SELECT 1")].concat());
    wire.receives(complete("INSERT 0 1")).receives([error("23505"), idle()].concat());
    assert_eq!(wire.told(), ["SELECT 1ms", "INSERT 1ms", "other!23 1ms"]);
    wire.sends(message('Q', "delete from secret\0")).receives([error("42P01"), idle()].concat());
    wire.sends(message('Q', ";\0")).receives([message('I', ""), idle()].concat());
    assert_eq!(wire.told(), ["DELETE!42 1ms", "EMPTY 1ms"]);
    wire.sends(message('Q', "commit\0")).closes();
    assert_eq!(wire.told(), ["COMMIT unanswered"]);
}

#[test]
fn a_prepared_statement_has_the_verb_of_its_parse() {
    let mut wire = ready();
    wire.sends([parse("s1", "/* x */ merge into t"), message('D', "Ss1\0"), sync()].concat());
    wire.receives([done('1'), message('t', [0, 0]), done('n'), idle()].concat());
    assert_eq!(wire.told(), [""; 0]);
    wire.sends([bind("", "s1"), execute(""), sync()].concat()).receives([done('2'), error("40001"), idle()].concat());
    wire.sends([bind("p", "s1"), execute("p"), sync()].concat());
    wire.receives([done('2'), complete("MERGE 3"), idle()].concat());
    assert_eq!(wire.told(), ["MERGE!40 1ms", "MERGE 1ms"]);
    wire.sends([parse("", "selec 1"), bind("", ""), message('D', "P\0"), execute(""), sync()].concat());
    wire.receives([error("42601"), idle()].concat());
    assert_eq!(wire.told(), ["other!42 1ms"], "what was not run is no statement");
}

#[test]
fn a_statement_begins_with_what_leads_to_it() {
    let mut wire = ready();
    wire.sends(parse("", "select 1")).sends(bind("", "")).sends(execute("")).sends(sync());
    wire.receives([done('1'), done('2'), row(), complete("SELECT 1"), idle()].concat());
    assert_eq!(wire.told(), ["SELECT 4ms"]);
    // With Flush the client waits twice.
    wire.sends([parse("a", "select 1"), message('H', "")].concat()).receives(done('1')).waits_ms(500);
    wire.sends([bind("", "a"), execute(""), sync()].concat());
    wire.receives([done('2'), complete("SELECT 0"), idle()].concat());
    assert_eq!(wire.told(), ["SELECT 1ms"]);
}

#[test]
fn statements_in_a_pipeline_keep_their_order_over_an_error() {
    let mut wire = ready();
    let one = |sql: &str| [parse("", sql), bind("", ""), execute("")].concat();
    wire.sends([one("insert"), one("update"), one("delete"), sync(), one("select"), sync()].concat());
    wire.receives([done('1'), done('2'), complete("INSERT 0 1"), done('1'), error("23505")].concat());
    wire.receives([idle(), done('1'), done('2'), complete("SELECT 0"), idle()].concat());
    assert_eq!(wire.told(), ["INSERT 1ms", "UPDATE!23 1ms", "SELECT 2ms"]);
    // The rest of what is dropped may come after the error.
    wire.sends(one("insert")).receives(error("53100")).sends(one("update")).sends(sync()).receives(idle());
    wire.sends(message('Q', "select\0")).receives([complete("SELECT 0"), idle()].concat());
    assert_eq!(wire.told(), ["INSERT!53 1ms", "SELECT 1ms"]);
}

#[test]
fn a_portal_with_a_limit_is_fetched_from() {
    let mut wire = ready();
    wire.sends([parse("", "select"), bind("c", ""), execute("c"), message('H', "")].concat());
    wire.receives([done('1'), done('2'), row(), message('s', "")].concat());
    wire.sends([execute("c"), message('C', "Pc\0"), sync()].concat());
    wire.receives([row(), complete("SELECT 1"), done('3'), idle()].concat());
    assert_eq!(wire.told(), ["SELECT 1ms", "FETCH 1ms"]);
}

#[test]
fn copy_goes_both_ways() {
    let mut wire = ready();
    let data = || message('d', "Z\0\0\0\x05I secret");
    wire.sends(message('Q', "copy t from stdin\0")).receives(message('G', [0, 0, 0]));
    wire.sends([data(), data(), message('c', "")].concat()).receives([complete("COPY 2"), idle()].concat());
    wire.sends(message('Q', "copy t to stdout\0"));
    wire.receives([message('H', [0, 0, 0]), data(), message('c', ""), complete("COPY 1"), idle()].concat());
    assert_eq!(wire.told(), ["COPY 3ms", "COPY 1ms"]);
    // The Sync that comes with the Execute of COPY is read as part of the data and ignored (libpq sends another).
    wire.sends([parse("", "copy t from stdin"), bind("", ""), message('D', "P\0"), execute(""), sync()].concat());
    wire.receives([done('1'), done('2'), done('n'), message('G', [0, 0, 0])].concat());
    wire.sends([data(), message('c', ""), sync()].concat()).receives([complete("COPY 1"), idle()].concat());
    wire.sends(message('Q', "select\0")).receives([complete("SELECT 0"), idle()].concat());
    assert_eq!(wire.told(), ["COPY 3ms", "SELECT 1ms"]);
}

#[test]
fn encryption_that_is_refused_changes_nothing_and_else_ends_the_reading() {
    let request = [0, 0, 0, 8, 4, 210, 22, 47];
    let mut wire = Wire::new();
    wire.sends(request).receives("N").sends(startup()).receives([message('R', [0; 4]), idle()].concat());
    assert_eq!(wire.told(), ["CONNECT 1ms"]);
    let mut wire = Wire::new();
    wire.sends(request).receives("S").sends("\x16\x03\x01\0\0").receives("anything").closes();
    assert_eq!(wire.told(), ["lost opaque 0"]);
    assert_eq!(wire.session.take_bytes(), wire.moved());
}

#[test]
fn what_comes_unasked_ends_nothing() {
    let mut wire = ready();
    let notification = || message('A', [&[0, 0, 0, 1][..], b"channel\0secret\0"].concat());
    wire.receives(notification()).sends(message('Q', "listen x\0")).receives(message('N', "SNOTICE\0\0"));
    wire.receives([notification(), complete("LISTEN"), message('S', "a\0b\0"), idle()].concat());
    assert_eq!(wire.told(), ["LISTEN 2ms"]);
    wire.receives(error("57P01")).closes();
    assert_eq!(wire.told(), [""; 0], "the end of an idle connection is no operation");
    let mut wire = Wire::new();
    wire.sends([&[0, 0, 0, 16, 4, 210, 22, 46][..], &[1; 8]].concat()).closes();
    assert_eq!(wire.told(), [""; 0], "a request to cancel");
    let mut wire = Wire::new();
    wire.sends(startup()).receives(error("28P01")).closes();
    assert_eq!(wire.told(), ["CONNECT!28 1ms"]);
}

#[test]
fn a_result_may_be_seen_before_its_query() {
    let mut wire = ready();
    wire.receives([complete("SELECT 0"), idle()].concat()).sends(message('Q', "select\0"));
    assert_eq!(wire.told(), ["SELECT 0ms"]);
}
