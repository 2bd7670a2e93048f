//! `cargo xtask vmtest`: the functional tests on the kernels that production hosts run, in an emulator.

mod arch;
mod boot;
mod fetch;
mod guest;
mod matrix;
pub mod measure;
mod own;
mod report;
mod results;
mod root;
mod snapshot;

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Mutex;

use anyhow::{Context, Result, bail};

use crate::step::say;
use crate::workspace::Workspace;
use arch::Arch;
use guest::{Order, Outcome};
use matrix::Kernel;
use results::Found;
use root::Root;

/// What was found last time, and the page that is printed from it.
const SNAPSHOT: &str = "docs/kernels.snapshot";
const PAGE: &str = "docs/kernels.md";

const JOB: &str = include_str!("job.sh");

/// Two kernels at a time: what a small machine has processors for.
const AT_ONCE: usize = 2;

/// Boot Debian's kernels in qemu (software emulation) and run the functional tests in them.
///
/// Kernels come through apt, with a state of their own below target/vm; nothing of this machine is upgraded. What a guest
/// said is left in target/vm/KERNEL.
#[derive(Default, clap::Args)]
pub struct Args {
    /// Kernels, such as 5.10 [default: all of this machine's processor]
    kernels: Vec<String>,
    /// Test this agent instead of building one
    #[arg(long, value_name = "FILE")]
    agent: Option<PathBuf>,
    /// Run a shell command in the guest instead of the tests; the agent is /t/hippius-agent
    #[arg(long, value_name = "COMMAND")]
    run: Option<String>,
    /// Run only tests whose name contains this
    #[arg(long, value_name = "WORD")]
    filter: Option<String>,
    /// Back-ends to test and what they must do, instead of what the matrix says: `fentry:works,tracepoint:refused`
    #[arg(long, value_name = "PLAN")]
    plan: Option<String>,
    /// Write docs/kernels.snapshot and docs/kernels.md from what is found
    #[arg(long, conflicts_with_all = ["run", "filter", "plan"])]
    bless: bool,
    /// Only print docs/kernels.md anew from docs/kernels.snapshot
    #[arg(long)]
    page: bool,
    /// Look for newer builds of the kernels
    #[arg(long)]
    refresh: bool,
}

impl Args {
    /// The whole matrix with this agent.
    pub fn all(agent: PathBuf) -> Self {
        Self { agent: Some(agent), ..Self::default() }
    }
}

/// Fetches what the task needs by default, as far as it is missing: an emulator and kernels.
pub fn prepare(workspace: &Workspace) -> Result<()> {
    emulators(&matrix::native().collect::<Vec<_>>())?;
    for kernel in matrix::native() {
        fetch::image(&workspace.own_target("vm").join(kernel.series), &kernel, false)?;
    }
    Ok(())
}

pub fn task(workspace: &Workspace, args: &Args) -> Result<()> {
    if args.page {
        return Ok(fs::write(workspace.join(PAGE), report::markdown(&kept(workspace)?))?);
    }
    let kernels = matrix::select(&args.kernels)?;
    emulators(&kernels)?;
    let folder = workspace.own_target("vm");
    let roots = roots(workspace, &folder, &kernels, args)?;
    let queue = Mutex::new(kernels.into_iter());
    let (found, failures) = (Mutex::new(Vec::new()), Mutex::new(Vec::new()));
    let work = || {
        while let Some(kernel) = next(&queue) {
            let root = roots.iter().find(|(arch, _)| *arch == kernel.arch).context("no root for the kernel");
            match root.and_then(|(_, root)| one(&folder, root.path(), &kernel, args)) {
                Ok(one) => lock(&found).extend(one),
                Err(error) => {
                    say(&format!("[{}] {error:#}", kernel.series));
                    lock(&failures).push(format!("{}: {error:#}", kernel.series));
                }
            }
        }
    };
    std::thread::scope(|scope| {
        for _ in 0..AT_ONCE {
            scope.spawn(work);
        }
    });
    let (found, mut failed) = (lock(&found), lock(&failures));
    if args.bless {
        bless(workspace, &found)?;
    } else if args.filter.is_none() && args.plan.is_none() {
        failed.extend(unlike_the_snapshot(workspace, &found)?);
    }
    if !failed.is_empty() {
        bail!("{}", failed.join("\n"));
    }
    Ok(())
}

/// The processors of these kernels, each once.
fn arches(kernels: &[Kernel]) -> impl Iterator<Item = Arch> {
    Arch::ALL.into_iter().filter(|arch| kernels.iter().any(|kernel| kernel.arch == *arch))
}

fn emulators(kernels: &[Kernel]) -> Result<()> {
    arches(kernels).try_for_each(Arch::prepare)
}

fn roots(workspace: &Workspace, folder: &Path, kernels: &[Kernel], args: &Args) -> Result<Vec<(Arch, Root)>> {
    let job = args.run.as_deref().unwrap_or(JOB);
    let root = |arch| {
        let own = own::programs(workspace, arch, args.agent.as_deref())?;
        Ok((arch, Root::build(folder, arch, &own, job)?))
    };
    arches(kernels).map(root).collect()
}

fn kept(workspace: &Workspace) -> Result<Vec<Found>> {
    let path = workspace.join(SNAPSHOT);
    let text = fs::read_to_string(&path).with_context(|| format!("cannot read {}", path.display()))?;
    snapshot::parse(&text).with_context(|| path.display().to_string())
}

fn bless(workspace: &Workspace, found: &[Found]) -> Result<()> {
    let order: Vec<_> = matrix::KERNELS.iter().rev().map(|kernel| kernel.series).collect();
    let all = snapshot::update(kept(workspace).unwrap_or_default(), found, &order);
    fs::write(workspace.join(SNAPSHOT), snapshot::render(&all))?;
    Ok(fs::write(workspace.join(PAGE), report::markdown(&all))?)
}

fn unlike_the_snapshot(workspace: &Workspace, found: &[Found]) -> Result<Vec<String>> {
    let kept = kept(workspace)?;
    let differences = found.iter().flat_map(|one| {
        let lines = snapshot::differences(&kept, one);
        lines.into_iter().map(|line| format!("{}: {line} (`cargo xtask vmtest --bless` if it is meant)", one.series))
    });
    Ok(differences.collect())
}

fn next(queue: &Mutex<impl Iterator<Item = Kernel>>) -> Option<Kernel> {
    lock(queue).next()
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
}

/// Boots one kernel; nothing is found where only a command was run.
fn one(folder: &Path, root: &Path, kernel: &Kernel, args: &Args) -> Result<Option<Found>> {
    let plan = args.plan.clone().unwrap_or_else(|| kernel.plan());
    let filter = args.filter.as_deref().unwrap_or_default();
    let words = format!("HIPPIUS_PLAN={plan} HIPPIUS_FILTER={filter}");
    let Outcome { package, output } =
        guest::run(folder, &Order { kernel, root, words: &words, refresh: args.refresh })?;
    if args.run.is_some() {
        return Ok(None);
    }
    let runs = results::parse(&output)?;
    Ok(Some(Found { series: kernel.series.to_owned(), package, runs }))
}
