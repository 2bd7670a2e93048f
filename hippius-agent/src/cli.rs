//! The command line.

use crate::record::history::table::{By, Sort};
use crate::version;
use clap::builder::PossibleValuesParser;
use clap::{Args, Parser, Subcommand};
use std::net::SocketAddr;
use std::path::PathBuf;

/// Exact per-account HTTP and S3 metrics of this host, seen by kernel probes.
///
/// The watched services are not changed, restarted or proxied. Metrics are served in the Prometheus format.
#[derive(Debug, Parser)]
#[command(name = "hippius-agent", version = version::LONG, arg_required_else_help = true, after_help = EXIT_CODES)]
pub struct Cli {
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

const EXIT_CODES: &str =
    "Exit codes: 0 all went well, 1 it failed while running, 2 the command line or the configuration is wrong.
The environment variable HIPPIUS_LOG (for example \"debug\") comes before the configuration's \"log\".";

/// What to do.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Watch this host and serve its metrics until SIGTERM
    ///
    /// Needs CAP_BPF and CAP_PERFMON (or root). SIGHUP reads the configuration again: a good one is swapped in as a
    /// whole, a bad one is reported and the old one stays.
    Run(Run),
    /// Say what this host can do, and what stands in the way
    ///
    /// Looks at the kernel, the capabilities, the listening services, Redis and Postgres, and changes nothing. Run it
    /// as the same user as the agent. Exits with 1 if anything failed.
    Check(Check),
    /// Print all metrics that the agent can serve, with types, labels and meaning
    Metrics,
    /// Show the busiest accounts, operations, endpoints or services of a running agent in the terminal
    ///
    /// Reads the agent's HTTP endpoint; needs no rights. Press ? for the keys. There is no view by connection: the agent
    /// counts by service.
    Top(Top),
}

/// Where the configuration comes from.
#[derive(Debug, Clone, Args)]
pub struct ConfigFile {
    /// Configuration file; without one, every HTTP service of the host is found and shown
    #[arg(long, short, value_name = "FILE")]
    pub config: Option<PathBuf>,
}

/// Options of `run`.
#[derive(Debug, Clone, Args)]
pub struct Run {
    /// Where the configuration comes from.
    #[command(flatten)]
    pub file: ConfigFile,
    /// Serve the metrics here instead of the configuration's "listen"; port 0 takes any free one
    #[arg(long, value_name = "ADDR")]
    pub listen: Option<SocketAddr>,
}

/// Options of `top`.
#[derive(Debug, Clone, Args)]
pub struct Top {
    /// Address of the agent
    #[arg(long, value_name = "URL", default_value = "http://127.0.0.1:10187")]
    pub url: String,
    /// What a row is
    #[arg(long, value_name = "ROWS", default_value = "account",
          value_parser = PossibleValuesParser::new(By::ALL.map(|(word, _)| word)))]
    pub by: String,
    /// What comes first: a rate, or with _total the count since the agent started
    #[arg(long, value_name = "COLUMN", default_value = "requests",
          value_parser = PossibleValuesParser::new(Sort::ALL.map(|(word, _)| word)))]
    pub sort: String,
    /// Show names that contain this, in any case
    #[arg(long, value_name = "TEXT", default_value = "")]
    pub find: String,
    /// Seconds between two questions; the agent has new numbers every 5
    #[arg(long, value_name = "SECONDS", default_value_t = 2, value_parser = clap::value_parser!(u16).range(1..=3600))]
    pub interval: u16,
    /// Print one table as text and end
    #[arg(long)]
    pub once: bool,
    /// User, where the agent asks for one; the password stands in --password-file or in HIPPIUS_AGENT_PASSWORD
    #[arg(long, value_name = "NAME")]
    pub user: Option<String>,
    /// File whose first line is the password
    #[arg(long, value_name = "FILE", requires = "user")]
    pub password_file: Option<PathBuf>,
    /// Trust these certificates (PEM) instead of the host's
    #[arg(long, value_name = "FILE")]
    pub ca_file: Option<PathBuf>,
}

/// Options of `check`.
#[derive(Debug, Clone, Args)]
pub struct Check {
    /// Where the configuration comes from.
    #[command(flatten)]
    pub file: ConfigFile,
    /// Print JSON instead of text
    #[arg(long)]
    pub json: bool,
}
