//! S3 servers that were not written here. `moto` knows nearly every operation and can verify V4 signatures; `s3rver` refuses
//! unknown keys, takes presigned addresses and verifies V2 signatures, but looks no further at V4.

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

/// Refuses access keys that are not among `accounts` (InvalidAccessKeyId).
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
    start_moto("moto", command, port, workdir)
}

/// Verifies the V4 signature of every request by one of `accounts` (SignatureDoesNotMatch, InvalidAccessKeyId). Presigned
/// addresses it cannot verify.
pub fn verified(workdir: &Workdir, accounts: &[KeyPair]) -> Result<Server> {
    let port = ports::free();
    let mut command = Command::new(python::program("python")?);
    command.arg(paths::apps().join("s3_verified.py")).arg(port.to_string());
    command.args(accounts.iter().map(|pair| format!("{}:{}", pair.access, pair.secret)));
    start_moto("s3-verified", command, port, workdir)
}

fn start_moto(name: &str, mut command: Command, port: u16, workdir: &Workdir) -> Result<Server> {
    // Without these it might ask for, or take over, credentials of the host.
    command.env("AWS_ACCESS_KEY_ID", "none").env("AWS_SECRET_ACCESS_KEY", "none").env("HOME", workdir.path());
    command.env("PYTHONDONTWRITEBYTECODE", "1");
    Server::start(name, command, port, workdir)
}
