//! Servers under the agent's eyes, and the comparison of all who counted: client, server's log and agent.

use anyhow::{Result, ensure};

use crate::agent::Agent;
use crate::clients::raw::{Raw, request};
use crate::config::Config;
use crate::expect::{self, Expected};
use crate::lab::Lab;
use crate::servers::nginx::Nginx;
use crate::servers::syscall::Syscall;
use crate::truth::CallLine;

/// A test with nginx as the only service.
pub fn nginx(lab: &Lab, test: impl FnOnce(&Lab, &Nginx, &Agent) -> Result<()>) -> Result<()> {
    let nginx = Nginx::start(&lab.workdir)?;
    let agent = lab.agent(&Config::new().service("nginx", nginx.server.port))?;
    test(lab, &nginx, &agent)
}

/// Client, access log and agent agree on all bytes each way.
pub fn all_agree(lab: &Lab, nginx: &Nginx, agent: &Agent, moved: (u64, u64), expected: Expected) -> Result<()> {
    let lines = nginx.log(usize::try_from(expected.requests.unwrap_or(0))?)?;
    let logged = lines.iter().fold((0, 0), |sum, line| (sum.0 + line.request_length, sum.1 + line.bytes_sent));
    ensure!(logged == moved, "the rig's own counts differ: nginx {logged:?}, client {moved:?}");
    expect::exactly(lab, agent, "nginx", &expected.bytes(moved.0, moved.1))?;
    Ok(())
}

/// Three exchanges on one connection: small answer, large answer, large upload. Client and server agree on the bytes.
pub fn three_exchanges(variant: &str, server: &Syscall) -> Result<Expected> {
    let mut client = Raw::connect(server.server.address())?;
    for size in [10, 300_000] {
        client.send(request("GET", &format!("/{size}"), &[]))?;
        ensure!(client.read_response()?.1.len() == size, "{variant}");
    }
    client.send(request("PUT", "/up", &["Content-Length: 400000"]))?;
    client.send(vec![b'p'; 400_000])?;
    client.read_response()?;
    let (sent, received) = (client.sent, client.received);
    drop(client);
    let truth = CallLine { received: sent, sent: received, requests: 3 };
    ensure!(server.log(1)? == [truth], "the rig's own counts differ: {:?}, client {truth:?}", server.log(1)?);
    let expected = Expected::requests(3).bytes(sent, received).bodies(400_000, 300_012);
    Ok(expected.statuses(&[("200", 3)]).outcomes(&[("complete", 3)]))
}
