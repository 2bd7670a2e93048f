//! Postgres in a temp folder, run by the user `postgres` because it refuses root.

use std::os::unix::process::CommandExt as _;
use std::path::PathBuf;
use std::process::Command;

use anyhow::{Context, Result};

use super::Server;
use crate::workdir::Workdir;
use crate::{ports, process, wait};

const USER: &str = "postgres";
pub const PASSWORD: &str = "not-a-secret-of-anybody";

pub struct Postgres {
    pub server: Server,
    programs: PathBuf,
    folder: Workdir,
}

impl Postgres {
    pub fn start(workdir: &Workdir) -> Result<Self> {
        let programs = newest_programs()?;
        // Its own folder: the server must own it.
        let folder = Workdir::new("postgres")?;
        let (uid, gid) = user_ids(USER)?;
        std::os::unix::fs::chown(folder.path(), Some(uid), Some(gid))?;
        let data = folder.join("data");
        let password = folder.write("password", PASSWORD)?;
        std::os::unix::fs::chown(&password, Some(uid), Some(gid))?;
        let mut init = Command::new(programs.join("initdb"));
        init.arg("-D").arg(&data).args(["-U", USER, "-A", "scram-sha-256", "--no-sync", "--pwfile"]).arg(&password);
        process::run(init.uid(uid).gid(gid).current_dir(folder.path()))?;
        let port = ports::free();
        let mut serve = Command::new(programs.join("postgres"));
        serve.arg("-D").arg(&data).args([
            "-c",
            "listen_addresses=127.0.0.1",
            "-c",
            "fsync=off",
            "-p",
            &port.to_string(),
        ]);
        serve.arg("-k").arg(folder.path()).uid(uid).gid(gid).current_dir(folder.path());
        let server = Server::start("postgres", serve, port, workdir)?;
        let postgres = Self { server, programs, folder };
        wait::until("Postgres answers", wait::WIDE, || postgres.sql("SELECT 1").ok())?;
        Ok(postgres)
    }

    /// Runs SQL and gives what `psql` prints, unaligned.
    pub fn sql(&self, text: &str) -> Result<String> {
        let mut psql = Command::new(self.programs.join("psql"));
        psql.args(["-X", "-q", "-A", "-t", "-v", "ON_ERROR_STOP=1", "-c", text]).arg(self.url());
        process::run(psql.current_dir(self.folder.path()))
    }

    pub fn url(&self) -> String {
        format!("postgresql://{USER}:{PASSWORD}@127.0.0.1:{}/postgres?sslmode=disable", self.server.port)
    }
}

fn newest_programs() -> Result<PathBuf> {
    let versions = std::fs::read_dir("/usr/lib/postgresql").context("Postgres is not installed")?;
    let mut folders: Vec<PathBuf> = versions.filter_map(|entry| Some(entry.ok()?.path().join("bin"))).collect();
    folders.sort();
    folders.pop().context("no Postgres in /usr/lib/postgresql")
}

fn user_ids(name: &str) -> Result<(u32, u32)> {
    let users = std::fs::read_to_string("/etc/passwd")?;
    let line =
        users.lines().find(|line| line.split(':').next() == Some(name)).with_context(|| format!("no user {name}"))?;
    let mut fields = line.split(':').skip(2);
    let mut id = || -> Result<u32> { Ok(fields.next().context("field")?.parse()?) };
    Ok((id()?, id()?))
}
