//! Loads programs, several at a time, and attaches them.

use std::collections::HashMap;
use std::num::NonZero;
use std::sync::{Mutex, PoisonError};
use std::thread;

use aya::maps::ProgramArray;
use aya::programs::{BtfTracePoint, FEntry, FExit, Program, ProgramError, ProgramFd};
use aya::{Btf, Ebpf};

use super::backend::{Attachment, Hook};
use super::error::LoadError;

/// Loads these programs and puts them in their places, or gives the first refusal. The verifier takes a tenth of a second
/// and more for each of the large ones, and knows no lock among the privileged (kernel/bpf/verifier.c, bpf_check), so each
/// processor takes one at a time.
pub fn load(ebpf: &mut Ebpf, plan: &[Attachment], btf: &Btf) -> Result<(), LoadError> {
    for (attachment, fd) in plan.iter().zip(load_all(ebpf, plan, btf)?) {
        if let Some((array, place)) = attachment.array {
            let Some(map) = ebpf.map_mut(array) else { return Err(LoadError::Foreign(array)) };
            ProgramArray::try_from(map)?.set(place, &fd, 0)?;
        }
    }
    Ok(())
}

/// Their descriptors, in the order of the plan.
fn load_all(ebpf: &mut Ebpf, plan: &[Attachment], btf: &Btf) -> Result<Vec<ProgramFd>, LoadError> {
    let [first, others @ ..] = plan else { return Ok(Vec::new()) };
    // Where the kernel refuses the kind, it does so for the first, and the others need not be asked.
    let loaded_first = load_one(program(ebpf, first.program)?, first, btf)?;
    let mut programs: HashMap<&str, &mut Program> = ebpf.programs_mut().collect();
    let mut work = Vec::new();
    for (index, attachment) in others.iter().enumerate().rev() {
        let name = attachment.program;
        work.push((index, attachment, programs.remove(name).ok_or(LoadError::Foreign(name))?));
    }
    let workers = thread::available_parallelism().map_or(1, NonZero::get).min(work.len());
    let (work, results) = (Mutex::new(work), Mutex::new(Vec::new()));
    thread::scope(|scope| {
        for _ in 0..workers {
            scope.spawn(|| {
                while let Some((index, attachment, program)) = locked(&work, Vec::pop) {
                    let result = load_one(program, attachment, btf);
                    locked(&results, |results| results.push((index, result)));
                }
            });
        }
    });
    let mut results = results.into_inner().unwrap_or_else(PoisonError::into_inner);
    results.sort_by_key(|(index, _)| *index);
    std::iter::once(Ok(loaded_first)).chain(results.into_iter().map(|(_, result)| result)).collect()
}

fn locked<T, R>(mutex: &Mutex<T>, change: impl FnOnce(&mut T) -> R) -> R {
    change(&mut mutex.lock().unwrap_or_else(PoisonError::into_inner))
}

fn load_one(program: &mut Program, attachment: &Attachment, btf: &Btf) -> Result<ProgramFd, LoadError> {
    let loaded = (|| {
        match attachment.hook {
            Hook::Tracepoint => <&mut BtfTracePoint>::try_from(&mut *program)?.load(attachment.target, btf)?,
            Hook::Entry => <&mut FEntry>::try_from(&mut *program)?.load(attachment.target, btf)?,
            Hook::Exit => <&mut FExit>::try_from(&mut *program)?.load(attachment.target, btf)?,
        }
        Ok(program.fd()?.try_clone()?)
    })();
    loaded.map_err(|source: ProgramError| refused(attachment, source))
}

/// Attaches one that is loaded, unless it is reached by tail calls.
pub fn attach(ebpf: &mut Ebpf, attachment: &Attachment) -> Result<(), LoadError> {
    if attachment.array.is_some() {
        return Ok(());
    }
    let program = program(ebpf, attachment.program)?;
    let attached = (|| {
        match attachment.hook {
            Hook::Tracepoint => <&mut BtfTracePoint>::try_from(program)?.attach().map(|_| ())?,
            Hook::Entry => <&mut FEntry>::try_from(program)?.attach().map(|_| ())?,
            Hook::Exit => <&mut FExit>::try_from(program)?.attach().map(|_| ())?,
        }
        Ok(())
    })();
    attached.map_err(|source| refused(attachment, source))
}

/// Takes a program away again that runs at the end of a function, however far it got.
pub fn unload_exit(ebpf: &mut Ebpf, attachment: &Attachment) {
    if let Some(Program::FExit(program)) = ebpf.program_mut(attachment.program) {
        // An error says that it was never loaded.
        let _ = program.unload();
    }
}

/// The program of this name.
pub fn program<'a>(ebpf: &'a mut Ebpf, name: &'static str) -> Result<&'a mut Program, LoadError> {
    ebpf.program_mut(name).ok_or(LoadError::Foreign(name))
}

fn refused(attachment: &Attachment, source: ProgramError) -> LoadError {
    LoadError::Program { name: attachment.program, source: Box::new(source) }
}
