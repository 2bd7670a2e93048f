//! Loads the programs for TLS libraries and takes their maps.

use std::collections::HashSet;
use std::os::fd::AsFd;

use aya::Ebpf;
use aya::maps::{Array, HashMap, Map, MapData, ProgramArray};
use aya::programs::{ProgramError, ProgramFd, UProbe};
use hippius_common::tls::{Session, SessionKey, process};

use super::attach::{Programs, Uprobes};
use super::symbols::Function;
use crate::kernel::error::LoadError;

/// By function: the program at its beginning.
const AT_ENTRY: [(Function, &str); 10] = [
    (Function::Read, "ssl_read"),
    (Function::Write, "ssl_write"),
    (Function::ReadEx, "ssl_read_ex"),
    (Function::WriteEx, "ssl_write_ex"),
    (Function::Handshake, "ssl_handshake"),
    (Function::Connects, "ssl_connects"),
    (Function::Accepts, "ssl_accepts"),
    (Function::Ctrl, "ssl_ctrl"),
    (Function::Shutdown, "ssl_shutdown"),
    (Function::Free, "ssl_free"),
];
const AT_RETURN: &str = "ssl_returned";
/// Reached by tail calls, and through which array.
const CONTINUED: [(&str, &str); 2] = [("ssl_in_on", "SSL_IN_ON"), ("ssl_out_on", "SSL_OUT_ON")];

/// All programs, for the count of their runs.
pub const NAMES: [&str; 13] = [
    "ssl_read",
    "ssl_write",
    "ssl_read_ex",
    "ssl_write_ex",
    "ssl_handshake",
    "ssl_connects",
    "ssl_accepts",
    "ssl_ctrl",
    "ssl_shutdown",
    "ssl_free",
    AT_RETURN,
    "ssl_in_on",
    "ssl_out_on",
];

const KEY_WORDS: usize = size_of::<SessionKey>() / 8;
const SESSION_BYTES: usize = size_of::<Session>();

/// What is told to the kernel side about processes, and asked about sessions.
pub struct Maps {
    clients: HashMap<MapData, u32, u32>,
    active: Array<MapData, u32>,
    sessions: HashMap<MapData, [u64; KEY_WORDS], [u8; SESSION_BYTES]>,
}

/// Everything that a watcher works with.
pub struct Parts {
    /// How the kernel is asked for a probe.
    pub uprobes: Uprobes,
    /// What it is to run.
    pub programs: Programs,
    /// What programs and watcher share.
    pub maps: Maps,
    /// What the programs are told of processes that they ask about.
    pub answers: Answers,
}

/// Loads the programs. Nothing is attached.
pub fn load(ebpf: &mut Ebpf, clients: Map) -> Result<Parts, LoadError> {
    let uprobes = Uprobes::of_running_kernel().map_err(LoadError::Uprobes)?;
    for (program, array) in CONTINUED {
        let fd = load_program(ebpf, program)?;
        let Some(map) = ebpf.map_mut(array) else { return Err(LoadError::Foreign(array)) };
        ProgramArray::try_from(map)?.set(0, &fd, 0)?;
    }
    let at_entry = AT_ENTRY.iter().map(|(function, name)| Ok((*function, load_program(ebpf, name)?)));
    let at_entry = at_entry.collect::<Result<_, LoadError>>()?;
    let programs = Programs { at_entry, at_return: load_program(ebpf, AT_RETURN)? };
    let mut take =
        |name: &'static str| -> Result<Map, LoadError> { ebpf.take_map(name).ok_or(LoadError::Foreign(name)) };
    let maps = Maps {
        clients: HashMap::try_from(clients)?,
        active: Array::try_from(take("TLS_ACTIVE")?)?,
        sessions: HashMap::try_from(take("TLS_SESSIONS")?)?,
    };
    let answers = Answers(HashMap::try_from(take("TLS_PROCESSES")?)?);
    Ok(Parts { uprobes, programs, maps, answers })
}

/// A second handle on a hash that somebody else takes.
pub fn again(ebpf: &Ebpf, name: &'static str) -> Result<Map, LoadError> {
    let Some(Map::HashMap(map)) = ebpf.map(name) else { return Err(LoadError::Foreign(name)) };
    Ok(Map::HashMap(MapData::from_fd(map.fd().as_fd().try_clone_to_owned()?)?))
}

fn load_program(ebpf: &mut Ebpf, name: &'static str) -> Result<ProgramFd, LoadError> {
    let program = ebpf.program_mut(name).ok_or(LoadError::Foreign(name))?;
    let loaded = (|| -> Result<ProgramFd, ProgramError> {
        let program: &mut UProbe = program.try_into()?;
        program.load()?;
        Ok(program.fd()?.try_clone()?)
    })();
    loaded.map_err(|source| LoadError::Program { name, source: Box::new(source) })
}

/// Answers to questions about processes.
pub struct Answers(HashMap<MapData, u32, u32>);

impl Answers {
    /// Sessions of this process are followed from now on, or not.
    pub fn give(&mut self, tgid: u32, followed: bool) -> Result<(), LoadError> {
        let state = if followed { process::FOLLOWED } else { process::LEFT_ALONE };
        Ok(self.0.insert(tgid, state, 0)?)
    }
}

impl Maps {
    /// The processes whose connections are watched, and whose sessions are followed with them.
    pub fn clients(&self) -> HashSet<u32> {
        self.clients.keys().flatten().collect()
    }

    /// Forgets the sessions of processes for which `is_gone` says so. Gives `ended` each of them as it stood.
    pub fn forget(&mut self, is_gone: impl Fn(u32) -> bool, mut ended: impl FnMut(&[u8])) {
        let keys: Vec<[u64; KEY_WORDS]> = self.sessions.keys().flatten().collect();
        let process = |key: &[u64; KEY_WORDS]| key.last().map_or(0, |word| *word as u32);
        let gone: HashSet<u32> = keys.iter().map(process).collect();
        let gone: HashSet<u32> = gone.into_iter().filter(|tgid| is_gone(*tgid)).collect();
        for key in keys.iter().filter(|key| gone.contains(&process(key))) {
            if let Ok(session) = self.sessions.get(key, 0) {
                ended(&session);
            }
            // It may have been ended meanwhile.
            let _ = self.sessions.remove(key);
        }
    }

    /// Whether any library is probed: the hooks on sockets look for calls of theirs then.
    pub fn set_active(&mut self, active: bool) -> Result<(), LoadError> {
        Ok(self.active.set(0, u32::from(active), 0)?)
    }
}
