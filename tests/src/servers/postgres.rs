//! Postgres in a temp folder, run by the user `postgres` because it refuses root.

use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result};

use super::Server;
use crate::process::Process;
use crate::workdir::Workdir;
use crate::{ports, process, wait};

const USER: &str = "postgres";
pub const PASSWORD: &str = "not-a-secret-of-anybody";

pub struct Postgres {
    pub server: Server,
    programs: PathBuf,
    folder: Workdir,
    options: Vec<String>,
    /// Value of `sslmode` for the test's own questions.
    sslmode: &'static str,
}

impl Postgres {
    pub fn start(workdir: &Workdir) -> Result<Self> {
        Self::start_with(workdir, &[])
    }

    /// The same with settings, each `name=value`.
    pub fn start_with(workdir: &Workdir, options: &[&str]) -> Result<Self> {
        let programs = newest_programs()?;
        // Its own folder: the server must own it.
        let folder = Workdir::new("postgres")?;
        own(folder.path())?;
        let password = folder.write("password", PASSWORD)?;
        own(&password)?;
        let mut init = Command::new(programs.join("initdb"));
        init.arg("-D").arg(folder.join("data")).args(["-U", USER, "-A", "scram-sha-256", "--no-sync"]);
        run_as_owner(init.arg("--pwfile").arg(&password), folder.path())?;
        Self::serve(workdir, programs, folder, options)
    }

    /// The same with TLS and nothing else over TCP. Its certificate, for 127.0.0.1, is signed by `authority.crt` in
    /// `workdir`, where `stranger.crt` has signed nothing.
    pub fn start_tls_only(workdir: &Workdir) -> Result<Self> {
        certificates(workdir.path())?;
        let file = |name: &str| workdir.join(name).display().to_string();
        let files = [format!("ssl_cert_file={}", file("server.crt")), format!("ssl_key_file={}", file("server.key"))];
        let mut postgres = Self::start_with(workdir, &["ssl=on", &files[0], &files[1]])?;
        let rules = postgres.folder().join("data/pg_hba.conf");
        std::fs::write(&rules, "hostssl all all 127.0.0.1/32 scram-sha-256\nlocal all all trust\n")
            .context("pg_hba")?;
        postgres.server.process.stop(libc::SIGINT, wait::WIDE)?;
        postgres.sslmode = "require";
        postgres.start_again(workdir)?;
        Ok(postgres)
    }

    fn serve(workdir: &Workdir, programs: PathBuf, folder: Workdir, options: &[&str]) -> Result<Self> {
        let port = ports::free();
        let options: Vec<String> = ["listen_addresses=127.0.0.1", "fsync=off"]
            .iter()
            .chain(options)
            .map(|&option| option.to_owned())
            .chain([format!("port={port}"), format!("unix_socket_directories={}", folder.path().display())])
            .collect();
        let server = Server::start("postgres", command(&programs, &folder, &options)?, port, workdir)?;
        let postgres = Self { server, programs, folder, options, sslmode: "disable" };
        postgres.wait()?;
        Ok(postgres)
    }

    /// After an end, by whatever means: the same data on the same port.
    pub fn start_again(&mut self, workdir: &Workdir) -> Result<()> {
        // Its processes may outlive the first one by a moment, and then it refuses to start.
        wait::until("Postgres starts again", wait::WIDE, || {
            let command = command(&self.programs, &self.folder, &self.options).ok()?;
            self.server.process = Process::spawn("postgres", command, workdir).ok()?;
            self.server.process.wait_for_port(self.server.port).ok()
        })?;
        self.wait()
    }

    /// A standby of this server that streams through the slot `standby`.
    pub fn standby(&self, workdir: &Workdir) -> Result<Self> {
        let folder = Workdir::new("standby")?;
        own(folder.path())?;
        let mut copy = Command::new(self.programs.join("pg_basebackup"));
        copy.args(["-X", "stream", "-c", "fast", "-R", "-C", "-S", "standby", "-d", &self.url(), "-D"]);
        run_as_owner(copy.arg(folder.join("data")), folder.path())?;
        Self::serve(workdir, self.programs.clone(), folder, &["cluster_name=standby"])
    }

    fn wait(&self) -> Result<()> {
        wait::until("Postgres answers", wait::WIDE, || self.sql("SELECT 1").ok()).map(drop)
    }

    /// Runs SQL and gives what `psql` prints, unaligned.
    pub fn sql(&self, text: &str) -> Result<String> {
        process::run(
            self.client("psql")
                .args(["-X", "-q", "-A", "-t", "-v", "ON_ERROR_STOP=1", "-c", text])
                .arg(self.url().replace("disable", self.sslmode)),
        )
    }

    /// One number.
    pub fn number(&self, text: &str) -> Result<f64> {
        let answer = self.sql(text)?;
        answer.trim().parse().with_context(|| format!("{text}: {answer:?} is no number"))
    }

    /// One of Postgres' own client programs.
    pub fn client(&self, program: &str) -> Command {
        let mut command = Command::new(self.programs.join(program));
        command.current_dir(self.folder.path());
        command
    }

    /// A role with only the right to read statistics.
    pub fn monitor(&self) -> Result<String> {
        self.sql(&format!("CREATE ROLE watcher LOGIN PASSWORD '{PASSWORD}'; GRANT pg_monitor TO watcher"))?;
        Ok(self.url_as("watcher", PASSWORD))
    }

    pub fn url(&self) -> String {
        self.url_as(USER, PASSWORD)
    }

    pub fn url_as(&self, user: &str, password: &str) -> String {
        format!("postgresql://{user}:{password}@127.0.0.1:{}/postgres?sslmode=disable", self.server.port)
    }

    pub fn folder(&self) -> &Path {
        self.folder.path()
    }
}

/// An authority with a certificate for 127.0.0.1 from it, and another authority.
fn certificates(folder: &Path) -> Result<()> {
    let new = |name: &str| {
        let mut openssl = Command::new("openssl");
        openssl.args(["req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", &format!("/CN={name}")]);
        openssl.args(["-keyout", &format!("{name}.key"), "-out", &format!("{name}.crt")]).current_dir(folder);
        openssl
    };
    process::run(&mut new("authority"))?;
    process::run(&mut new("stranger"))?;
    let mut server = new("server");
    server.args(["-CA", "authority.crt", "-CAkey", "authority.key", "-addext", "subjectAltName=IP:127.0.0.1"]);
    process::run(server.args(["-addext", "basicConstraints=CA:FALSE"]))?;
    own(&folder.join("server.key"))
}

fn command(programs: &Path, folder: &Workdir, options: &[String]) -> Result<Command> {
    let (uid, gid) = user_ids(USER)?;
    let mut serve = Command::new(programs.join("postgres"));
    serve.arg("-D").arg(folder.join("data"));
    for option in options {
        serve.args(["-c", option]);
    }
    serve.uid(uid).gid(gid).current_dir(folder.path());
    Ok(serve)
}

/// Gives a file to the user that the server runs as.
fn own(path: &Path) -> Result<()> {
    let (uid, gid) = user_ids(USER)?;
    std::os::unix::fs::chown(path, Some(uid), Some(gid)).with_context(|| format!("chown {}", path.display()))
}

fn run_as_owner(command: &mut Command, folder: &Path) -> Result<()> {
    let (uid, gid) = user_ids(USER)?;
    process::run(command.uid(uid).gid(gid).current_dir(folder)).map(drop)
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
