//! `docs/benchmarks.md`, printed from the parts that are kept.

use std::fmt::Write as _;
use std::path::Path;
use std::process::Command;

use anyhow::{Context, Result};
use hippius_tests::process;

use crate::part::Part;
use crate::{EMULATED, QUICK, WHOLE};

const TABLE: &str = "| what | budget | measured | met |\n|---|---|---|---|\n";

/// What cannot be said in the lines themselves.
const BY_TURNS: &str = "Two equal runs on this machine differ by a tenth, so the lines of 10 MiB objects with and \
    without the agent cannot show half a percent. Those by turns can, but each shows a part. One client asks two \
    equal servers in the order 1 2 2 1, all three on one processor, and the agent, on the other, watches one of \
    them. The ratio is the geometric mean over rounds, in which either server is the watched one in turn, with its \
    interval of 95 %; beside it the same sum of the runs between, without the agent, which shows what chance does. \
    It holds what the agent's programs cost in the kernel more on a watched socket than on another. That there are \
    programs at all, the server that is not watched pays too: what that is, programs that do nothing show, attached \
    in the same places and taken off by turns. The agent's share is what it takes itself while both processors serve \
    watched objects. The whole is the product of the two ratios less that share, so no budget stands beside the \
    parts. The programs' time for an object is what the kernel's statistics say; among so much data they take more \
    themselves than what is taken off for their clock, so it is an upper bound. A tenth of the turns at either end \
    is left out, because a few objects in a thousand take some 30 ms, with the agent as without it; those are \
    counted.";

/// `order` are the names of the measurements; those of the guests follow by their own names.
pub fn write(path: &Path, parts: &[Part], order: &[&str]) -> Result<()> {
    let mut text = String::from("# Benchmarks\n\n");
    text.push_str("Measured by `cargo xtask bench`; run it again to see your own machine.\n\n");
    let _ = write!(
        text,
        "{}\nRatios are with the agent over without it, taken per round (same servers, order reversed every other round), \
         {} rounds of {:?}, then the median and in brackets the smallest and the largest. Client, server and agent share the \
         processors. Without loss means {:?} at 50 000 requests per second. Lines marked (quick) come from {} rounds of {:?}: too \
         short to quote.\n\n{BY_TURNS}\n\n{TABLE}",
        machine(),
        WHOLE.rounds,
        WHOLE.run,
        WHOLE.soak,
        QUICK.rounds,
        QUICK.run,
    );
    let measured: Vec<&Part> = order.iter().filter_map(|name| parts.iter().find(|part| part.name == **name)).collect();
    lines(&mut text, &measured);
    let emulated: Vec<&Part> = parts.iter().filter(|part| part.name.starts_with(EMULATED)).collect();
    if !emulated.is_empty() {
        text.push_str(
            "\n## Other kernels\n\nIn an emulator, on Debian's kernels, one processor, in few rounds: only the ratios mean \
             anything. Measured by `cargo xtask bench --kernels`.\n",
        );
    }
    for part in &emulated {
        let back_end = part.name.rsplit('-').next().unwrap_or_default();
        let _ = write!(text, "\n### {} with {back_end}\n\n{TABLE}", part.kernel);
        lines(&mut text, &[*part]);
    }
    text.push_str("\n## When\n\n`cargo xtask bench -- --only NAME` repeats a part; the others stay as they are.\n\n");
    text.push_str("| part | measured | how | took |\n|---|---|---|---:|\n");
    for part in measured.iter().chain(&emulated) {
        let how = if part.is_quick { "quick" } else { "whole" };
        let failed =
            part.failed_at.map(date).transpose()?.map_or(String::new(), |at| format!("; tried on {at}: failed"));
        let _ = writeln!(text, "| `{}` | {}{failed} | {how} | {} s |", part.name, date(part.at)?, part.took.as_secs());
    }
    if let Some(folder) = path.parent() {
        std::fs::create_dir_all(folder)?;
    }
    std::fs::write(path, text).with_context(|| format!("write {}", path.display()))
}

fn lines(text: &mut String, parts: &[&Part]) {
    for part in parts {
        for row in &part.rows {
            let _ = writeln!(text, "{}", row.line(if part.is_quick { " (quick)" } else { "" }));
        }
    }
}

fn date(at: u64) -> Result<String> {
    let text = process::run(Command::new("date").args(["-u", "-d", &format!("@{at}"), "+%Y-%m-%d %H:%M"]))?;
    Ok(text.trim().to_owned())
}

/// Processor, cores and kernel.
fn machine() -> String {
    let read = |path: &str| std::fs::read_to_string(path).unwrap_or_default();
    let info = read("/proc/cpuinfo");
    let model =
        info.lines().find_map(|line| line.strip_prefix("model name")?.split_once(": ")).map_or("?", |(_, name)| name);
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    format!("Machine: {model}, {cores} processors, Linux {}.\n", read("/proc/sys/kernel/osrelease").trim())
}
