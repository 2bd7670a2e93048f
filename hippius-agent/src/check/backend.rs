//! Which capture back-ends this kernel takes: asked by loading them. Nothing is attached.

use super::{Finding, Host, mptcp};
use crate::config::{self, Config};
use crate::kernel::backend::{Backend, PREFERENCE};
use crate::kernel::begin::mptcp_enabled;
use crate::kernel::error::LoadError;
use crate::kernel::loader::Settings;
use crate::kernel::trial::try_load;

const SUBJECT: &str = "backend";

/// Loads each back-end that the configuration allows.
pub fn checks(config: &Config, host: &Host) -> Vec<Finding> {
    let capture = &config.capture;
    let settings =
        Settings { ring_bytes: capture.ring_bytes, max_flows: capture.max_connections, ..Settings::default() };
    let candidates: &[Backend] = match capture.backend {
        config::Backend::Auto => PREFERENCE,
        config::Backend::Fentry => &[Backend::Fentry],
        config::Backend::Tracepoint => &[Backend::Tracepoint],
    };
    let results: Vec<_> = candidates.iter().map(|&backend| (backend, try_load(backend, &settings))).collect();
    let used = results.iter().find_map(|(_, result)| result.as_ref().ok());
    let mptcp = used.map(|loads| mptcp::finding(mptcp_enabled(&host.proc), loads.mptcp.as_ref().err()));
    let mut findings = findings(results.into_iter().map(|(backend, result)| (backend, result.map(drop))));
    findings.extend(mptcp);
    findings
}

/// What is said of the results, in order of preference: the first that loads is the one that `run` uses, if its
/// self-check passes.
pub fn findings(results: impl Iterator<Item = (Backend, Result<(), LoadError>)>) -> Vec<Finding> {
    let mut findings = Vec::new();
    let mut chosen = None;
    for (backend, result) in results {
        let name = backend.name();
        match result {
            Ok(()) if chosen.is_some() => findings.push(Finding::ok(SUBJECT, format!("{name} loads too"))),
            Ok(()) => {
                chosen = Some(backend);
                findings.push(Finding::ok(SUBJECT, format!("{name} loads and is used")));
            }
            Err(error) => {
                // The verifier's log behind the first line is for `run`.
                let text = error.to_string();
                let line = text.lines().next().unwrap_or_default();
                findings.push(Finding::ok(SUBJECT, format!("{name} does not load: {line}")));
            }
        }
    }
    if chosen.is_none() {
        let advice = "grant what is missing above; else run kernel 5.10 or newer with CONFIG_DEBUG_INFO_BTF=y";
        findings.push(Finding::fail(SUBJECT, "no capture back-end loads", advice));
    }
    findings
}
