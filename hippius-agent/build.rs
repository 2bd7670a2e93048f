//! Finds the kernel object that `cargo xtask build` made, and notes what this build is.

use std::path::{Path, PathBuf};
use std::process::Command;

fn main() {
    let workspace = PathBuf::from(env("CARGO_MANIFEST_DIR")).join("..");
    let object = std::env::var_os("HIPPIUS_EBPF_OBJECT").map_or_else(
        || workspace.join("target/bpf/bpfel-unknown-none/release/hippius-ebpf"),
        PathBuf::from,
    );
    println!("cargo:rerun-if-env-changed=HIPPIUS_EBPF_OBJECT");
    println!("cargo:rerun-if-changed={}", object.display());
    let Ok(object) = object.canonicalize() else {
        println!("cargo:error=there is no kernel object at {}: run `cargo xtask build` first", object.display());
        return;
    };
    println!("cargo:rustc-env=HIPPIUS_EBPF_OBJECT={}", object.display());
    println!("cargo:rustc-env=HIPPIUS_REVISION={}", revision(&workspace));
    println!("cargo:rustc-env=HIPPIUS_RUSTC={}", output(Command::new(env("RUSTC")).arg("--version")));
}

/// The commit, or `unknown` outside of a checkout.
fn revision(workspace: &Path) -> String {
    output(Command::new("git").arg("-C").arg(workspace).args(["rev-parse", "--short=12", "HEAD"]))
}

fn output(command: &mut Command) -> String {
    let output = command.output().ok().filter(|output| output.status.success());
    let text = output.and_then(|output| String::from_utf8(output.stdout).ok());
    text.map_or_else(|| "unknown".to_owned(), |text| text.trim().to_owned())
}

fn env(name: &str) -> String {
    std::env::var(name).unwrap_or_default()
}
