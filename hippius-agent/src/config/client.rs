//! `[[client]]`: processes that are no watched service, and whose outgoing connections are watched.

use std::sync::Arc;

use super::error::{Refusal, shown};
use super::operation::{checked, required};
use super::process::{ProcessPattern, glob};
use super::read::Section;
use super::service;

/// Processes, by their names and what they run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Client {
    /// What the file calls them.
    pub name: Arc<str>,
    /// Their `comm` or executable; `None` means any.
    pub process: Option<ProcessPattern>,
    /// Pattern of their command line, arguments separated by spaces; `None` means any.
    pub command: Option<Box<str>>,
}

impl Client {
    /// Whether nothing but its command line says whether a process is meant.
    pub fn depends_on_command(&self, comm: Option<&str>, executable: Option<&str>) -> bool {
        self.command.is_some() && self.process.as_ref().is_none_or(|process| process.matches(comm, executable))
    }

    /// Whether a process is meant.
    pub fn matches(&self, comm: Option<&str>, executable: Option<&str>, command: Option<&str>) -> bool {
        self.process.as_ref().is_none_or(|process| process.matches(comm, executable))
            && self
                .command
                .as_deref()
                .is_none_or(|pattern| command.is_some_and(|command| glob(pattern.as_bytes(), command.as_bytes())))
    }
}

/// Reads all clients.
pub(super) fn read_all(sections: &[Section<'_>]) -> Vec<Client> {
    let mut clients: Vec<Client> = Vec::new();
    for section in sections {
        let Some(client) = read(section) else { continue };
        if clients.iter().any(|other| other.name == client.name) {
            let refusal = Refusal::new(format!("the name \"{}\" is taken by another client", client.name));
            section.reading().refuse(&section.place_of("name"), refusal.allowed("a name of its own"));
        }
        clients.push(client);
    }
    clients
}

fn read(section: &Section<'_>) -> Option<Client> {
    let name = required(section, "name").and_then(|found| checked(section, found, service::name));
    let process = section.string("process").and_then(|found| checked(section, found, service::process));
    let command = section.string("command").and_then(|found| checked(section, found, command));
    if !section.has("process") && !section.has("command") {
        let refusal = Refusal::new("nothing says which processes are meant");
        section.reading().refuse(&section.place, refusal.allowed("\"process\", \"command\", or both"));
    }
    Some(Client { name: name?, process, command })
}

fn command(text: &str) -> Result<Box<str>, Refusal> {
    if !text.is_empty() && !text.chars().any(char::is_control) {
        return Ok(text.into());
    }
    Err(Refusal::new(format!("{} is no pattern of a command line", shown(text)))
        .allowed("the arguments separated by spaces; * and ? stand for anything"))
}
