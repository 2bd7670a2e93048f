//! S3 servers that were not written here: `s3rver` verifies signatures of several accounts, `moto` knows nearly every operation.

use std::process::Command;

use anyhow::Result;

use super::Server;
use crate::workdir::Workdir;
use crate::{node, paths, ports, python};

/// An access key and its secret.
#[derive(Clone, Debug)]
pub struct KeyPair {
    pub access: String,
    pub secret: String,
}

impl KeyPair {
    pub fn new(access: &str, secret: &str) -> Self {
        Self { access: access.to_owned(), secret: secret.to_owned() }
    }
}

/// Refuses what is not signed by one of `accounts` (SignatureDoesNotMatch, InvalidAccessKeyId).
pub fn s3rver(workdir: &Workdir, accounts: &[KeyPair]) -> Result<Server> {
    let port = ports::free();
    let mut command = Command::new("node");
    command.arg(paths::apps().join("s3_server.js")).arg(node::modules()?).arg(port.to_string());
    command.arg(workdir.join("s3rver-data"));
    command.args(accounts.iter().map(|pair| format!("{}:{}", pair.access, pair.secret)));
    Server::start("s3rver", command, port, workdir)
}

/// Accepts every signature.
pub fn moto(workdir: &Workdir) -> Result<Server> {
    let port = ports::free();
    let mut command = Command::new(python::program("moto_server")?);
    command.args(["-H", "127.0.0.1", "-p", &port.to_string()]);
    // Without these it might ask for, or take over, credentials of the host.
    command.env("AWS_ACCESS_KEY_ID", "none").env("AWS_SECRET_ACCESS_KEY", "none").env("HOME", workdir.path());
    Server::start("moto", command, port, workdir)
}
