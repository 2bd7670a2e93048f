//! A certificate of its own for `localhost`, which is its own authority.

use std::path::PathBuf;
use std::process::Command;

use anyhow::Result;

use crate::process;
use crate::workdir::Workdir;

pub struct Certificate {
    pub certificate: PathBuf,
    pub key: PathBuf,
}

impl Certificate {
    /// Made with the `openssl` program.
    pub fn create(workdir: &Workdir) -> Result<Self> {
        let made = Self { certificate: workdir.join("localhost.crt"), key: workdir.join("localhost.key") };
        let mut openssl = Command::new("openssl");
        openssl.args(["req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=localhost"]);
        openssl.args(["-addext", "subjectAltName=DNS:localhost,IP:127.0.0.1"]);
        openssl.arg("-keyout").arg(&made.key).arg("-out").arg(&made.certificate);
        process::run(&mut openssl)?;
        Ok(made)
    }
}
