//! Follows the processes whose connections are watched: their children are too, and those that have ended are not.

use aya_ebpf::macros::btf_tracepoint;
use aya_ebpf::programs::BtfTracePointContext;

use crate::kernel::fields::{Kernel, SIGNAL_LIVE, TASK_SIGNAL, TASK_TGID};
use crate::maps::{CLIENTS, PROGRAMS, TLS_PROCESSES};
use crate::{flows, starts};

/// match-proto: void sched_process_fork(struct task_struct *parent, struct task_struct *child), since 4.4
#[btf_tracepoint(function = "sched_process_fork")]
pub fn sched_process_fork(ctx: BtfTracePointContext) -> i32 {
    let parent = Kernel(ctx.arg::<*const u8>(0)).read::<u32>(&TASK_TGID);
    let child = Kernel(ctx.arg::<*const u8>(1)).read::<u32>(&TASK_TGID);
    // A thread is of its process.
    if parent == child {
        return 0;
    }
    let started_ns = starts::undecided(parent);
    if flows::is_client(parent) {
        // A full table is looked after by the agent, which knows the processes too.
        let _ = CLIENTS.insert(child, 1, 0);
    } else if started_ns != 0 {
        starts::forks(parent, started_ns, child);
    }
    0
}

/// match-proto: void sched_process_exec(struct task_struct *p, pid_t old_pid, struct linux_binprm *bprm), since 4.4
#[btf_tracepoint(function = "sched_process_exec")]
pub fn sched_process_exec(ctx: BtfTracePointContext) -> i32 {
    let tgid = flows::current_tgid();
    let _ = TLS_PROCESSES.remove(tgid);
    if PROGRAMS.get(0).is_some_and(|programs| *programs != 0) {
        starts::executes(tgid, Kernel(ctx.arg::<*const u8>(0)), Kernel(ctx.arg::<*const u8>(2)));
    }
    0
}

/// match-proto: void sched_process_exit(struct task_struct *p, …), since 4.4
#[btf_tracepoint(function = "sched_process_exit")]
pub fn sched_process_exit(ctx: BtfTracePointContext) -> i32 {
    let task = Kernel(ctx.arg::<*const u8>(0));
    // Its first thread may end before others do, and does when another one goes over to a new program.
    if task.follow(&TASK_SIGNAL).read::<u32>(&SIGNAL_LIVE) == 0 {
        let tgid = task.read::<u32>(&TASK_TGID);
        // In this order: the agent looks there, after it has written here, whether the process has ended.
        starts::exits(tgid);
        let _ = CLIENTS.remove(tgid);
        let _ = TLS_PROCESSES.remove(tgid);
    }
    0
}
