//! Keeps the processors from halting, so that a process that waits is woken at once.
//!
//! The kernel stamps a packet when it arrives and the agent stamps a call when it returns; between the two lies the
//! wake-up of the process, tens of microseconds and more where a virtual processor has to be brought back first. Work
//! of the scheduler's idle class (sched(7), `SCHED_IDLE`) fills the pauses and gives way to everything else.

use std::process::Command;

use anyhow::Result;

use crate::process::Process;
use crate::workdir::Workdir;

pub struct Awake {
    _loops: Vec<Process>,
}

impl Awake {
    /// One endless loop for each processor, until dropped.
    pub fn start(workdir: &Workdir) -> Result<Self> {
        let count = std::thread::available_parallelism()?.get();
        let one = |number| {
            let mut command = Command::new("chrt");
            command.args(["--idle", "0", "sh", "-c", "while :; do :; done"]);
            Process::spawn(&format!("awake-{number}"), command, workdir)
        };
        Ok(Self { _loops: (0..count).map(one).collect::<Result<_>>()? })
    }
}
