//! Many tasks on few processors, each preempted in the middle of everything: what one request carries never shows up in
//! another's.

use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use anyhow::{Context, Result, ensure};
use hippius_tests::clients::raw::{Raw, request};
use hippius_tests::config::Config;
use hippius_tests::expect;
use hippius_tests::servers::nginx::Nginx;

use super::on_backend;

const CLIENTS: usize = 12;

/// Requests of each; a few in an emulator.
fn rounds() -> u64 {
    if std::env::var_os("HIPPIUS_SLOW").is_some() { 40 } else { 1500 }
}

/// Each client asks for what is its own, in heads full of its own letter, cut where no other cuts.
#[test]
fn a_storm_of_preempted_calls_mixes_no_two_heads() {
    on_backend("storm", |lab| {
        let nginx = Nginx::start(&lab.workdir)?;
        let operations: String = (0..CLIENTS)
            .map(|client| format!("[[service.operation]]\nname = \"canary_{client}\"\npath = \"/canary{client}\"\n"))
            .collect();
        let agent = lab.agent(&Config::new().service_with("storm", &[nginx.server.port], "http", &operations))?;
        let address = nginx.server.address();
        let over = AtomicBool::new(false);
        let sent = thread::scope(|scope| {
            for _ in 0..2 {
                scope.spawn(|| {
                    while !over.load(Ordering::Relaxed) {
                        thread::yield_now();
                    }
                });
            }
            let clients: Vec<_> = (0..CLIENTS).map(|client| scope.spawn(move || talk(address, client))).collect();
            let sent: Vec<_> =
                clients.into_iter().map(|client| client.join().ok().context("a client panicked")?).collect();
            over.store(true, Ordering::Relaxed);
            sent.into_iter().collect::<Result<Vec<u64>>>()
        })?;
        let all = rounds() * CLIENTS as u64;
        expect::exactly(lab, &agent, "storm", &expect::Expected::requests(all))?;
        let metrics = agent.scrape()?;
        for (client, bytes) in sent.iter().enumerate() {
            let handler = format!("canary_{client}");
            let filter = [("service", "storm"), ("handler", &*handler)];
            let counted = metrics.sum("http_requests_total", &filter);
            ensure!(counted == rounds(), "{handler}: {counted} requests, {} were sent", rounds());
            let counted = metrics.sum("http_request_bytes_total", &filter);
            ensure!(counted == *bytes, "{handler}: {counted} bytes, {bytes} were sent");
        }
        Ok(())
    });
}

/// Bytes that this client has sent.
fn talk(address: SocketAddr, client: usize) -> Result<u64> {
    let letter = char::from(b'a' + client as u8);
    let canary = format!("X-Canary: {}", String::from(letter).repeat(300 + 90 * client));
    let request = request("GET", &format!("/canary{client}"), &[&canary]);
    let mut raw = Raw::connect(address)?;
    for round in 0..rounds() {
        if round % 3 == 0 {
            raw.send_cut(request.as_bytes(), 100 + 37 * client)?;
        } else {
            raw.send(&request)?;
        }
        raw.read_response()?;
    }
    Ok(raw.sent)
}
