//! What programs are attached to, by the number that it has among the kernel's types.
//!
//! aya looks the number up in a parsed copy of all types, which takes 14 MiB. So it is given types of our own making: what
//! is looked up stands at its place, and between there is nothing.

use aya::{Btf, Endianness};

use super::backend::{Attachment, Hook};
use super::btf::{BtfError, KernelTypes, Kind, MAGIC};
use super::error::LoadError;

/// What the iterators walk over, as the kernel calls them.
pub mod walk {
    /// The open files of all tasks.
    pub const FILES: &str = "task_file";
    /// The elements of a hash.
    pub const HASH: &str = "bpf_map_elem";
    /// The elements of a socket storage map.
    pub const STORAGE: &str = "bpf_sk_storage_map";
}

const WALKS: [&str; 3] = [walk::FILES, walk::HASH, walk::STORAGE];

/// `struct btf_header`, and the part that all types have.
const HEADER_BYTES: usize = 24;
const TYPE_BYTES: usize = 12;

#[derive(Debug)]
struct Target {
    kind: Kind,
    name: String,
    id: u32,
}

/// The targets of one back-end's programs, and of the iterators.
#[derive(Debug)]
pub struct Targets(Vec<Target>);

impl Targets {
    /// Looks them up. What the kernel does not have is no error before somebody asks for it.
    pub fn of(types: &KernelTypes, attachments: &[Attachment]) -> Result<Self, BtfError> {
        let mut wanted: Vec<_> = attachments.iter().map(wanted).chain(WALKS.map(iterator)).collect();
        wanted.sort_unstable_by(|one, other| one.1.cmp(&other.1));
        wanted.dedup();
        let question: Vec<_> = wanted.iter().map(|(kind, name)| (*kind, name.as_str())).collect();
        let ids = types.ids(&question)?;
        let found = wanted.into_iter().zip(ids).filter_map(|((kind, name), id)| Some(Target { kind, name, id: id? }));
        Ok(Self(found.collect()))
    }

    /// Types among which aya finds the targets of these.
    pub fn of_programs(&self, attachments: &[Attachment]) -> Result<Btf, LoadError> {
        self.types(&attachments.iter().map(wanted).collect::<Vec<_>>())
    }

    /// Types among which aya finds the iterators.
    pub fn of_iterators(&self) -> Result<Btf, LoadError> {
        self.types(&WALKS.map(iterator))
    }

    fn types(&self, wanted: &[(Kind, String)]) -> Result<Btf, LoadError> {
        let is_wanted =
            |target: &&Target| wanted.iter().any(|(kind, name)| *kind == target.kind && *name == target.name);
        let targets: Vec<_> = self.0.iter().filter(is_wanted).collect();
        Ok(Btf::parse(&raw(&targets), Endianness::default())?)
    }
}

/// A file of types in which these have their numbers, and all before them are of no kind.
fn raw(targets: &[&Target]) -> Vec<u8> {
    // The number 0 is `void`, which no file holds.
    let place = |target: &Target| (target.id as usize - 1) * TYPE_BYTES;
    let types_len = targets.iter().map(|target| place(target) + TYPE_BYTES).max().unwrap_or(0);
    let names_len = 1 + targets.iter().map(|target| target.name.len() + 1).sum::<usize>();
    // Pages of zeroes that nobody writes to take no memory.
    let mut raw = vec![0; HEADER_BYTES + types_len + names_len];
    let mut put = |at: usize, bytes: &[u8]| raw.iter_mut().skip(at).zip(bytes).for_each(|(to, byte)| *to = *byte);
    let len = types_len as u32;
    let header = [u32::from(MAGIC) | 1 << 16, HEADER_BYTES as u32, 0, len, len, names_len as u32];
    put(0, &words(&header));
    let mut name_at = 1;
    for target in targets {
        put(HEADER_BYTES + place(target), &words(&[name_at as u32, (target.kind as u32) << 24, 0]));
        put(HEADER_BYTES + types_len + name_at, target.name.as_bytes());
        name_at += target.name.len() + 1;
    }
    raw
}

fn words(words: &[u32]) -> Vec<u8> {
    words.iter().flat_map(|word| word.to_ne_bytes()).collect()
}

/// How aya calls it (its `load` of each kind of program).
fn wanted(attachment: &Attachment) -> (Kind, String) {
    match attachment.hook {
        Hook::Tracepoint => (Kind::Typedef, format!("btf_trace_{}", attachment.target)),
        Hook::Entry | Hook::Exit => (Kind::Function, attachment.target.to_owned()),
    }
}

fn iterator(walk: &str) -> (Kind, String) {
    (Kind::Function, format!("bpf_iter_{walk}"))
}

#[cfg(test)]
mod tests {
    use aya::Btf;

    use super::*;

    #[test]
    fn what_is_looked_up_has_its_number() {
        let target = |kind, name: &str, id| Target { kind, name: name.to_owned(), id };
        let all = [
            target(Kind::Function, "tcp_recvmsg", 114_405),
            target(Kind::Typedef, "btf_trace_sched_process_exec", 1),
            target(Kind::Function, "bpf_iter_task_file", 7),
        ];
        let raw = raw(&all.iter().collect::<Vec<_>>());
        let types = KernelTypes::parse(raw.clone()).expect("types");
        let question =
            [(Kind::Function, "tcp_recvmsg"), (Kind::Function, "tcp_sendmsg"), (Kind::Typedef, "tcp_recvmsg")];
        assert_eq!(types.ids(&question).expect("numbers"), [Some(114_405), None, None]);
        let question = all.iter().map(|target| (target.kind, target.name.as_str())).collect::<Vec<_>>();
        assert_eq!(types.ids(&question).expect("numbers"), [Some(114_405), Some(1), Some(7)]);
        Btf::parse(&raw, Endianness::default()).expect("aya reads them too");
    }
}
