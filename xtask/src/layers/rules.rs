//! What is allowed where. The tables come first; the functions below only read them.

use super::module::{self, Module};
use super::references::{Reference, Sighting, SourceFile};
use super::{Finding, Source};

const AGENT: &str = "hippius-agent";
const EBPF: &str = "hippius-ebpf";

/// The stages in the direction of the data. A stage may use those before it.
const STAGES: [&str; 8] = ["kernel", "decode", "connection", "exchange", "attribute", "classify", "record", "export"];

/// Joins the stages here: it feeds `record`, and uses no stage itself.
const POLL: &str = "poll";

/// Every stage may use these; they use no stage.
const SHARED: [&str; 4] = ["config", "connect", "escape", "version"];

/// These see everything and put it together.
const WIRING: [&str; 10] = ["lib", "main", "bin", "cli", "logging", "reload", "pipeline", "daemon", "check", "top"];

/// Pure: bytes and `now` in, values out.
const PURE: [&str; 5] = ["decode", "connection", "exchange", "attribute", "classify"];

/// The one place inside of a pure stage that is not pure.
const PURE_EXCEPT: [&str; 1] = ["attribute::store"];

/// Where files, sockets and databases are.
const IO: [&str; 11] =
    ["kernel", "attribute::store", "poll", "export", "config", "connect", "daemon", "check", "top", "main", "bin"];

/// Where tasks and channels are wired, but no I/O is done.
const RUNTIME: [&str; 1] = ["pipeline"];

/// Where `unsafe` is: the agent's kernel modules, and files that say here why they need it.
const UNSAFE_MODULES: [&str; 1] = ["kernel"];
const UNSAFE_FILES: [&str; 0] = [];

/// What does I/O.
const IO_PATHS: [&str; 11] = [
    "std::fs",
    "std::net",
    "std::os::unix::net",
    "tokio",
    "redis",
    "tokio_postgres",
    "hyper",
    "hyper_util",
    "tokio_rustls",
    "aya",
    "aya_log",
];

/// Parts of the above that do none: addresses are plain values.
const NO_IO_PATHS: [&str; 8] = [
    "std::net::IpAddr",
    "std::net::Ipv4Addr",
    "std::net::Ipv6Addr",
    "std::net::SocketAddr",
    "std::net::SocketAddrV4",
    "std::net::SocketAddrV6",
    "std::net::AddrParseError",
    "aya::Pod",
];

/// What a pure stage may not even ask.
const IMPURE_PATHS: [&str; 7] = [
    "std::time::Instant::now",
    "std::time::SystemTime::now",
    "std::thread",
    "std::env",
    "std::process",
    "libc",
    "prometheus",
];

/// All breaches in one file.
pub fn judge(source: &Source, file: &SourceFile, is_test: bool) -> Vec<Finding> {
    let finding =
        |line, what: String, why: &str| Finding { file: source.path.clone(), line, what, why: why.to_owned() };
    let mut findings: Vec<_> =
        file.unfinished.iter().map(|seen| finding(seen.line, format!("`{}`", seen.what), UNFINISHED)).collect();
    let Some(module) = module::of(&source.path) else { return findings };
    if !may_be_unsafe(&module, &source.path) {
        findings.extend(file.unsafe_code.iter().map(|Sighting { line, .. }| {
            finding(*line, "`unsafe`".to_owned(), "raw memory is only touched in the kernel modules")
        }));
    }
    for reference in file.references.iter().filter(|reference| !is_test && !reference.in_test) {
        if let Some(why) = refuse(&module, reference) {
            findings.push(finding(reference.line, format!("`{}`", reference.path.join("::")), &why));
        }
    }
    findings
}

const UNFINISHED: &str = "what is here works, and every test runs";

fn may_be_unsafe(module: &Module, path: &str) -> bool {
    match &*module.package {
        AGENT => UNSAFE_MODULES.iter().any(|allowed| module.starts_with(allowed)) || UNSAFE_FILES.contains(&path),
        // One small file of the pure core reads and writes volatile, for the verifier.
        EBPF => !module.starts_with("capture") || module.starts_with("capture::memory"),
        _ => true,
    }
}

/// Why `module` may not refer to this, if it may not.
fn refuse(module: &Module, reference: &Reference) -> Option<String> {
    match &*module.package {
        AGENT => refuse_stage(module, reference).or_else(|| refuse_io(module, reference)),
        EBPF if module.starts_with("capture") && reference.starts_with_any(&["aya_ebpf", "aya_log_ebpf"]) => {
            Some("`capture` is pure and also built for the host".to_owned())
        }
        _ => None,
    }
}

fn refuse_stage(module: &Module, reference: &Reference) -> Option<String> {
    let [root, used, ..] = &*reference.path else { return None };
    let own = module.top();
    if !(root == "crate" || root == "hippius_agent") || used == own || WIRING.contains(&own) {
        return None;
    }
    let position = |name: &str| STAGES.iter().position(|stage| *stage == name);
    match (position(own), position(used)) {
        _ if SHARED.contains(&&**used) => None,
        (Some(own_at), Some(used_at)) if used_at < own_at => None,
        (Some(_), Some(_)) => Some(format!("`{used}` is on the right of `{own}` ({})", STAGES.join(" → "))),
        (None, Some(_)) if own == POLL => Some(format!("`{own}` feeds `record` and knows no stage")),
        (None, Some(_)) if SHARED.contains(&own) => Some(format!("every stage uses `{own}`, so it knows none of them")),
        (Some(own_at), None) if used == POLL && Some(own_at) >= position("record") => None,
        (_, None) if used == POLL => Some(format!("`{POLL}` joins at `record`; `{own}` is not behind it")),
        _ if WIRING.contains(&&**used) => Some(format!("`{used}` puts the stages together; no stage knows it")),
        (_, None) if is_root_item(used) => None,
        (Some(_), None) => Some(format!("the module `{used}` has {NO_PLACE}")),
        (None, _) if own == POLL || SHARED.contains(&own) => Some(format!("the module `{used}` has {NO_PLACE}")),
        (None, _) => Some(format!("the module `{own}` has {NO_PLACE}")),
    }
}

const NO_PLACE: &str = "no place in the tables of xtask/src/layers/rules.rs";

/// A type or a constant at the crate's root, not a module.
fn is_root_item(name: &str) -> bool {
    name.starts_with(char::is_uppercase)
}

fn refuse_io(module: &Module, reference: &Reference) -> Option<String> {
    let within = |modules: &[&str]| modules.iter().any(|name| module.starts_with(name));
    let own = module.top();
    let does_io = reference.starts_with_any(&IO_PATHS) && !reference.starts_with_any(&NO_IO_PATHS);
    if within(&PURE) && !within(&PURE_EXCEPT) {
        if does_io {
            return Some(format!("`{own}` is pure: no I/O"));
        }
        if reference.starts_with_any(&IMPURE_PATHS) || reference.is_method("elapsed") {
            return Some(format!("`{own}` is pure: `now` is an argument, the process is none of its business"));
        }
    }
    if within(&RUNTIME) && reference.starts_with_any(&["tokio"]) {
        let io = reference.starts_with_any(&["tokio::net", "tokio::fs", "tokio::io"]);
        return io.then(|| format!("`{own}` wires tasks and channels; I/O lives in the stages"));
    }
    (does_io && !within(&IO) && own != "lib").then(|| format!("I/O lives in {}", IO.join(", ")))
}
