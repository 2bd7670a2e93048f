//! Which kernels are booted, and what each must do. One line here adds a kernel.

use anyhow::{Result, bail};

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
    pub series: &'static str,
    /// Debian release whose kernel it is. Its security suite is small and holds the newest build.
    pub release: &'static str,
    /// What qemu pretends to be. 6.12 double-faults at boot in two of three tries with `max` (its `cmpxchg16b`).
    pub cpu: &'static str,
    pub backends: &'static [Backend],
}

impl Kernel {
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
pub const KERNELS: [Kernel; 3] = [
    Kernel { series: "6.12", release: "trixie", cpu: "Haswell", backends: &[works("fentry"), works("tracepoint")] },
    Kernel { series: "6.1", release: "bookworm", cpu: "Haswell", backends: &[works("fentry"), refused("tracepoint")] },
    Kernel { series: "5.10", release: "bullseye", cpu: "Haswell", backends: &[works("fentry"), refused("tracepoint")] },
];

/// The named kernels, or all.
pub fn select(names: &[String]) -> Result<Vec<Kernel>> {
    for name in names {
        if !KERNELS.iter().any(|kernel| kernel.series == name) {
            let known: Vec<_> = KERNELS.iter().map(|kernel| kernel.series).collect();
            bail!("no kernel {name} here, only {}", known.join(", "));
        }
    }
    let wanted = |kernel: &Kernel| names.is_empty() || names.iter().any(|name| name == kernel.series);
    Ok(KERNELS.into_iter().filter(wanted).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn kernels_are_chosen_by_name() {
        assert_eq!(select(&[]).expect("all").len(), KERNELS.len());
        let one = select(&["6.1".to_owned()]).expect("one");
        assert_eq!(one.iter().map(|kernel| kernel.series).collect::<Vec<_>>(), ["6.1"]);
        let error = select(&["2.6".to_owned()]).expect_err("no such kernel");
        assert_eq!(error.to_string(), "no kernel 2.6 here, only 6.12, 6.1, 5.10");
    }
}
