//! Finds the kernel object that `cargo xtask build` made, and notes the git revision and the compiler for `--version`
//! and `hippius_agent_build_info`.

use std::path::PathBuf;
use std::process::Command;

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    println!("cargo::rerun-if-env-changed=HIPPIUS_REVISION");
    // Outside a checkout (a source archive, a container build) the packager may say what it is.
    let revision = std::env::var("HIPPIUS_REVISION").ok().filter(|text| !text.is_empty()).or_else(git_revision);
    println!("cargo::rustc-env=HIPPIUS_REVISION={}", revision.as_deref().unwrap_or("unknown"));
    let rustc = std::env::var("RUSTC").ok().and_then(|rustc| output(Command::new(rustc).arg("--version")));
    println!("cargo::rustc-env=HIPPIUS_RUSTC={}", rustc.as_deref().unwrap_or("unknown"));
    kernel_object();
}

fn kernel_object() {
    println!("cargo::rerun-if-env-changed=HIPPIUS_EBPF_OBJECT");
    let default = || PathBuf::from("../target/bpf/bpfel-unknown-none/release/hippius-ebpf");
    let object = std::env::var_os("HIPPIUS_EBPF_OBJECT").map_or_else(default, PathBuf::from);
    println!("cargo::rerun-if-changed={}", object.display());
    match object.canonicalize() {
        Ok(object) => println!("cargo::rustc-env=HIPPIUS_EBPF_OBJECT={}", object.display()),
        Err(_) => {
            println!("cargo::error=there is no kernel object at {}: run `cargo xtask build` first", object.display());
        }
    }
}

fn git_revision() -> Option<String> {
    // HEAD itself changes only when the branch changes; its log grows with every commit.
    for name in ["HEAD", "logs/HEAD"] {
        if let Some(path) = git(&["rev-parse", "--path-format=absolute", "--git-path", name])
            && std::path::Path::new(&path).exists()
        {
            println!("cargo::rerun-if-changed={path}");
        }
    }
    git(&["rev-parse", "--short=12", "HEAD"])
}

fn git(arguments: &[&str]) -> Option<String> {
    output(Command::new("git").args(arguments))
}

/// First line of what the command prints, `None` if it cannot be run, fails or prints nothing.
fn output(command: &mut Command) -> Option<String> {
    let output = command.output().ok().filter(|output| output.status.success())?;
    let text = String::from_utf8(output.stdout).ok()?;
    text.lines().next().map(str::trim).filter(|line| !line.is_empty()).map(str::to_owned)
}
