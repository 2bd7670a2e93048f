//! Debian's Prometheus with the shipped configuration, and what its API says.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::path::PathBuf;
use std::process::Command;

use anyhow::{Context, Result, ensure};
use serde_json::Value;

use crate::servers::Server;
use crate::workdir::Workdir;
use crate::{paths, ports, wait};

/// The addresses and intervals of the shipped files, and what stands for them in a test.
const AGENT: &str = "127.0.0.1:10187";
const PROMETHEUS: &str = "127.0.0.1:9090";
const INTERVALS: [(&str, &str); 2] = [("15s", "1s"), ("10s", "1s")];

pub struct Prometheus {
    server: Server,
}

/// The folder with the shipped configuration and rules.
pub fn shipped() -> PathBuf {
    paths::workspace().join("monitoring/prometheus")
}

impl Prometheus {
    /// Starts it with one of the shipped configurations; only addresses and intervals differ.
    pub fn start(config: &str, agent: &str, workdir: &Workdir) -> Result<Self> {
        Self::start_with(config, agent, workdir, &[])
    }

    /// The same with further arguments.
    pub fn start_with(config: &str, agent: &str, workdir: &Workdir, arguments: &[&str]) -> Result<Self> {
        let port = ports::free();
        let own = format!("127.0.0.1:{port}");
        let mut text = std::fs::read_to_string(shipped().join(config))?;
        ensure!(text.contains(AGENT) && text.contains("15s"), "{config} has neither {AGENT} nor 15s any more");
        text = text.replace(AGENT, agent).replace(PROMETHEUS, &own);
        for (shipped, quick) in INTERVALS {
            text = text.replace(shipped, quick);
        }
        let config = workdir.write("prometheus/prometheus.yml", text)?;
        for rules in ["recording.yml", "alerts.yml"] {
            workdir.write(&format!("prometheus/rules/{rules}"), std::fs::read(shipped().join("rules").join(rules))?)?;
        }
        let mut command = Command::new("prometheus");
        command.arg(format!("--config.file={}", config.display()));
        command.arg(format!("--storage.tsdb.path={}", workdir.join("prometheus/data").display()));
        command.arg(format!("--web.listen-address={own}")).arg("--storage.tsdb.retention.time=30d");
        command.args(arguments);
        Ok(Self { server: Server::start("prometheus", command, port, workdir)? })
    }

    /// The `data` of an answer of the API; an error if it is not a success.
    pub fn api(&self, path: &str, parameters: &[(&str, &str)]) -> Result<Value> {
        let query: Vec<String> = parameters.iter().map(|(name, value)| format!("{name}={}", encoded(value))).collect();
        let mut stream = TcpStream::connect(self.server.address())?;
        stream.set_read_timeout(Some(wait::WIDE))?;
        // HTTP/1.0: the answer ends with the connection and is never chunked.
        write!(stream, "GET /api/v1/{path}?{} HTTP/1.0\r\nHost: localhost\r\n\r\n", query.join("&"))?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer)?;
        let (_, body) = answer.split_once("\r\n\r\n").context("answer without a head")?;
        let answer: Value = serde_json::from_str(body).context("JSON")?;
        ensure!(answer["status"] == "success", "{path} {parameters:?}: {}", answer["error"]);
        Ok(answer["data"].clone())
    }

    /// The numbers of an instant query, without those that are none (NaN).
    pub fn query(&self, expression: &str) -> Result<Vec<f64>> {
        let data = self.api("query", &[("query", expression)])?;
        let samples = data["result"].as_array().context("a vector")?;
        let number = |sample: &Value| sample["value"][1].as_str()?.parse::<f64>().ok().filter(|value| !value.is_nan());
        Ok(samples.iter().filter_map(number).collect())
    }

    /// The values of a label of the series that fit.
    pub fn label_values(&self, series: &str, label: &str) -> Result<Vec<String>> {
        let data = self.api(&format!("label/{label}/values"), &[("match[]", series)])?;
        Ok(serde_json::from_value(data)?)
    }
}

/// Percent-encoding of all but unreserved characters (RFC 3986, section 2.3).
fn encoded(text: &str) -> String {
    let mut coded = String::new();
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            coded.push(byte as char);
        } else {
            coded.push_str(&format!("%{byte:02X}"));
        }
    }
    coded
}
