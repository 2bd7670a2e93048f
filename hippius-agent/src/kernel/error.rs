//! Why the kernel side cannot be used.

use std::io;

use aya::programs::ProgramError;

use super::btf::BtfError;
use super::self_check::SelfCheckError;

/// Why the programs do not run here.
#[derive(Debug, thiserror::Error)]
pub enum LoadError {
    /// Offsets are not to be had.
    #[error(transparent)]
    Types(#[from] BtfError),
    /// aya cannot use the kernel's BTF.
    #[error("cannot use the kernel's BTF: {0}")]
    Btf(#[from] aya::BtfError),
    /// The object or its maps are refused.
    #[error("cannot load the kernel object: {}", explain(.0))]
    Object(#[from] aya::EbpfError),
    /// A map cannot be used.
    #[error("cannot use a map of the kernel object: {}", explain(.0))]
    Map(#[from] aya::maps::MapError),
    /// A program is refused.
    #[error("the kernel refuses the program {name}: {}", explain(.source))]
    Program {
        /// Which program.
        name: &'static str,
        /// The kernel's answer with the verifier's log.
        source: Box<ProgramError>,
    },
    /// The iterator is refused.
    #[error("the kernel refuses the iterator over socket storage: {0}")]
    Sweep(#[from] io::Error),
    /// The programs' debug output cannot be read.
    #[error("cannot read the programs' log: {0}")]
    Log(#[from] aya_log::Error),
    /// The kernel lacks what the back-end needs.
    #[error("{0}")]
    Lacking(String),
    /// Probes in user space are not to be had.
    #[error("the kernel has no uprobes: {0}")]
    Uprobes(#[source] io::Error),
    /// What the probes report is not what happened.
    #[error("the self-check refuses it: {0}")]
    SelfCheck(#[from] SelfCheckError),
    /// No back-end works.
    #[error("no capture back-end works here: {0}")]
    NoBackend(String),
    /// The object was built for another version of the agent.
    #[error("the kernel object lacks {0}: agent and object are of different builds, run `cargo xtask build`")]
    Foreign(&'static str),
}

/// An error with all its causes; the verifier's log is one of them.
fn explain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        text = format!("{text}: {cause}");
        source = cause.source();
    }
    text
}
