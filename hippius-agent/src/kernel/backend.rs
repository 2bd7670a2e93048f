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
    pub fn bit(self) -> &'static u32 {
        match self {
            Self::Fentry => &backend::FENTRY,
            Self::Tracepoint => &backend::TRACEPOINT,
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

/// What a program is for, which says when it is loaded: the verifier walks the large ones for long.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Part {
    /// Servers on ports, and what all need.
    Servers,
    /// Unix sockets, where they have functions of their own.
    Unix,
    /// Connections that watched processes open. Loaded when servers are watched already.
    Clients,
    /// MPTCP, where it has functions of its own. Loaded last.
    Mptcp,
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
    /// Not attached, but reached by tail calls through this place of this array.
    pub array: Option<(&'static str, u32)>,
    /// What it is for.
    pub part: Part,
}

const fn attached(program: &'static str, hook: Hook, target: &'static str) -> Attachment {
    Attachment { program, hook, target, array: None, part: Part::Servers }
}

/// Places of `RECV_ON` and `SEND_ON`, as `hippius-ebpf/src/hooks/runs.rs` has them.
mod place {
    pub const SERVER_ON: u32 = 0;
    pub const CLIENT: u32 = 1;
    pub const CLIENT_ON: u32 = 2;
    pub const STREAM_ON: u32 = 3;
}

/// The programs that go on with one that is attached; the smallest is the first.
const fn continued(
    hook: Hook,
    target: &'static str,
    array: &'static str,
    programs: [&'static str; 4],
) -> [Attachment; 4] {
    let [server_on, client, client_on, stream_on] = programs;
    let (servers, clients) = (Part::Servers, Part::Clients);
    [
        Attachment { program: stream_on, hook, target, array: Some((array, place::STREAM_ON)), part: servers },
        Attachment { program: server_on, hook, target, array: Some((array, place::SERVER_ON)), part: servers },
        Attachment { program: client, hook, target, array: Some((array, place::CLIENT)), part: clients },
        Attachment { program: client_on, hook, target, array: Some((array, place::CLIENT_ON)), part: clients },
    ]
}

/// What both back-ends follow: states of sockets, and processes.
const STATES: [&str; 4] = ["inet_sock_set_state", "sched_process_fork", "sched_process_exec", "sched_process_exit"];

/// The back-end's programs for this kernel, first a small one that only it needs, or a sentence that says why it cannot
/// run here.
pub fn plan(backend: Backend, types: &KernelTypes, facts: &Facts) -> Result<Vec<Attachment>, String> {
    let missing = facts.missing(*backend.bit());
    if !missing.is_empty() {
        return Err(missing.join(", "));
    }
    let mut plan = Vec::new();
    match backend {
        Backend::Tracepoint => plan.extend(tracepoints()),
        Backend::Fentry => plan.extend(exits(types, facts).map_err(|error| error.to_string())??),
    }
    plan.extend(STATES.iter().map(|name| attached(name, Hook::Tracepoint, name)));
    Ok(plan)
}

fn tracepoints() -> impl Iterator<Item = Attachment> {
    let hook = Hook::Tracepoint;
    let receive =
        ["sock_recv_length_on", "sock_recv_length_client", "sock_recv_length_client_on", "sock_recv_length_stream"];
    let send =
        ["sock_send_length_on", "sock_send_length_client", "sock_send_length_client_on", "sock_send_length_stream"];
    let entries = ["sock_recv_length", "sock_send_length"];
    continued(hook, "sock_recv_length", "RECV_ON", receive)
        .into_iter()
        .chain(continued(hook, "sock_send_length", "SEND_ON", send))
        .chain(entries.map(|name| attached(name, hook, name)))
}

/// A function whose parameters are not the known ones would be read wrongly: the number of them tells versions apart.
fn exits(types: &KernelTypes, facts: &Facts) -> Result<Result<Vec<Attachment>, String>, BtfError> {
    let hook = Hook::Exit;
    let [receive, receive_client] = match types.parameters("tcp_recvmsg")? {
        Some(4) => ["tcp_recvmsg_short", "tcp_recvmsg_short_client"],
        Some(5) => ["tcp_recvmsg", "tcp_recvmsg_client"],
        Some(6) => ["tcp_recvmsg_nonblock", "tcp_recvmsg_nonblock_client"],
        Some(other) => return Ok(Err(format!("tcp_recvmsg has {other} parameters, known are 4 to 6"))),
        None => return Ok(Err("there is no function tcp_recvmsg".to_owned())),
    };
    if types.parameters("tcp_sendmsg")? != Some(3) {
        return Ok(Err("there is no function tcp_sendmsg of 3 parameters".to_owned()));
    }
    let receiving = ["tcp_recvmsg_on", receive_client, "tcp_recvmsg_client_on", "tcp_recvmsg_stream"];
    let sending = ["tcp_sendmsg_on", "tcp_sendmsg_client", "tcp_sendmsg_client_on", "tcp_sendmsg_stream"];
    let mut plan = Vec::new();
    plan.extend(continued(hook, "tcp_recvmsg", "RECV_ON", receiving));
    plan.extend(continued(hook, "tcp_sendmsg", "SEND_ON", sending));
    plan.push(attached(receive, hook, "tcp_recvmsg"));
    plan.push(attached("tcp_sendmsg", hook, "tcp_sendmsg"));
    if types.parameters("tcp_sendpage")? == Some(5) {
        plan.push(attached("tcp_sendpage", hook, "tcp_sendpage"));
    }
    plan.extend(unix_exits(types)?);
    plan.extend(mptcp_exits(types)?);
    if facts.get("HAS_STORAGE") == 0 {
        plan.push(attached("inet_sock_destruct", Hook::Entry, "inet_sock_destruct"));
    }
    Ok(Ok(plan))
}

/// Unix sockets have functions of their own. Where they are not the known ones, there are no Unix sockets to be seen.
fn unix_exits(types: &KernelTypes) -> Result<Vec<Attachment>, BtfError> {
    const NEEDED: [(&str, u32); 3] = [("unix_stream_recvmsg", 4), ("unix_stream_sendmsg", 3), ("unix_release", 1)];
    for (function, parameters) in NEEDED {
        if types.parameters(function)? != Some(parameters) {
            return Ok(Vec::new());
        }
    }
    let mut plan = vec![
        on("unix_stream_recvmsg_on", "unix_stream_recvmsg", "UNIX_RECV_ON"),
        on("unix_stream_sendmsg_on", "unix_stream_sendmsg", "UNIX_SEND_ON"),
        attached("unix_stream_recvmsg", Hook::Exit, "unix_stream_recvmsg"),
        attached("unix_stream_sendmsg", Hook::Exit, "unix_stream_sendmsg"),
        attached("unix_release", Hook::Entry, "unix_release"),
    ];
    for function in ["unix_stream_sendpage", "unix_stream_splice_read"] {
        if types.parameters(function)? == Some(5) {
            plan.push(attached(function, Hook::Exit, function));
        }
    }
    Ok(of(Part::Unix, plan))
}

/// Likewise MPTCP. A kernel that is built without has none of these functions.
fn mptcp_exits(types: &KernelTypes) -> Result<Vec<Attachment>, BtfError> {
    let receive = match types.parameters("mptcp_recvmsg")? {
        Some(4) => "mptcp_recvmsg_short",
        Some(5) => "mptcp_recvmsg",
        Some(6) => "mptcp_recvmsg_nonblock",
        _ => return Ok(Vec::new()),
    };
    if types.parameters("mptcp_sendmsg")? != Some(3) {
        return Ok(Vec::new());
    }
    let plan = vec![
        on("mptcp_recvmsg_on", "mptcp_recvmsg", "MPTCP_RECV_ON"),
        on("mptcp_sendmsg_on", "mptcp_sendmsg", "MPTCP_SEND_ON"),
        attached(receive, Hook::Exit, "mptcp_recvmsg"),
        attached("mptcp_sendmsg", Hook::Exit, "mptcp_sendmsg"),
    ];
    Ok(of(Part::Mptcp, plan))
}

/// A program that goes on with one on a server's socket, where that is all there is to go on with.
const fn on(program: &'static str, target: &'static str, array: &'static str) -> Attachment {
    Attachment { array: Some((array, place::SERVER_ON)), ..attached(program, Hook::Exit, target) }
}

fn of(part: Part, plan: Vec<Attachment>) -> Vec<Attachment> {
    plan.into_iter().map(|attachment| Attachment { part, ..attachment }).collect()
}
