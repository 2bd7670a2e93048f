//! The rig itself, without the agent: servers start, clients drive them, and both sides' counts agree.

use std::time::Duration;

use anyhow::ensure;
use hippius_tests::clients::load::{self, Load};
use hippius_tests::clients::raw::{Raw, request};
use hippius_tests::clients::{boto, curl};
use hippius_tests::lab;
use hippius_tests::pcap::Tcpdump;
use hippius_tests::servers::asgi::{self, Loop};
use hippius_tests::servers::nginx::{K1, Nginx};
use hippius_tests::servers::postgres::Postgres;
use hippius_tests::servers::redis::Redis;
use hippius_tests::servers::s3::{self, KeyPair};
use hippius_tests::servers::scripted::{Counts, Scripted, Step};
use hippius_tests::servers::syscall::Syscall;
use hippius_tests::servers::{http_server, hyper};
use hippius_tests::truth::CallLine;

#[test]
fn nginx_log_equals_what_clients_counted() {
    lab::alone("rig-nginx", |lab| {
        let nginx = Nginx::start(&lab.workdir)?;
        let address = nginx.server.address();
        let get = request("GET", "/k1", &[]);
        let plan = Load { address, request: get.clone().into_bytes(), connections: 4, requests: 1000, rate: None };
        let report = load::run(&plan)?;
        ensure!(report.body_bytes_received == 1000 * K1 as u64);
        let upload = lab.workdir.write("upload", vec![b'u'; 100_000])?;
        let answer = curl::curl(&["-T", &upload.display().to_string(), &format!("http://{address}/dav/up")])?;
        ensure!((answer.status, answer.body_sent) == (201, 100_000), "{answer:?}");
        let lines = nginx.log(1001)?;
        let sums = lines.iter().fold((0, 0), |sum, line| (sum.0 + line.request_length, sum.1 + line.bytes_sent));
        let expected_in = report.bytes_sent + answer.head_sent + answer.body_sent;
        // `100 Continue` is in both counts.
        let expected_out = report.bytes_received + answer.head_received + answer.body_received;
        ensure!(sums == (expected_in, expected_out), "log {sums:?}, clients {:?}", (expected_in, expected_out));
        ensure!(nginx.quit()?.len() == 1001);
        Ok(())
    });
}

#[test]
fn asgi_servers_log_every_request() {
    lab::alone("rig-asgi", |lab| {
        let servers = [
            asgi::uvicorn(&lab.workdir, Loop::Uvloop)?,
            asgi::uvicorn(&lab.workdir, Loop::Asyncio)?,
            asgi::gunicorn(&lab.workdir)?,
        ];
        for server in &servers {
            let get = request("GET", "/bytes/300", &[]).into_bytes();
            let plan =
                Load { address: server.server.address(), request: get, connections: 8, requests: 200, rate: None };
            load::run(&plan)?;
            let put = request("PUT", "/up", &["Content-Length: 50000"]) + &"x".repeat(50_000);
            load::run(&Load { request: put.into_bytes(), requests: 10, connections: 1, ..plan })?;
            let lines = server.log(210)?;
            ensure!(lines.iter().map(|line| line.body_in).sum::<u64>() == 500_000);
        }
        Ok(())
    });
}

#[test]
fn hyper_and_http_server_answer() {
    lab::alone("rig-small", |lab| {
        for server in [hyper(&lab.workdir)?, http_server(&lab.workdir)?] {
            let mut client = Raw::connect(server.address())?;
            client.send(request("GET", "/1234", &[]))?;
            ensure!(client.read_response()?.1.len() == 1234);
            client.send(request("PUT", "/", &["Content-Length: 3"]))?;
            client.send("abc")?;
            let (head, _) = client.read_response()?;
            ensure!(head.starts_with("HTTP/1.1 20"), "{head}");
        }
        Ok(())
    });
}

#[test]
fn s3_servers_take_what_boto_signs() {
    lab::alone("rig-s3", |lab| {
        let keys = [KeyPair::new("alice-key", "alice-secret"), KeyPair::new("Ym9i", "bob-secret")];
        let strict = s3::verified(&lab.workdir, &keys)?;
        for key in &keys {
            let calls = boto::drive(strict.address(), key, "everything")?;
            let failed: Vec<_> = calls.iter().filter(|call| call.status >= 300).collect();
            ensure!(failed.len() == 1 && failed[0].error == "NoSuchKey" && calls.len() > 25, "{failed:?}");
        }
        let forged = KeyPair::new("alice-key", "guessed");
        let refused = boto::drive(strict.address(), &forged, "put")?;
        ensure!(refused[0].error == "SignatureDoesNotMatch", "{refused:?}");
        for open in [s3::s3rver(&lab.workdir, &keys)?, s3::moto(&lab.workdir)?] {
            let calls = boto::drive(open.address(), &keys[1], "basic")?;
            let failed: Vec<_> = calls.iter().filter(|call| call.status >= 300 && call.error != "NoSuchKey").collect();
            ensure!(failed.is_empty(), "{failed:?}");
            let presigned = boto::drive(open.address(), &keys[1], "presigned")?;
            ensure!(presigned.iter().all(|call| call.status < 300) && presigned.len() == 3, "{presigned:?}");
        }
        let unknown = s3::s3rver(&lab.workdir, &keys)?;
        let nobody = boto::drive(unknown.address(), &KeyPair::new("nobody", "x"), "common")?;
        ensure!(nobody[0].error == "InvalidAccessKeyId", "{nobody:?}");
        Ok(())
    });
}

#[test]
fn redis_and_postgres_take_commands() {
    lab::alone("rig-stores", |lab| {
        let redis = Redis::start(&lab.workdir)?;
        ensure!(redis.command(&["SET", "hippius_auth:hip_x", "{}"])? == "+OK");
        ensure!(redis.command(&["LPUSH", "queue", "a", "b"])? == ":2");
        let postgres = Postgres::start(&lab.workdir)?;
        ensure!(postgres.sql("SELECT 40 + 2")?.trim() == "42");
        Ok(())
    });
}

#[test]
fn scripted_server_and_raw_client_agree_on_every_byte() {
    lab::alone("rig-scripted", |_| {
        let answer = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4;x=y\r\nabcd\r\n0\r\nT: 1\r\n\r\n";
        let server = Scripted::start(vec![Step::ReadHead, Step::WriteCut(answer.into(), 7), Step::ReadToEnd])?;
        let mut client = Raw::connect(server.address)?;
        client.send_cut(request("GET", "/", &[]).as_bytes(), 1)?;
        ensure!(client.read_response()?.1 == b"abcd");
        client.half_close()?;
        let counted = Counts { received: client.sent, sent: client.received };
        ensure!(server.finish()? == counted && client.received == answer.len() as u64);
        Ok(())
    });
}

#[test]
fn every_system_call_variant_counts_what_the_client_counts() {
    lab::alone("rig-syscalls", |lab| {
        for variant in hippius_tests::servers::syscall::VARIANTS {
            let server = Syscall::start(&lab.workdir, variant)?;
            let mut client = Raw::connect(server.server.address())?;
            client.send(request("GET", "/100000", &[]))?;
            ensure!(client.read_response()?.1.len() == 100_000, "{variant}");
            client.send(request("PUT", "/", &["Content-Length: 200000"]))?;
            client.send(vec![b'p'; 200_000])?;
            client.read_response()?;
            client.half_close()?;
            let truth = CallLine { received: client.sent, sent: client.received, requests: 2 };
            ensure!(server.log(1)? == [truth], "{variant}: {:?}, client {truth:?}", server.log(1)?);
        }
        Ok(())
    });
}

#[test]
fn tcpdump_times_show_a_slow_app() {
    lab::alone("rig-tcpdump", |lab| {
        let server = asgi::uvicorn(&lab.workdir, Loop::Uvloop)?;
        let capture = Tcpdump::start(&lab.workdir, server.server.port)?;
        let get = request("GET", "/sleep/20", &[]).into_bytes();
        load::run(&Load { address: server.server.address(), request: get, connections: 2, requests: 10, rate: None })?;
        let found = capture.finish(10)?;
        ensure!(found.len() == 10);
        for exchange in found {
            let process = Duration::from_nanos(exchange.response_first_ns - exchange.request_last_ns);
            // libuv counts in whole milliseconds, so its timers may be early by one.
            ensure!(process >= Duration::from_millis(19), "{process:?}");
        }
        Ok(())
    });
}

#[test]
fn paced_load_offers_its_rate() {
    lab::alone("rig-paced", |lab| {
        let nginx = Nginx::start(&lab.workdir)?;
        let get = request("GET", "/k1", &[]).into_bytes();
        let plan =
            Load { address: nginx.server.address(), request: get, connections: 8, requests: 2000, rate: Some(2000.0) };
        let report = load::run(&plan)?;
        ensure!(report.elapsed > Duration::from_millis(990), "sent faster than offered: {:?}", report.elapsed);
        ensure!(report.latencies_ns.len() == 2000);
        Ok(())
    });
}
