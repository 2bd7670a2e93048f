//! Debian's Prometheus with the shipped configuration, and what its API says.

use std::path::PathBuf;
use std::process::Command;

use anyhow::{Context, Result, ensure};
use serde_json::Value;

use crate::servers::Server;
use crate::workdir::Workdir;
use crate::{paths, ports, process};

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
        Ok(Self { server: Server::start("prometheus", command, port, workdir)? })
    }

    /// The `data` of an answer of the API; an error if it is not a success.
    pub fn api(&self, path: &str, parameters: &[(&str, &str)]) -> Result<Value> {
        let mut curl = Command::new("curl");
        curl.args(["-sS", "--noproxy", "*", "-G", &format!("http://{}/api/v1/{path}", self.server.address())]);
        for (name, value) in parameters {
            curl.arg("--data-urlencode").arg(format!("{name}={value}"));
        }
        let answer: Value = serde_json::from_str(&process::run(&mut curl)?).context("JSON")?;
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
