//! One scripted connection under the agent's eyes: what the server's calls moved must be what the agent counts.

use anyhow::Result;

use crate::clients::raw::Raw;
use crate::config::Config;
use crate::expect::{self, Expected};
use crate::lab;
use crate::servers::scripted::{Scripted, Step};

/// Name of the watched service.
pub const SERVICE: &str = "wire";

/// Plays `steps` against `client`; all bytes each way must be counted besides what `expected` says, and nothing lost.
pub fn exactly(name: &str, steps: Vec<Step>, client: impl FnOnce(&mut Raw) -> Result<()>, expected: Expected) {
    run(name, steps, |mut raw| client(&mut raw), expected);
}

/// The same for a client that gives up its socket itself (a reset).
pub fn run(name: &str, steps: Vec<Step>, client: impl FnOnce(Raw) -> Result<()>, expected: Expected) {
    lab::with_agent(name, |lab| {
        let server = Scripted::start(steps)?;
        let agent = lab.agent(&Config::new().service(SERVICE, server.port()))?;
        client(Raw::connect(server.address)?)?;
        let counts = server.finish()?;
        expect::exactly(lab, &agent, SERVICE, &expected.bytes(counts.received, counts.sent))?;
        Ok(())
    });
}

/// A response with Content-Length.
pub fn ok(body: &str) -> Vec<u8> {
    format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n{body}", body.len()).into_bytes()
}

/// The chunked coding of some pieces (RFC 9112, section 7.1), without extensions or trailers.
pub fn chunked(pieces: &[&str]) -> String {
    let chunks: String = pieces.iter().map(|piece| format!("{:x}\r\n{piece}\r\n", piece.len())).collect();
    chunks + "0\r\n\r\n"
}
