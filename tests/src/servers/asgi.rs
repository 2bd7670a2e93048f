//! uvicorn with either loop, and gunicorn with preloaded uvicorn workers on one listening socket.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use anyhow::Result;

use super::Server;
use crate::certificate::Certificate;
use crate::process::Process;
use crate::truth::AppLine;
use crate::workdir::Workdir;
use crate::{paths, ports, python, sockets, wait};

#[derive(Clone, Copy, Debug)]
pub enum Loop {
    /// uvloop and httptools: what `uvicorn[standard]` runs by default.
    Uvloop,
    /// asyncio and h11.
    Asyncio,
}

pub struct Asgi {
    pub server: Server,
    truth: PathBuf,
}

/// uvicorn with `apps/asgi.py`.
pub fn uvicorn(workdir: &Workdir, event_loop: Loop) -> Result<Asgi> {
    start(workdir, "uvicorn", |port| uvicorn_command(event_loop, port))
}

/// The same over TLS: asyncio and uvloop move the records between library and socket themselves.
pub fn uvicorn_tls(workdir: &Workdir, event_loop: Loop) -> Result<Asgi> {
    let Certificate { certificate, key } = Certificate::create(workdir)?;
    start(workdir, "uvicorn", |port| {
        let mut command = uvicorn_command(event_loop, port)?;
        command.arg("--ssl-certfile").arg(certificate).arg("--ssl-keyfile").arg(key);
        Ok(command)
    })
}

fn uvicorn_command(event_loop: Loop, port: u16) -> Result<Command> {
    let mut command = Command::new(python::program("uvicorn")?);
    let (name, http) = match event_loop {
        Loop::Uvloop => ("uvloop", "httptools"),
        Loop::Asyncio => ("asyncio", "h11"),
    };
    command.args(["asgi:app", "--loop", name, "--http", http, "--port", &port.to_string()]);
    command.args(["--log-level", "critical", "--no-access-log", "--timeout-keep-alive", "600"]);
    Ok(command)
}

/// gunicorn: four workers forked after the app was loaded.
pub fn gunicorn(workdir: &Workdir) -> Result<Asgi> {
    start(workdir, "gunicorn", |port| {
        let mut command = Command::new(python::program("gunicorn")?);
        command.args(["asgi:app", "--preload", "-w", "4", "-k", "uvicorn_worker.UvicornWorker"]);
        command.args(["-b", &format!("127.0.0.1:{port}"), "--keep-alive", "600", "--log-level", "error"]);
        command.arg("--worker-tmp-dir").arg(workdir.path()).arg("--no-control-socket");
        Ok(command)
    })
}

/// What the processes behind gunicorn run.
#[derive(Clone, Copy, Debug)]
pub enum Worker {
    /// uvicorn, with `apps/asgi.py`.
    Uvicorn,
    /// One request at a time and a connection for each, with `apps/wsgi.py`.
    Sync,
}

/// gunicorn with four workers on a Unix socket.
pub fn gunicorn_unix(workdir: &Workdir, worker: Worker, socket: &Path) -> Result<Asgi> {
    let truth = workdir.join("gunicorn-truth.jsonl");
    let (app, class) = match worker {
        Worker::Uvicorn => ("asgi:app", "uvicorn_worker.UvicornWorker"),
        Worker::Sync => ("wsgi:app", "sync"),
    };
    let mut command = Command::new(python::program("gunicorn")?);
    command.args([app, "-w", "4", "-k", class, "--log-level", "error", "--no-control-socket"]);
    command.arg("-b").arg(format!("unix:{}", socket.display())).arg("--worker-tmp-dir").arg(workdir.path());
    command.current_dir(paths::apps()).env("TRUTH_LOG", &truth).env("PYTHONDONTWRITEBYTECODE", "1");
    let process = Process::spawn("gunicorn", command, workdir)?;
    wait::until("gunicorn on its socket", wait::WIDE, || sockets::unix_connect(socket).ok())?;
    Ok(Asgi { server: Server { process, port: 0 }, truth })
}

/// uvicorn with a small FastAPI service and nothing logged: what a benchmark drives to saturation.
pub fn fastapi(workdir: &Workdir) -> Result<Server> {
    let port = ports::free();
    let mut command = Command::new(python::program("uvicorn")?);
    command.args(["fastapi_app:app", "--port", &port.to_string(), "--log-level", "critical", "--no-access-log"]);
    command.current_dir(paths::apps()).env("PYTHONDONTWRITEBYTECODE", "1");
    Server::start("fastapi", command, port, workdir)
}

/// An app that makes a call for each request (`apps/calling.py`), in so many processes.
pub fn calling(workdir: &Workdir, processes: u32) -> Result<Server> {
    let port = ports::free();
    let mut command = Command::new(python::program("uvicorn")?);
    command.args(["calling:app", "--port", &port.to_string(), "--workers", &processes.to_string()]);
    command.args(["--log-level", "critical", "--no-access-log"]);
    command.current_dir(paths::apps()).env("PYTHONDONTWRITEBYTECODE", "1");
    Server::start("calling", command, port, workdir)
}

fn start(workdir: &Workdir, name: &str, command: impl FnOnce(u16) -> Result<Command>) -> Result<Asgi> {
    let port = ports::free();
    let truth = workdir.join(format!("{name}-{port}-truth.jsonl"));
    let mut command = command(port)?;
    command.current_dir(paths::apps()).env("TRUTH_LOG", &truth).env("PYTHONDONTWRITEBYTECODE", "1");
    Ok(Asgi { server: Server::start(name, command, port, workdir)?, truth })
}

impl Asgi {
    /// The app's own lines once there are `count` of them.
    pub fn log(&self, count: usize) -> Result<Vec<AppLine>> {
        wait::until(&format!("{count} lines in the app's log"), Duration::from_secs(30), || {
            AppLine::read(&self.truth).ok().filter(|lines| lines.len() >= count)
        })
    }
}
