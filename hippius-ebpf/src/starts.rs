//! Processes of which the agent has not said yet whether they are configured clients: watched meanwhile.
//!
//! The agent's answer is about one run of a process, never about a number: a run that has ended, or has given way to
//! another program, cannot be mixed up with what came after it, however late the answer is.
//!
//! What is a client for certain stands in `CLIENTS`. The agent writes there before it takes the question away from
//! `ANSWERS`. So who asks here first and there afterwards finds the process in one of them.

use aya_ebpf::helpers::generated::{bpf_get_current_comm, bpf_probe_read_kernel_str, bpf_probe_read_user};
use hippius_common::flow::{Flow, LEFT_ALONE, kind};
use hippius_common::loss;
use hippius_common::started::{COMMAND_BYTES, EXECUTABLE_BYTES, Run, Started, answer};
use hippius_ebpf::capture::memory::{load, store};

use crate::kernel::clock;
use crate::kernel::fields::{BINPRM_FILE, DENTRY_NAME, FILE_DENTRY, Kernel, MM_ARG_END, MM_ARG_START, TASK_MM};
use crate::maps::{ANSWERS, STARTED};
use crate::{emit, flows};

/// When this process began to run its program, if it is not decided whether it is a client, else 0.
#[inline(always)]
pub fn undecided(tgid: u32) -> u64 {
    // SAFETY: copied at once; values are freed only after the programs that found them have ended.
    let Some(started_ns) = (unsafe { STARTED.get(&tgid) }).copied() else { return 0 };
    if said_of(tgid, started_ns) == answer::NONE { started_ns } else { 0 }
}

/// One of [`answer`], or 0 for a client and for what is forgotten.
#[inline(always)]
fn said_of(tgid: u32, started_ns: u64) -> u32 {
    // SAFETY: as above.
    unsafe { ANSWERS.get(&Run { started_ns, tgid: u64::from(tgid) }) }.copied().unwrap_or(0)
}

/// Whether a socket that a process opened before it was decided is of no interest after all.
#[inline(always)]
pub fn is_left_alone(flow: &mut Flow) -> bool {
    if flow.started_ns == 0 || flow.started_ns == LEFT_ALONE {
        return flow.started_ns == LEFT_ALONE;
    }
    let left = said_of(flow.header.tgid, flow.started_ns) == answer::NO;
    if left {
        flow.started_ns = LEFT_ALONE;
    }
    left
}

/// A process begins to run a program.
#[inline(always)]
pub fn executes(tgid: u32, task: Kernel, binprm: Kernel) {
    let from = undecided(tgid);
    if flows::is_client(tgid) {
        // It stays one.
        return;
    }
    let from = Run { started_ns: from, tgid: if from == 0 { 0 } else { u64::from(tgid) } };
    let Some(run) = begin(tgid) else { return };
    let file = binprm.follow(&BINPRM_FILE);
    let name = file.follow(&FILE_DENTRY).read::<*const u8>(&DENTRY_NAME);
    let mm = task.follow(&TASK_MM);
    let (start, end) = (mm.read::<u64>(&MM_ARG_START), mm.read::<u64>(&MM_ARG_END));
    let told = emit::program(|program| {
        let len = end.wrapping_sub(start) as u32;
        program.started = Started { kind: kind::STARTED, executes: 1, command_len: len, run, from };
        program.zero = 0;
        // Read back as it is compared: the verifier knows the bounds of that very number.
        store(&mut program.command_held, len);
        let held = load(&program.command_held);
        let held = if held > COMMAND_BYTES as u32 { COMMAND_BYTES as u32 } else { held };
        // SAFETY: each writes no more than the field that it is given; a page that is not there is an error, not a fault.
        unsafe {
            bpf_get_current_comm(program.comm.as_mut_ptr().cast(), 16);
            let read =
                bpf_probe_read_kernel_str(program.executable.as_mut_ptr().cast(), EXECUTABLE_BYTES as u32, name.cast());
            if read < 0 {
                program.executable[0] = 0;
            }
            let read = bpf_probe_read_user(program.command.as_mut_ptr().cast(), held, start as *const _);
            program.command_held = if read == 0 { held } else { 0 };
        }
    });
    if !told {
        forget(&run);
    }
}

/// A process that is not decided has begotten another.
#[inline(always)]
pub fn forks(parent: u32, started_ns: u64, child: u32) {
    let Some(run) = begin(child) else { return };
    let from = Run { started_ns, tgid: u64::from(parent) };
    let mut started = Started { kind: kind::STARTED, executes: 0, command_len: 0, run, from };
    if !emit::started(&mut started) {
        forget(&run);
    }
}

/// Before the agent is told, which may answer at once.
#[inline(always)]
fn begin(tgid: u32) -> Option<Run> {
    let run = Run { started_ns: clock::now(), tgid: u64::from(tgid) };
    let noted = STARTED.insert(tgid, run.started_ns, 0).is_ok() && ANSWERS.insert(run, answer::NONE, 0).is_ok();
    if !noted {
        emit::count_loss(loss::NO_STATE);
        return None;
    }
    Some(run)
}

/// Nobody will answer.
#[inline(always)]
fn forget(run: &Run) {
    let _ = ANSWERS.remove(run);
}

/// A process has ended. The agent takes away its answers.
#[inline(always)]
pub fn exits(tgid: u32) {
    let _ = STARTED.remove(tgid);
}
