//! The capture back-ends: which programs each is made of, and which of them this kernel can take.

use hippius_common::fields::backend;

use super::btf::{BtfError, KernelTypes};
use super::facts::Facts;

/// A set of hooks that sees all calls.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Backend {
    /// fexit programs on the functions that send and receive.
    Fentry,
    /// BTF tracepoints, since 6.3.
    Tracepoint,
}

/// All, in order of preference: the message that fexit programs are given is about the socket by itself, so they read
/// what the tracepoints have to leave.
pub const PREFERENCE: &[Backend] = &[Backend::Fentry, Backend::Tracepoint];

impl Backend {
    /// Its name in the configuration, in `check` and in `hippius_agent_backend_info`.
    pub fn name(self) -> &'static str {
        match self {
            Self::Fentry => "fentry",
            Self::Tracepoint => "tracepoint",
        }
    }

    /// Its bit in the table of kernel fields.
    pub fn bit(self) -> u32 {
        match self {
            Self::Fentry => backend::FENTRY,
            Self::Tracepoint => backend::TRACEPOINT,
        }
    }
}

/// How a program is attached.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Hook {
    /// To a BTF tracepoint.
    Tracepoint,
    /// To the beginning of a function.
    Entry,
    /// To the end of a function.
    Exit,
}

/// One program and its place.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Attachment {
    /// The program's name in the kernel object.
    pub program: &'static str,
    /// How it is attached.
    pub hook: Hook,
    /// The tracepoint or function.
    pub target: &'static str,
    /// Not attached, but reached by tail calls through this array.
    pub array: Option<&'static str>,
}

const fn attached(program: &'static str, hook: Hook, target: &'static str) -> Attachment {
    Attachment { program, hook, target, array: None }
}

const fn continued(program: &'static str, hook: Hook, target: &'static str, array: &'static str) -> Attachment {
    Attachment { program, hook, target, array: Some(array) }
}

/// The back-end's programs for this kernel, or a sentence that says why it cannot run here.
pub fn plan(backend: Backend, types: &KernelTypes, facts: &Facts) -> Result<Vec<Attachment>, String> {
    let missing = facts.missing(backend.bit());
    if !missing.is_empty() {
        return Err(missing.join(", "));
    }
    let mut plan = vec![attached("inet_sock_set_state", Hook::Tracepoint, "inet_sock_set_state")];
    match backend {
        Backend::Tracepoint => plan.extend(tracepoints()),
        Backend::Fentry => plan.extend(exits(types, facts).map_err(|error| error.to_string())??),
    }
    Ok(plan)
}

fn tracepoints() -> [Attachment; 4] {
    let hook = Hook::Tracepoint;
    [
        continued("sock_recv_length_on", hook, "sock_recv_length", "RECV_ON"),
        continued("sock_send_length_on", hook, "sock_send_length", "SEND_ON"),
        attached("sock_recv_length", hook, "sock_recv_length"),
        attached("sock_send_length", hook, "sock_send_length"),
    ]
}

/// A function whose parameters are not the known ones would be read wrongly: the number of them tells versions apart.
fn exits(types: &KernelTypes, facts: &Facts) -> Result<Result<Vec<Attachment>, String>, BtfError> {
    let hook = Hook::Exit;
    let receive = match types.parameters("tcp_recvmsg")? {
        Some(4) => "tcp_recvmsg_short",
        Some(5) => "tcp_recvmsg",
        Some(6) => "tcp_recvmsg_nonblock",
        Some(other) => return Ok(Err(format!("tcp_recvmsg has {other} parameters, known are 4 to 6"))),
        None => return Ok(Err("there is no function tcp_recvmsg".to_owned())),
    };
    if types.parameters("tcp_sendmsg")? != Some(3) {
        return Ok(Err("there is no function tcp_sendmsg of 3 parameters".to_owned()));
    }
    let mut plan = vec![
        continued("tcp_recvmsg_on", hook, "tcp_recvmsg", "RECV_ON"),
        continued("tcp_sendmsg_on", hook, "tcp_sendmsg", "SEND_ON"),
        attached(receive, hook, "tcp_recvmsg"),
        attached("tcp_sendmsg", hook, "tcp_sendmsg"),
    ];
    if types.parameters("tcp_sendpage")? == Some(5) {
        plan.push(attached("tcp_sendpage", hook, "tcp_sendpage"));
    }
    if facts.get("HAS_STORAGE") == 0 {
        plan.push(attached("inet_sock_destruct", Hook::Entry, "inet_sock_destruct"));
    }
    Ok(Ok(plan))
}
