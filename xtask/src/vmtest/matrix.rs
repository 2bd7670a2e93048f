//! Which kernels are booted, and what each must do. One line here adds a kernel.

use anyhow::{Result, bail};

use super::arch::Arch;

/// A back-end of the agent, as its configuration names it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Backend {
    pub name: &'static str,
    pub expected: Expected,
}

/// What a back-end must do on a kernel.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Expected {
    /// All functional tests pass on it.
    Works,
    /// The kernel lacks its hooks: the agent must say so and end.
    Refused,
}

impl Expected {
    /// The word on the guest's command line, in the snapshot and in the table.
    pub fn word(self) -> &'static str {
        match self {
            Self::Works => "works",
            Self::Refused => "refused",
        }
    }
}

/// A kernel of Debian's.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Kernel {
    /// Its version, with the processor behind it where that is not x86-64.
    pub series: &'static str,
    pub arch: Arch,
    /// Debian release whose kernel it is. Its security suite is small and holds the newest build.
    pub release: &'static str,
    /// What qemu pretends to be. 6.12 double-faults at boot in two of three tries with `max` (its `cmpxchg16b`).
    pub cpu: &'static str,
    pub backends: &'static [Backend],
}

impl Kernel {
    /// As `6.12`.
    pub fn version(&self) -> &'static str {
        self.series.split_once('-').map_or(self.series, |(version, _)| version)
    }

    /// What the guest is told: `name:word`, separated by commas.
    pub fn plan(&self) -> String {
        let words = self.backends.iter().map(|one| format!("{}:{}", one.name, one.expected.word()));
        words.collect::<Vec<_>>().join(",")
    }
}

const fn works(name: &'static str) -> Backend {
    Backend { name, expected: Expected::Works }
}

const fn refused(name: &'static str) -> Backend {
    Backend { name, expected: Expected::Refused }
}

/// The one that takes longest comes first, so that two at a time end together.
pub const KERNELS: [Kernel; 4] = [
    Kernel {
        series: "6.12-aarch64",
        arch: Arch::Aarch64,
        release: "trixie",
        cpu: "cortex-a72",
        backends: &[works("fentry"), works("tracepoint")],
    },
    Kernel {
        series: "6.12",
        arch: Arch::X86_64,
        release: "trixie",
        cpu: "Haswell",
        backends: &[works("fentry"), works("tracepoint")],
    },
    Kernel {
        series: "6.1",
        arch: Arch::X86_64,
        release: "bookworm",
        cpu: "Haswell",
        backends: &[works("fentry"), refused("tracepoint")],
    },
    Kernel {
        series: "5.10",
        arch: Arch::X86_64,
        release: "bullseye",
        cpu: "Haswell",
        backends: &[works("fentry"), refused("tracepoint")],
    },
];

/// Those of this machine's own processor.
pub fn native() -> impl Iterator<Item = Kernel> {
    KERNELS.into_iter().filter(|kernel| kernel.arch.is_native())
}

/// The named kernels, or those of this machine's own processor: another one's take a compiler and a build of their own.
pub fn select(names: &[String]) -> Result<Vec<Kernel>> {
    for name in names {
        if !KERNELS.iter().any(|kernel| kernel.series == name) {
            let known: Vec<_> = KERNELS.iter().map(|kernel| kernel.series).collect();
            bail!("no kernel {name} here, only {}", known.join(", "));
        }
    }
    if names.is_empty() {
        return Ok(native().collect());
    }
    Ok(KERNELS.into_iter().filter(|kernel| names.iter().any(|name| name == kernel.series)).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn kernels_are_chosen_by_name() {
        let all = select(&[]).expect("all");
        assert!(all.iter().all(|kernel| kernel.arch.is_native()) && all.len() < KERNELS.len());
        let one = select(&["6.1".to_owned()]).expect("one");
        assert_eq!(one.iter().map(|kernel| kernel.series).collect::<Vec<_>>(), ["6.1"]);
        let error = select(&["2.6".to_owned()]).expect_err("no such kernel");
        assert_eq!(error.to_string(), "no kernel 2.6 here, only 6.12-aarch64, 6.12, 6.1, 5.10");
    }
}
