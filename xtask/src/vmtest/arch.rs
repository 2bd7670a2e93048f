//! What differs between the processors that guests have.

use std::path::PathBuf;
use std::process::Command;

use anyhow::{Context, Result};

use crate::toolchain;
use crate::workspace::Workspace;

/// Where what is built for another processor goes, below `target`.
const CROSS: &str = "cross";

/// A guest's processor.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Arch {
    /// `x86_64`.
    X86_64,
    /// 64-bit Arm.
    Aarch64,
}

/// The machine that qemu pretends to be.
#[derive(Debug)]
pub struct Machine {
    /// The emulator.
    pub program: &'static str,
    /// Debian's package with it.
    pub package: &'static str,
    /// Its words beside the usual ones.
    pub words: &'static [&'static str],
    /// The kernel's name of the first serial port, which has the console.
    pub console: &'static str,
    /// And of the port that the guest's job writes to.
    pub output: &'static str,
}

impl Arch {
    /// Both.
    pub const ALL: [Self; 2] = [Self::X86_64, Self::Aarch64];

    /// This machine's own.
    pub fn native() -> Result<Self> {
        Self::ALL.into_iter().find(|arch| arch.is_native()).context("no kernel is known for this machine's processor")
    }

    /// Whether it is this machine's.
    pub fn is_native(self) -> bool {
        std::env::consts::ARCH == self.kernel()
    }

    /// The kernel's and Rust's name.
    pub fn kernel(self) -> &'static str {
        match self {
            Self::X86_64 => "x86_64",
            Self::Aarch64 => "aarch64",
        }
    }

    /// Debian's name.
    pub fn debian(self) -> &'static str {
        match self {
            Self::X86_64 => "amd64",
            Self::Aarch64 => "arm64",
        }
    }

    /// Rust's name of the target.
    pub fn target(self) -> &'static str {
        match self {
            Self::X86_64 => "x86_64-unknown-linux-gnu",
            Self::Aarch64 => "aarch64-unknown-linux-gnu",
        }
    }

    /// What a guest runs on. Arm's `virt` has one serial port of its own; the other one is on its PCI bus.
    pub fn machine(self) -> Machine {
        match self {
            Self::X86_64 => Machine {
                program: "qemu-system-x86_64",
                package: "qemu-system-x86",
                words: &["-serial", "chardev:output"],
                console: "ttyS0",
                output: "ttyS1",
            },
            Self::Aarch64 => Machine {
                program: "qemu-system-aarch64",
                package: "qemu-system-arm",
                words: &["-machine", "virt", "-device", "pci-serial,chardev=output"],
                console: "ttyAMA0",
                output: "ttyS0",
            },
        }
    }

    /// Makes sure that its guests can be booted, and what they run be built.
    pub fn prepare(self) -> Result<()> {
        let Machine { program, package, .. } = self.machine();
        toolchain::for_vms(program, package)?;
        if self.is_native() { Ok(()) } else { toolchain::for_another_processor(self.compiler()) }
    }

    /// Cargo that builds for it. For another processor than this machine's it builds the standard library too, from the
    /// compiler's own sources.
    pub fn cargo(self, workspace: &Workspace) -> Result<Command> {
        let mut cargo = workspace.cargo();
        if self.is_native() {
            return Ok(cargo);
        }
        let tools = toolchain::for_ebpf(workspace)?;
        let linker = format!("CARGO_TARGET_{}_LINKER", self.target().replace('-', "_").to_uppercase());
        cargo.arg("-Zbuild-std=std,panic_unwind");
        cargo.env("CARGO_BUILD_TARGET", self.target()).env("CARGO_TARGET_DIR", workspace.own_target(CROSS));
        cargo.env(linker, self.tool("gcc")).env("RUSTC", tools.rustc).env("RUSTC_BOOTSTRAP", "1");
        Ok(cargo)
    }

    /// Where that cargo puts what it builds.
    pub fn outputs(self, workspace: &Workspace) -> PathBuf {
        if self.is_native() { workspace.cargo_target() } else { workspace.own_target(CROSS).join(self.target()) }
    }

    /// A program of its GNU toolchain.
    pub fn tool(self, name: &str) -> String {
        if self.is_native() { name.to_owned() } else { format!("{}-linux-gnu-{name}", self.kernel()) }
    }

    /// Debian's packages with the compiler for it, on another one.
    fn compiler(self) -> &'static [&'static str] {
        match self {
            Self::X86_64 => &["gcc-x86-64-linux-gnu", "libc6-dev-amd64-cross"],
            Self::Aarch64 => &["gcc-aarch64-linux-gnu", "libc6-dev-arm64-cross"],
        }
    }
}
