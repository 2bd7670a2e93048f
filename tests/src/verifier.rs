//! What the kernel's verifier says of each program that the agent loads: instructions walked, stack used.
//!
//! The kernel tells only the loader, and only where the loader asks. So the agent is run under ptrace, and at each
//! `BPF_PROG_LOAD` of any of its threads the question (`BPF_LOG_STATS`) is put into the call; nothing else of it changes.

use std::collections::HashMap;
use std::ffi::c_void;
use std::fs::File;
use std::os::unix::fs::FileExt as _;
use std::os::unix::process::CommandExt as _;
use std::process::{Child, Command, Stdio};

use anyhow::{Context, Result, bail, ensure};

/// One program, as the kernel took it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Verified {
    pub name: String,
    /// Instructions that were loaded.
    pub instructions: u32,
    /// Instructions that the verifier walked; it gives up at a million.
    pub walked: u64,
    /// Bytes of stack of the program and of each of its functions, such as `120+32`.
    pub stack: String,
}

/// Runs the agent until its runtime begins or it ends, and gives the programs that were loaded until then, by name.
pub fn programs(mut agent: Command) -> Result<Vec<Verified>> {
    // A group of its own: all of its threads, and nobody else's children, can be waited for at once.
    agent.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).process_group(0);
    // SAFETY: async-signal-safe, and touches only the child.
    unsafe {
        agent.pre_exec(|| {
            libc::ptrace(libc::PTRACE_TRACEME, 0, 0, 0);
            Ok(())
        });
    }
    let mut traced = Traced { child: agent.spawn().context("start the agent under ptrace")? };
    let found = traced.follow();
    let _ = traced.child.kill();
    while traced.wait().is_ok() {}
    let mut found = found?;
    found.sort_by(|one, other| one.name.cmp(&other.name));
    Ok(found)
}

struct Traced {
    child: Child,
}

/// What is left to do when the call returns.
struct Asked {
    name: String,
    instructions: u32,
    attr_at: u64,
    log_at: u64,
    before: [u8; 16],
}

/// Offsets in `union bpf_attr` (include/uapi/linux/bpf.h), `BPF_PROG_LOAD`.
const INSN_CNT: u64 = 4;
const LOG_LEVEL: u64 = 24;
const FUNC_INFO: u64 = 80;
/// `BPF_LOG_STATS`
const STATS: u32 = 4;
const LOG_BYTES: usize = 2048;
/// What the ABI lets a function use below its stack pointer.
const RED_ZONE: u64 = 128;

impl Traced {
    fn follow(&self) -> Result<Vec<Verified>> {
        let (thread, alive) = self.wait()?;
        ensure!(alive, "the agent ended at once");
        let options = libc::PTRACE_O_TRACESYSGOOD | libc::PTRACE_O_EXITKILL | libc::PTRACE_O_TRACECLONE;
        request(thread, libc::PTRACE_SETOPTIONS, options)?;
        request(thread, libc::PTRACE_SYSCALL, 0)?;
        let memory = File::options().read(true).write(true).open(format!("/proc/{}/mem", self.child.id()))?;
        let (mut types, mut asked, mut found) = (Vec::new(), HashMap::new(), Vec::new());
        loop {
            let (thread, alive) = self.wait()?;
            if !alive {
                if thread == self.child.id() as libc::pid_t {
                    return Ok(found);
                }
                continue;
            }
            let call = call(thread)?;
            if call.op == libc::PTRACE_SYSCALL_INFO_EXIT {
                if let Some(asked) = asked.remove(&thread) {
                    // SAFETY: the kernel says which member it filled in.
                    found.extend(answer(&memory, asked, unsafe { call.u.exit.sval })?);
                }
            } else if call.op == libc::PTRACE_SYSCALL_INFO_ENTRY {
                // SAFETY: the kernel says which member it filled in.
                let entry = unsafe { call.u.entry };
                match (entry.nr as i64, entry.args[0]) {
                    // The runtime, which begins when all is loaded.
                    (libc::SYS_epoll_create1, _) => return Ok(found),
                    (libc::SYS_bpf, 18) => types = btf(&memory, entry.args[1])?,
                    (libc::SYS_bpf, 5) => {
                        if let Some(question) = ask(&memory, &types, entry.args[1], call.stack_pointer)? {
                            asked.insert(thread, question);
                        }
                    }
                    _ => {}
                }
            }
            request(thread, libc::PTRACE_SYSCALL, 0)?;
        }
    }

    /// Until one of the threads stops: which one, and false when it has ended.
    fn wait(&self) -> Result<(libc::pid_t, bool)> {
        let mut status = 0;
        // SAFETY: plain system call about our own child's group.
        let thread = unsafe { libc::waitpid(-(self.child.id() as libc::pid_t), &mut status, libc::__WALL) };
        ensure!(thread > 0, "waitpid: {}", std::io::Error::last_os_error());
        Ok((thread, libc::WIFSTOPPED(status)))
    }
}

fn request(thread: libc::pid_t, request: libc::c_uint, data: libc::c_int) -> Result<()> {
    // SAFETY: the thread is stopped; these requests take a number and no memory.
    let result = unsafe { libc::ptrace(request, thread, 0, libc::c_long::from(data)) };
    ensure!(result == 0, "ptrace {request}: {}", std::io::Error::last_os_error());
    Ok(())
}

fn call(thread: libc::pid_t) -> Result<libc::ptrace_syscall_info> {
    // SAFETY: zeros are a valid value of this structure of numbers.
    let mut info: libc::ptrace_syscall_info = unsafe { std::mem::zeroed() };
    let room = size_of_val(&info);
    // SAFETY: the structure has room for as many bytes as we say.
    let got = unsafe { libc::ptrace(libc::PTRACE_GET_SYSCALL_INFO, thread, room, (&raw mut info).cast::<c_void>()) };
    ensure!(got > 0, "PTRACE_GET_SYSCALL_INFO: {}", std::io::Error::last_os_error());
    Ok(info)
}

/// Puts the question in; the log lies where the stopped thread's stack is free.
fn ask(memory: &File, types: &[u8], attr_at: u64, stack: u64) -> Result<Option<Asked>> {
    let name = function_name(memory, types, attr_at);
    let Some(name) = name else { return Ok(None) };
    let log_at = (stack - RED_ZONE - LOG_BYTES as u64) & !7;
    let mut before = [0; 16];
    memory.read_exact_at(&mut before, attr_at + LOG_LEVEL)?;
    let mut question = [0; 16];
    question[..4].copy_from_slice(&STATS.to_ne_bytes());
    question[4..8].copy_from_slice(&(LOG_BYTES as u32).to_ne_bytes());
    question[8..].copy_from_slice(&log_at.to_ne_bytes());
    memory.write_all_at(&vec![0; LOG_BYTES], log_at)?;
    memory.write_all_at(&question, attr_at + LOG_LEVEL)?;
    Ok(Some(Asked { name, instructions: word(memory, attr_at + INSN_CNT)?, attr_at, log_at, before }))
}

/// Reads the answer of a call that succeeded, and leaves the agent's memory as it was.
fn answer(memory: &File, asked: Asked, result: i64) -> Result<Option<Verified>> {
    memory.write_all_at(&asked.before, asked.attr_at + LOG_LEVEL)?;
    if result < 0 {
        return Ok(None);
    }
    let mut log = vec![0; LOG_BYTES];
    memory.read_exact_at(&mut log, asked.log_at)?;
    let log = String::from_utf8_lossy(&log);
    let after = |word: &str| Some(log.split_once(word)?.1.split_whitespace().next()?.to_owned());
    let (Some(walked), Some(stack)) = (after("processed "), after("stack depth ")) else {
        bail!("{}: the verifier said {log:?}", asked.name);
    };
    let walked = walked.parse().with_context(|| format!("{}: {walked:?}", asked.name))?;
    Ok(Some(Verified { name: asked.name, instructions: asked.instructions, walked, stack }))
}

fn word(memory: &File, at: u64) -> Result<u32> {
    let mut bytes = [0; 4];
    memory.read_exact_at(&mut bytes, at)?;
    Ok(u32::from_ne_bytes(bytes))
}

/// The types that the agent loads for its programs (`BPF_BTF_LOAD`: address and size).
fn btf(memory: &File, attr_at: u64) -> Result<Vec<u8>> {
    let mut at = [0; 8];
    memory.read_exact_at(&mut at, attr_at)?;
    let mut types = vec![0; word(memory, attr_at + 16)? as usize];
    memory.read_exact_at(&mut types, u64::from_ne_bytes(at))?;
    Ok(types)
}

/// The whole name of a program: `prog_name` holds only 15 bytes of it. None for a program without types, which is one
/// of the loader's own questions to the kernel.
fn function_name(memory: &File, types: &[u8], attr_at: u64) -> Option<String> {
    let mut info_at = [0; 8];
    memory.read_exact_at(&mut info_at, attr_at + FUNC_INFO).ok()?;
    // `struct bpf_func_info`: `insn_off`, `type_id`.
    type_name(types, word(memory, u64::from_ne_bytes(info_at) + 4).ok()?)
}

/// Documentation/bpf/btf.rst: header, types, strings; a type is three words and what its kind adds.
fn type_name(types: &[u8], wanted: u32) -> Option<String> {
    let word = |at: usize| Some(u32::from_ne_bytes(types.get(at..at + 4)?.try_into().ok()?) as usize);
    let header = word(4)?;
    let (mut at, strings) = (header + word(8)?, header + word(16)?);
    for _ in 1..wanted {
        let info = word(at + 4)?;
        let (kind, count) = (info >> 24 & 0x1f, info & 0xffff);
        at += 12
            + match kind {
                1 | 14 | 17 => 4,
                3 => 12,
                4 | 5 | 15 | 19 => 12 * count,
                6 | 13 => 8 * count,
                _ => 0,
            };
    }
    let name = types.get(strings + word(at)?..)?;
    let end = name.iter().position(|byte| *byte == 0)?;
    String::from_utf8(name[..end].to_vec()).ok()
}
