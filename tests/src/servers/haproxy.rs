//! HAProxy that ends TLS in front of a plain server.

use std::process::Command;

use anyhow::Result;

use super::Server;
use crate::certificate::Certificate;
use crate::ports;
use crate::workdir::Workdir;

/// HTTPS for `localhost` on a port of its own; behind it the server on `port`.
pub fn before(workdir: &Workdir, port: u16) -> Result<Server> {
    let Certificate { certificate, key } = Certificate::create(workdir)?;
    let both = [std::fs::read(certificate)?, std::fs::read(key)?].concat();
    let both = workdir.write("haproxy.pem", both)?;
    let own = ports::free();
    let text = format!(
        "global
  maxconn 200
defaults
  mode http
  timeout connect 10s
  timeout client 600s
  timeout server 600s
frontend https
  bind 127.0.0.1:{own} ssl crt {}
  default_backend plain
backend plain
  server one 127.0.0.1:{port}
",
        both.display()
    );
    let file = workdir.write("haproxy.cfg", text)?;
    let mut command = Command::new("haproxy");
    command.arg("-db").arg("-f").arg(file);
    Server::start("haproxy", command, own, workdir)
}
