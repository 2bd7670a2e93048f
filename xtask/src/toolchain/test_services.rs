//! Servers and clients that the integration tests run against: Debian's, started by the tests themselves on ports of
//! their own.

use std::fs;
use std::path::Path;
use std::process::Command;

use anyhow::Result;

use super::apt;
use crate::step;

/// A program that the tests start.
struct Program {
    /// Executable that shows that it is there.
    name: &'static str,
    /// Package that brings it.
    package: &'static str,
    /// Service that the package would start at boot.
    unit: Option<&'static str>,
}

const POSTGRES: &str = "postgres";
const PYTHON: &str = "python3";

const PROGRAMS: [Program; 19] = [
    Program { name: "nginx", package: "nginx-light", unit: Some("nginx.service") },
    Program { name: "haproxy", package: "haproxy", unit: Some("haproxy.service") },
    Program { name: "redis-server", package: "redis-server", unit: Some("redis-server.service") },
    Program {
        name: "prometheus-redis-exporter",
        package: "prometheus-redis-exporter",
        unit: Some("prometheus-redis-exporter.service"),
    },
    Program { name: POSTGRES, package: "postgresql", unit: Some("postgresql.service") },
    Program {
        name: "prometheus-postgres-exporter",
        package: "prometheus-postgres-exporter",
        unit: Some("prometheus-postgres-exporter.service"),
    },
    Program { name: "openssl", package: "openssl", unit: None },
    Program { name: "promtool", package: "prometheus", unit: Some("prometheus.service") },
    Program { name: "tcpdump", package: "tcpdump", unit: None },
    Program { name: "curl", package: "curl", unit: None },
    Program { name: "docker-compose", package: "docker-compose", unit: None },
    Program { name: "ip", package: "iproute2", unit: None },
    Program { name: "setpriv", package: "util-linux", unit: None },
    Program { name: "strip", package: "binutils", unit: None },
    Program { name: "systemd-analyze", package: "systemd", unit: None },
    Program { name: "wrk", package: "wrk", unit: None },
    Program { name: "chromium-headless-shell", package: "chromium-headless-shell", unit: None },
    Program { name: "npm", package: "npm", unit: None },
    Program { name: PYTHON, package: "python3-venv", unit: None },
];

/// Makes sure that all of them are there, none of them running because of it.
pub fn ensure() -> Result<()> {
    let missing: Vec<_> = PROGRAMS.iter().filter(|program| !is_there(program.name)).collect();
    if missing.is_empty() {
        return Ok(());
    }
    let packages: Vec<_> = missing.iter().map(|program| program.package).collect();
    apt::ensure(&packages, "what the integration tests run against")?;
    if Path::new("/run/systemd/system").exists() {
        let units: Vec<_> = missing.iter().filter_map(|program| program.unit).collect();
        step::run(Command::new("systemctl").args(["disable", "--quiet", "--now"]).args(units))?;
    }
    Ok(())
}

fn is_there(name: &str) -> bool {
    match name {
        POSTGRES => step::find_program(POSTGRES).is_some() || has_debian_postgres(),
        PYTHON => has_python_environments(),
        _ => step::find_program(name).is_some(),
    }
}

/// Debian's python3 comes without what `python3 -m venv` needs.
fn has_python_environments() -> bool {
    step::answer(Command::new(PYTHON).args(["-c", "import ensurepip"])).is_some()
}

/// Debian keeps each major version of PostgreSQL's server in a directory of its own, off `PATH`.
fn has_debian_postgres() -> bool {
    let versions = fs::read_dir("/usr/lib/postgresql").into_iter().flatten().flatten();
    versions.into_iter().any(|version| version.path().join("bin/postgres").is_file())
}
