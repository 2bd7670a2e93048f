//! Command line of the Hippius agent: finds the command, runs it, turns its end into an exit code.

use clap::Parser;
use hippius_agent::check;
use hippius_agent::cli::{Check, Cli, Command, Run, Top};
use hippius_agent::daemon::{self, DaemonError};
use hippius_agent::logging::LogError;
use hippius_agent::record::history::table::{By, Sort};
use hippius_agent::reload::Options;
use hippius_agent::top::client::{ClientError, Target};
use hippius_agent::top::{self, TopError};
use std::process::ExitCode;
use std::time::Duration;

/// It failed while running.
const FAILED: u8 = 1;
/// The command line or the configuration is wrong (clap uses the same code).
const USAGE: u8 = 2;

fn main() -> ExitCode {
    match Cli::parse().command {
        Command::Run(arguments) => run(arguments),
        Command::Check(arguments) => check(&arguments),
        Command::Metrics => metrics(),
        Command::Top(arguments) => top(arguments),
    }
}

fn run(arguments: Run) -> ExitCode {
    let options = Options { config: arguments.file.config, listen: arguments.listen };
    let config = match options.load() {
        Ok(config) => config,
        Err(errors) => return fail(USAGE, &errors),
    };
    match daemon::run(config, options) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error @ DaemonError::Log(LogError::Variable(_))) => fail(USAGE, &error),
        Err(error) => fail(FAILED, &error),
    }
}

fn check(arguments: &Check) -> ExitCode {
    let options = Options { config: arguments.file.config.clone(), listen: None };
    let config = match options.load() {
        Ok(config) => config,
        Err(errors) => return fail(USAGE, &errors),
    };
    let findings = match check::run(&config, &check::Host::default()) {
        Ok(findings) => findings,
        Err(error) => return fail(FAILED, &format!("cannot check this host: {error}")),
    };
    print(&if arguments.json { check::as_json(&findings) } else { check::as_text(&findings) });
    if check::failed(&findings) { ExitCode::from(FAILED) } else { ExitCode::SUCCESS }
}

fn metrics() -> ExitCode {
    print(&hippius_agent::record::catalogue::Markdown.to_string());
    ExitCode::SUCCESS
}

fn top(arguments: Top) -> ExitCode {
    let by = By::ALL.into_iter().find(|(word, _)| *word == arguments.by).map_or_else(By::default, |(_, by)| by);
    let sort = Sort::ALL.into_iter().find(|(word, _)| *word == arguments.sort).map_or_else(Sort::default, |(_, it)| it);
    let options = top::Options {
        target: Target {
            url: arguments.url,
            user: arguments.user,
            password_file: arguments.password_file,
            ca_file: arguments.ca_file,
        },
        by,
        sort,
        search: arguments.find,
        interval: Duration::from_secs(arguments.interval.into()),
        once: arguments.once,
    };
    match top::run(options) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error @ TopError::Client(ClientError::Url(_) | ClientError::NoPassword)) => fail(USAGE, &error),
        Err(error) => fail(FAILED, &error),
    }
}

/// Prints to standard output. A closed pipe (`| head`) is the reader's wish, not a failure.
fn print(text: &str) {
    use std::io::Write;
    let _ = std::io::stdout().lock().write_all(text.as_bytes());
}

/// Says on standard error why, one `error:` for each line.
fn fail(code: u8, why: &dyn std::fmt::Display) -> ExitCode {
    for line in why.to_string().lines() {
        eprintln!("error: {line}");
    }
    ExitCode::from(code)
}
