//! A program that the agent starts: its own, which says its version and ends.

use std::io;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Instant;

use hippius_common::started::Program;

use super::{DEADLINE, Probes, SelfCheckError};
use crate::kernel::clients::Answers;
use crate::kernel::clock::monotonic_ns;
use crate::kernel::process;
use crate::kernel::record::{Item, text};
use crate::kernel::watch::Watch;

const OWN: &str = "/proc/self/exe";

/// Starts it and compares. Others' records are kept. Where nothing may be started, nothing is compared.
pub(super) fn check(probes: &mut Probes, watched: &Watch) -> Result<(), SelfCheckError> {
    let watch = Watch { programs: true, ..watched.clone() };
    probes.controls.clients.watch(&watch).map_err(io::Error::other)?;
    let arguments = ["--version".to_owned(), format!("self-check-{:016x}", monotonic_ns())];
    let mut command = Command::new(OWN);
    command.args(&arguments).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    let child = command.spawn();
    let seen = match child {
        Ok(mut child) => {
            let seen = collect(probes, child.id());
            child.wait()?;
            let program = seen?;
            if probes.controls.clients.is_running(program.started.run) {
                return Err(SelfCheckError::Program("end"));
            }
            Some(program)
        }
        Err(_) => None,
    };
    probes.controls.clients.watch(watched).map_err(io::Error::other)?;
    seen.map_or(Ok(()), |program| compare(&program, &arguments))
}

fn compare(program: &Program, arguments: &[String]) -> Result<(), SelfCheckError> {
    let command: String =
        [OWN].into_iter().chain(arguments.iter().map(String::as_str)).map(|it| format!("{it}\0")).collect();
    let held = program.command.get(..program.command_held as usize);
    if held != Some(command.as_bytes()) || program.started.command_len as usize != command.len() {
        return Err(SelfCheckError::Program("command line"));
    }
    if process::executable(Path::new(OWN)).is_none_or(|own| own != text(&program.executable)) {
        return Err(SelfCheckError::Program("executable"));
    }
    Ok(())
}

fn collect(probes: &mut Probes, pid: u32) -> Result<Box<Program>, SelfCheckError> {
    let deadline = Instant::now() + DEADLINE;
    while Instant::now() < deadline {
        while let Some(item) = probes.ring.next() {
            match Item::parse(&item) {
                Some(Item::Executes(program)) if program.started.run.tgid == u64::from(pid) => {
                    let answers = Answers { forgotten: vec![program.started.run], ..Answers::default() };
                    probes.controls.clients.answer(&answers).map_err(io::Error::other)?;
                    return Ok(program);
                }
                _ => probes.early.keep(&item),
            }
        }
        std::thread::sleep(std::time::Duration::from_millis(1));
    }
    Err(SelfCheckError::Program("process"))
}
