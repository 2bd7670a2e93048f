//! Listening services: what is there, what the configuration asks for, and the agent's own address.

use super::Finding;
use crate::config::{Candidate, Config, Service};
use crate::kernel::container::Containers;
use crate::kernel::listeners::Listener;
use crate::kernel::listeners::unix::UnixListener;
use std::collections::BTreeSet;
use std::net::{SocketAddr, TcpListener};

const SUBJECT: &str = "services";

/// Compares the listeners of the host with the configured services.
pub fn checks(config: &Config, found: Result<&[Listener], String>, sockets: &[UnixListener]) -> Vec<Finding> {
    let listeners = match found {
        Ok(listeners) => listeners,
        Err(error) => {
            return vec![Finding::fail(SUBJECT, format!("cannot list listening sockets: {error}"), "mount /proc")];
        }
    };
    let mut findings = vec![overview(listeners)];
    let hidden = listeners.iter().filter(|listener| listener.pid.is_none()).count();
    if hidden > 0 {
        let detail = format!("the processes of {hidden} of {} listening sockets are hidden", listeners.len());
        findings.push(Finding::warn(SUBJECT, detail, "grant CAP_SYS_PTRACE, and share the host's pid namespace"));
    }
    findings.extend(config.services.iter().map(|service| configured(config, service, listeners, sockets)));
    if config.capture.discover {
        findings.push(Finding::ok(SUBJECT, "services that the configuration does not name are found by their traffic"));
    }
    findings
}

/// Whether the metrics can be served where they shall be.
pub fn listen_address(address: SocketAddr, listeners: &[Listener]) -> Finding {
    const SUBJECT: &str = "listen";
    let error = match TcpListener::bind(address) {
        Ok(_) => return Finding::ok(SUBJECT, format!("{address} is free")),
        Err(error) => error,
    };
    let in_use = error.kind() == std::io::ErrorKind::AddrInUse;
    let holder = listeners.iter().find(|listener| in_use && listener.port == address.port() && listener.pid.is_some());
    match holder {
        Some(holder) if holder.comm.as_deref() == Some("hippius-agent") => {
            Finding::ok(SUBJECT, format!("{address} is served by the running agent"))
        }
        Some(holder) => Finding::fail(
            SUBJECT,
            format!("{address} is taken by {}", described(holder)),
            "set \"listen\" to another port",
        ),
        None => {
            Finding::fail(SUBJECT, format!("cannot listen on {address}: {error}"), "set \"listen\" to another address")
        }
    }
}

fn overview(listeners: &[Listener]) -> Finding {
    let namespaces: BTreeSet<u64> = listeners.iter().map(|listener| listener.netns).collect();
    let mut named: Vec<String> = listeners.iter().map(described).collect();
    named.dedup();
    let named = if named.is_empty() { String::new() } else { format!(" ({})", named.join(", ")) };
    let detail = format!("listening TCP sockets: {}, network namespaces: {}{named}", listeners.len(), namespaces.len());
    Finding::ok(SUBJECT, detail)
}

fn configured(config: &Config, service: &Service, listeners: &[Listener], unix: &[UnixListener]) -> Finding {
    let mut containers = Containers::default();
    // The first service that fits takes the socket, so an earlier one may have it.
    let mut fits = |pid: Option<u32>, candidate: Candidate<'_>| {
        containers.service_of(config, pid, candidate).is_some_and(|first| first.name == service.name)
    };
    let ports = listeners.iter().filter(|listener| fits(listener.pid, listener.candidate())).map(described);
    let mut sockets: Vec<String> = ports.collect();
    sockets.extend(
        unix.iter()
            .filter(|listener| fits(listener.pid, listener.candidate()))
            .map(|listener| held(&listener.name, listener.pid, listener.process.comm.as_deref())),
    );
    if !sockets.is_empty() {
        return Finding::ok(SUBJECT, format!("\"{}\" listens: {}", service.name, sockets.join(", ")));
    }
    let process = service.process.as_ref().map(|process| format!("process \"{}\"", process.as_str()));
    let ports = (!service.ports.is_empty()).then(|| format!("port {}", service.ports));
    let named = (!service.sockets.is_empty()).then(|| format!("socket {}", service.sockets));
    let wanted: Vec<String> = process.into_iter().chain(service.within.described()).chain(ports).chain(named).collect();
    let detail = format!("nothing listens that is \"{}\" ({})", service.name, wanted.join(", "));
    let advice = if service.within.is_any() {
        "start it, or correct its \"ports\", \"sockets\" and \"process\""
    } else {
        "start it, or correct its table; names of containers are in files that only root may read (docs/operations.md)"
    };
    Finding::warn(SUBJECT, detail, advice)
}

/// `8000 uvicorn (pid 7)`
fn described(listener: &Listener) -> String {
    held(&listener.port.to_string(), listener.pid, listener.comm.as_deref())
}

fn held(socket: &str, pid: Option<u32>, comm: Option<&str>) -> String {
    match pid {
        Some(pid) => format!("{socket} {} (pid {pid})", comm.unwrap_or("?")),
        None => socket.to_owned(),
    }
}
