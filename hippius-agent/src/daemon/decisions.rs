//! Which of the processes that have begun to run a program are configured clients.
//!
//! The kernel side watches such a process until the agent has said what it is, and tells of it before it tells of its
//! connections. So every connection finds an answer here, however late the agent comes to it.

use std::collections::VecDeque;

use hashbrown::HashMap;
use hippius_common::started::{Program, Run, Started};

use crate::config::Config;
use crate::kernel::clients::Answers;
use crate::kernel::process;
use crate::kernel::record::text;

/// Answers that are kept for connections that are still to be told of. A connection is told of when it has moved its first
/// bytes, or has ended.
const KEPT: usize = 16_384;

/// What is known of one run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Decision {
    /// It is a client's.
    Client,
    /// It is none.
    Other,
    /// That cannot be told: its command line is longer than what the kernel side tells, and it is gone.
    Unknown,
}

/// The answers.
#[derive(Debug, Default)]
pub struct Decisions {
    known: HashMap<Run, Decision, ahash::RandomState>,
    /// The oldest first.
    order: VecDeque<Run>,
    answers: Answers,
}

impl Decisions {
    /// A process has begun to run a program. `whole` gives its command line where the record holds a part.
    pub fn executes(&mut self, config: &Config, program: &Program, whole: impl FnOnce(Run) -> Option<Vec<u8>>) {
        let from = self.of_source(program.started.from);
        let decision = match (from, decide(config, program, whole)) {
            (Decision::Client, _) | (_, Decision::Client) => Decision::Client,
            (Decision::Unknown, _) | (_, Decision::Unknown) => Decision::Unknown,
            _ => Decision::Other,
        };
        self.keep(program.started.run, decision);
    }

    /// A process was forked: it is what the other one is.
    pub fn forked(&mut self, started: &Started) {
        self.keep(started.run, self.of_source(started.from));
    }

    /// What was said of it, if that is still known.
    pub fn of(&self, run: Run) -> Option<Decision> {
        self.known.get(&run).copied()
    }

    /// Whether the last program that this process is known to have begun is a client.
    pub fn is_client(&self, tgid: u32) -> bool {
        let last = self.order.iter().rev().find(|run| run.tgid == u64::from(tgid));
        last.is_some_and(|run| self.of(*run) == Some(Decision::Client))
    }

    /// What is to be said to the kernel side since this was last asked; `None` for nothing.
    pub fn take_answers(&mut self) -> Option<Answers> {
        let answers = std::mem::take(&mut self.answers);
        (answers != Answers::default()).then_some(answers)
    }

    fn of_source(&self, from: Run) -> Decision {
        if from == Run::default() { Decision::Other } else { self.of(from).unwrap_or(Decision::Unknown) }
    }

    fn keep(&mut self, run: Run, decision: Decision) {
        if decision == Decision::Client {
            self.answers.clients.push(run);
        } else {
            self.answers.others.push(run);
        }
        if self.known.insert(run, decision).is_none() {
            self.order.push_back(run);
        }
        if self.order.len() > KEPT
            && let Some(oldest) = self.order.pop_front()
            && self.known.remove(&oldest) != Some(Decision::Client)
        {
            self.answers.forgotten.push(oldest);
        }
    }
}

fn decide(config: &Config, program: &Program, whole: impl FnOnce(Run) -> Option<Vec<u8>>) -> Decision {
    let (comm, executable) = (text(&program.comm), text(&program.executable));
    let (comm, executable) = (Some(&*comm), Some(&*executable).filter(|name| !name.is_empty()));
    let held = program.command.get(..program.command_held as usize).unwrap_or_default();
    let command = if program.command_held == program.started.command_len {
        Some(process::command_of(held))
    } else if config.clients.iter().any(|client| client.depends_on_command(comm, executable)) {
        whole(program.started.run).filter(|all| all.starts_with(held)).map(|all| process::command_of(&all))
    } else {
        None
    };
    if config.client_of(comm, executable, command.as_deref()).is_some() {
        Decision::Client
    } else if command.is_none() && config.clients.iter().any(|client| client.depends_on_command(comm, executable)) {
        Decision::Unknown
    } else {
        Decision::Other
    }
}

#[cfg(test)]
#[path = "decisions/tests.rs"]
mod tests;
