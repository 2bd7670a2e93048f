//! `docs/kernels.md`, printed from the snapshot.

use std::fmt::Write as _;

use super::matrix::KERNELS;
use super::results::{Found, Run};
use super::snapshot::deepest;

const HEAD: &str = "\
# Kernels

<!-- Printed from kernels.snapshot by `cargo xtask vmtest --bless`. -->

`cargo xtask vmtest [KERNEL…]` boots Debian's cloud kernels in qemu, with software emulation and one processor, puts the
agent, nginx, Redis, curl, OpenSSL and the servers of the tests into the guest, and runs one set of functional tests,
[`tests/tests/kernels`](../tests/tests/kernels/main.rs), once for each back-end. The same set runs with `cargo test` on the
kernel of the machine at hand. What calls cost there, as ratios, stands in [benchmarks.md](benchmarks.md). Every test compares with what the servers' own logs and the clients' own counts say; no
difference is allowed.

Without names it boots the kernels of the machine's own processor, as the tests do. `cargo xtask vmtest 6.12-aarch64` builds
the agent for 64-bit Arm, with the standard library from source, and boots it with Debian's packages of that processor.

A back-end is tested where the kernel has its hooks. Where it lacks them, the agent must refuse to start, with one
sentence that says why, and only that is tested.

";

const PROGRAMS: &str = "
## Programs

What the verifier says of each program. It walks at most 1 000 000 instructions; a chain of calls has at most 512 bytes of
stack. The test fails where a number grows by more than a fifth of what stands here.

| kernel | back-end | program | instructions | walked | stack, bytes |
|---|---|---|---:|---:|---:|
";

pub fn markdown(found: &[Found]) -> String {
    let columns: Vec<(&Found, &Run)> =
        found.iter().flat_map(|one| one.runs.iter().map(move |run| (one, run))).collect();
    // Writing to a string cannot fail.
    let mut text = HEAD.to_owned();
    text.push_str("| kernel | Debian | back-end | result |\n|---|---|---|---|\n");
    for (one, run) in &columns {
        let release = KERNELS.iter().find(|kernel| kernel.series == one.series).map_or("", |kernel| kernel.release);
        let result = match run.word.as_str() {
            "works" => format!("all {} tests pass", run.tests.len()),
            _ => "refused by the agent, as it must be".to_owned(),
        };
        let _ = writeln!(text, "| {} | {release} | {} | {result} |", one.series, run.backend);
    }
    text.push_str("\n## Tests\n\n| test |");
    for (one, run) in &columns {
        let _ = write!(text, " {} {} |", one.series, run.backend);
    }
    let _ = writeln!(text, "\n|---|{}", ":-:|".repeat(columns.len()));
    for test in tests(&columns) {
        let _ = write!(text, "| {} |", test.replace('_', " "));
        for (_, run) in &columns {
            text.push_str(if run.tests.iter().any(|one| one == test) { " yes |" } else { " – |" });
        }
        text.push('\n');
    }
    text.push_str(PROGRAMS);
    for (one, run) in &columns {
        for program in &run.programs {
            let (name, stack) = (&program.name, deepest(&program.stack));
            let (loaded, walked) = (program.instructions, program.walked);
            let _ = writeln!(text, "| {} | {} | `{name}` | {loaded} | {walked} | {stack} |", one.series, run.backend);
        }
    }
    text
}

/// Every test that ran anywhere, in the order of the alphabet.
fn tests<'a>(columns: &[(&'a Found, &'a Run)]) -> Vec<&'a str> {
    let mut names: Vec<_> = columns.iter().flat_map(|(_, run)| run.tests.iter().map(String::as_str)).collect();
    names.sort_unstable();
    names.dedup();
    names
}

#[cfg(test)]
mod tests {
    use super::super::snapshot;
    use super::markdown;
    use crate::workspace::Workspace;

    #[test]
    fn the_page_says_what_the_snapshot_says() {
        let workspace = Workspace::find().expect("the workspace");
        let read = |name| std::fs::read_to_string(workspace.join(name)).expect(name);
        let page = markdown(&snapshot::parse(&read(super::super::SNAPSHOT)).expect("the snapshot"));
        assert_eq!(page, read(super::super::PAGE), "run `cargo xtask vmtest --bless`");
    }
}
