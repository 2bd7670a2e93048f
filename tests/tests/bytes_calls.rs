//! Every system call that moves bytes: what the calls returned to the server is what the agent counts.

use hippius_tests::clients::raw::{Raw, request};
use hippius_tests::config::Config;
use hippius_tests::expect;
use hippius_tests::lab;
use hippius_tests::servers::syscall::Syscall;
use hippius_tests::watched;

fn counted(variant: &str) {
    lab::with_agent(variant, |lab| {
        let server = Syscall::start(&lab.workdir, variant)?;
        let agent = lab.agent(&Config::new().service(variant, server.server.port))?;
        expect::exactly(lab, &agent, variant, &watched::three_exchanges(variant, &server)?)?;
        Ok(())
    });
}

/// Where the kernel shows the number of bytes but no buffer that provably belongs to the socket, heads cannot be read:
/// every byte is explained, and no exchange is guessed.
fn explained(variant: &str) {
    lab::with_agent(variant, |lab| {
        let server = Syscall::start(&lab.workdir, variant)?;
        let agent = lab.agent(&Config::new().service(variant, server.server.port))?;
        let mut client = Raw::connect(server.server.address())?;
        client.send(request("GET", "/5000", &[]))?;
        client.read_response()?;
        let moved = client.sent + client.received;
        drop(client);
        server.log(1)?;
        expect::all_bytes(lab, &agent, variant, moved)?;
        Ok(())
    });
}

#[test]
fn read_and_write() {
    counted("read-write");
}

#[test]
fn recv_and_send() {
    counted("recv-send");
}

#[test]
fn peeked_bytes_count_once() {
    counted("peek");
}

#[test]
fn readv_and_writev_with_tiny_first_pieces() {
    counted("readv-writev");
}

#[test]
fn recvmsg_and_sendmsg() {
    counted("recvmsg-sendmsg");
}

#[test]
fn recvmmsg_and_sendmmsg_with_two_messages_a_call() {
    counted("recvmmsg-sendmmsg");
}

#[test]
fn zerocopy_sends_and_their_notices() {
    counted("zerocopy");
}

#[test]
fn splice_both_ways_leaves_no_byte_unexplained() {
    explained("splice");
}

#[test]
fn io_uring_leaves_no_byte_unexplained() {
    explained("io-uring");
}
