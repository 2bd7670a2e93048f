//! Tasks of the Hippius agent that cargo alone cannot do. Run as `cargo xtask <task>`.
//!
//! One file per task; [`toolchain`] finds or installs what a task needs, [`layers`] reads the sources.
//! This crate must not depend on the agent: it is what builds it.

mod bench;
mod build;
mod dashboards;
mod demo;
mod fuzz;
mod layers;
mod lint;
mod package;
mod run;
mod run_check;
mod step;
mod strip;
mod summary;
mod test;
mod toolchain;
mod vmtest;
mod workspace;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

/// Build, run, test and measure the Hippius agent.
///
/// Each task first looks for what it needs (rust-src, LLVM, bpf-linker, and servers for the tests). As root it
/// installs what is missing; otherwise it says which commands to run.
#[derive(Parser)]
#[command(name = "cargo xtask", bin_name = "cargo xtask", disable_help_subcommand = true)]
struct Cli {
    #[command(subcommand)]
    task: Task,
}

#[derive(Subcommand)]
enum Task {
    Build(build::Args),
    Run(run::Args),
    Demo(demo::Args),
    Test(test::Args),
    Vmtest(vmtest::Args),
    Bench(bench::Args),
    Lint(lint::Args),
    Layers(layers::Args),
    Dashboards(dashboards::Args),
    Package(package::Args),
    Fuzz(fuzz::Args),
}

fn main() -> ExitCode {
    // The causes in one line; a backtrace of xtask itself would hide them.
    match perform(Cli::parse().task) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            step::say(&format!("{error:#}"));
            ExitCode::FAILURE
        }
    }
}

fn perform(task: Task) -> anyhow::Result<()> {
    let workspace = workspace::Workspace::find()?;
    match task {
        Task::Build(args) => build::task(&workspace, &args).map(drop),
        Task::Run(args) => run::task(&workspace, &args),
        Task::Demo(args) => demo::task(&workspace, &args),
        Task::Test(args) => test::task(&workspace, &args),
        Task::Vmtest(args) => vmtest::task(&workspace, &args),
        Task::Bench(args) => bench::task(&workspace, &args),
        Task::Lint(args) => lint::task(&workspace, &args),
        Task::Layers(args) => layers::task(&workspace, &args),
        Task::Dashboards(args) => dashboards::task(&workspace, &args),
        Task::Package(args) => package::task(&workspace, &args),
        Task::Fuzz(args) => fuzz::task(&workspace, &args),
    }
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    #[test]
    fn the_command_line_is_well_formed() {
        super::Cli::command().debug_assert();
    }
}
