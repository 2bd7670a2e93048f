//! boto3 through `apps/s3_drive.py`: signed traffic as the SDK writes it.

use std::net::SocketAddr;
use std::process::Command;

use anyhow::{Context, Result};
use serde_json::Value;

use crate::servers::s3::KeyPair;
use crate::{paths, process, python};

/// One finished call of the SDK.
#[derive(Clone, Debug)]
pub struct Call {
    pub operation: String,
    pub status: u64,
    /// The S3 error code, empty on success.
    pub error: String,
    /// Object payload that went up and down.
    pub uploaded: u64,
    pub downloaded: u64,
}

/// Runs one of the driver's scenarios (`basic`, `parts`, `everything`, `presigned`, `common`, `put`) and gives its calls in order.
pub fn drive(server: SocketAddr, key: &KeyPair, scenario: &str) -> Result<Vec<Call>> {
    let text = process::run(&mut command(server, key, scenario)?)?;
    text.lines().map(|line| call(line).with_context(|| line.to_owned())).collect()
}

/// The same as a command, to run in the background.
pub fn command(server: SocketAddr, key: &KeyPair, scenario: &str) -> Result<Command> {
    let mut command = Command::new(python::program("python")?);
    command.arg(paths::apps().join("s3_drive.py")).arg(format!("http://{server}")).arg(scenario);
    // By environment, not by argument: other users read the arguments of a process.
    command.env("AWS_ACCESS_KEY_ID", &key.access).env("AWS_SECRET_ACCESS_KEY", &key.secret);
    command.env("AWS_EC2_METADATA_DISABLED", "true").env("AWS_CONFIG_FILE", "/dev/null");
    command.env("PYTHONDONTWRITEBYTECODE", "1").env("NO_PROXY", "*");
    Ok(command)
}

fn call(line: &str) -> Option<Call> {
    let value: Value = serde_json::from_str(line).ok()?;
    Some(Call {
        operation: value["operation"].as_str()?.to_owned(),
        status: value["status"].as_u64()?,
        error: value["error"].as_str()?.to_owned(),
        uploaded: value["uploaded"].as_u64()?,
        downloaded: value["downloaded"].as_u64()?,
    })
}
