//! Step `run` of `cargo xtask test`: `cargo xtask run` as a user starts it, and what its page and its metrics show of one
//! server on this host.

use std::collections::BTreeSet;
use std::env;
use std::io::{BufRead, BufReader, Read};
use std::net::TcpListener;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{Receiver, sync_channel};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};

use crate::step::{self, say};
use crate::summary::Summary;
use crate::workspace::Workspace;

const NAME: &str = "run";
/// Where the agent listens unless told otherwise.
const DEFAULT: &str = "127.0.0.1:10187";
/// What the kernel's choice of a free port is asked by.
const ANY: &str = "127.0.0.1:0";
/// Long for a machine that does other things too; nothing here takes more than a second on an idle one.
const LIMIT: Duration = Duration::from_secs(60);
const PAUSE: Duration = Duration::from_millis(50);
const REQUESTS: u64 = 5;

/// Runs the step, or says why this machine cannot load programs; with HIPPIUS_REQUIRE_BPF=1 it has to.
pub fn step(workspace: &Workspace, summary: &mut Summary) {
    match why_not(workspace) {
        Some(why) if !step::bpf_is_required() => summary.skip(NAME, &why),
        _ => {
            summary.step(NAME, || check(workspace));
        }
    }
}

/// What `hippius-agent check` says is missing for programs to be loaded.
fn why_not(workspace: &Workspace) -> Option<String> {
    if !step::is_root() {
        return Some("loading kernel programs needs root".to_owned());
    }
    let output = Command::new(workspace.agent(false)).arg("check").output().ok()?;
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    let lacks = |line: &&str| {
        ["kernel ", "btf ", "lockdown ", "capabilities ", "backend "].iter().any(|subject| line.starts_with(subject))
    };
    let missing = text.lines().filter_map(|line| line.strip_prefix("FAIL")).map(str::trim_start).find(lacks);
    missing.map(str::to_owned)
}

fn check(workspace: &Workspace) -> Result<()> {
    let (server, server_port) = python_server(workspace)?;
    let run = Run::start()?;
    let (url, backend) = run.started()?;
    until("/readyz says that the agent is ready", || get(&url, "readyz").map(|text| (!text.is_empty()).then_some(())))?;
    page(&url)?;
    let metrics = get(&url, "metrics")?;
    let chosen = format!("hippius_agent_backend_info{{backend=\"{backend}\"}} 1");
    ensure!(metrics.lines().any(|line| line == chosen), "/metrics has no line {chosen}");
    let (base, port) = (format!("http://127.0.0.1:{server_port}/"), format!(":{server_port}\""));
    for _ in 0..REQUESTS {
        get(&base, "")?;
    }
    until("every request is counted", || {
        let counted = requests(&get(&url, "metrics")?, &port);
        ensure!(counted <= REQUESTS, "{REQUESTS} requests were made and {counted} counted");
        Ok((counted == REQUESTS).then_some(()))
    })?;
    say(&format!("{url} is there, and {REQUESTS} requests to another server are counted (back-end {backend})"));
    drop(server);
    run.terminate()
}

/// The page is whole by itself: what it refers to comes from the agent.
fn page(url: &str) -> Result<()> {
    let page = get(url, "")?;
    ensure!(page.contains("<title>Hippius agent</title>"), "the page at {url} is not the overview page:\n{page}");
    for target in targets(&page) {
        let Some(path) = target.strip_prefix('/').filter(|path| !path.starts_with('/')) else {
            ensure!(target.starts_with('#'), "the page refers to {target}");
            continue;
        };
        get(url, path)?;
    }
    Ok(())
}

/// Values of `href` and `src`.
fn targets(html: &str) -> BTreeSet<&str> {
    let values = |name: &'static str| html.split(name).skip(1).filter_map(|rest| rest.split('"').next());
    values(" href=\"").chain(values(" src=\"")).collect()
}

/// Sum of `http_requests_total` over the series whose service ends like this.
fn requests(metrics: &str, service: &str) -> u64 {
    let lines = metrics.lines().filter(|line| line.starts_with("http_requests_total{"));
    let counts = lines.filter_map(|line| {
        let (_, rest) = line.split_once("service=\"")?;
        let value = rest[..=rest.find('"')?].ends_with(service).then(|| line.rsplit(' ').next())??;
        value.parse::<f64>().ok()
    });
    counts.sum::<f64>() as u64
}

fn get(url: &str, path: &str) -> Result<String> {
    let url = format!("{url}{path}");
    let mut curl = Command::new("curl");
    curl.args(["--silent", "--fail", "--noproxy", "*", "--max-time", "10", &url]);
    step::answer(&mut curl).with_context(|| format!("{url} does not answer"))
}

/// Asks again and again. The last failure is the answer where it does not come to an end.
fn until(what: &str, mut ask: impl FnMut() -> Result<Option<()>>) -> Result<()> {
    let end = Instant::now() + LIMIT;
    loop {
        let answer = ask();
        if matches!(answer, Ok(Some(()))) {
            return Ok(());
        }
        if Instant::now() > end {
            answer.context(what.to_owned())?;
            bail!("not within {LIMIT:?}: {what}");
        }
        thread::sleep(PAUSE);
    }
}

/// Python's own HTTP server, and the port that it chose.
fn python_server(workspace: &Workspace) -> Result<(Ended, u16)> {
    let mut python = Command::new("python3");
    python.args(["-u", "-m", "http.server", "--bind", "127.0.0.1", "0"]).current_dir(workspace.join("docs"));
    python.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::null());
    let mut python = Ended(python.spawn().context("cannot start python3")?);
    let lines = lines(python.0.stdout.take().context("python's output")?, "");
    let port = |line: &str| line.split_once(" port ")?.1.split(' ').next()?.parse().ok();
    let port = find(&lines, port).context("python's server does not say where it listens")?;
    Ok((python, port))
}

/// `cargo xtask run`, which becomes the agent.
struct Run {
    process: Ended,
    lines: Receiver<String>,
}

impl Run {
    /// This very program, as `cargo xtask` started it; elsewhere than usual only where something listens there already.
    fn start() -> Result<Self> {
        let mut command = Command::new(env::current_exe()?);
        command.arg("run").env_remove("HIPPIUS_LOG");
        if TcpListener::bind(DEFAULT).is_err() {
            say(&format!("{DEFAULT} is taken here"));
            command.args(["--", "--listen", ANY]);
        }
        command.stdin(Stdio::null()).stderr(Stdio::piped());
        let mut process = Ended(command.spawn().context("cannot start this program again")?);
        let lines = lines(process.0.stderr.take().context("the output of `run`")?, "[run] ");
        Ok(Self { process, lines })
    }

    /// Where the agent says that its page is, and what it says it captures with.
    fn started(&self) -> Result<(String, String)> {
        let words = |line: &str| {
            let (_, url) = line.split_once("started; page at ")?;
            let (_, backend) = line.split_once("backend=\"")?;
            Some((url.split(',').next()?.to_owned(), backend.split('"').next()?.to_owned()))
        };
        find(&self.lines, words).context("the agent does not say where its page is")
    }

    /// SIGTERM, and the end that an agent has by it.
    fn terminate(mut self) -> Result<()> {
        let process = &mut self.process.0;
        step::run(Command::new("kill").args(["-TERM", &process.id().to_string()]))?;
        let mut status = None;
        until("the agent ends by SIGTERM", || {
            status = process.try_wait()?;
            Ok(status.map(drop))
        })?;
        let status = status.context("no status")?;
        ensure!(status.success(), "the agent ended by SIGTERM with {status}");
        Ok(())
    }
}

/// Every line as it comes, shown behind these words if there are any.
fn lines(from: impl Read + Send + 'static, show: &'static str) -> Receiver<String> {
    let (sender, receiver) = sync_channel(1000);
    thread::spawn(move || {
        for line in BufReader::new(from).lines().map_while(Result::ok) {
            if !show.is_empty() {
                eprintln!("{show}{line}");
            }
            // Nobody reads on once what was looked for is found; the process goes on to write.
            let _ = sender.try_send(line);
        }
    });
    receiver
}

fn find<T>(lines: &Receiver<String>, of_interest: impl Fn(&str) -> Option<T>) -> Option<T> {
    let end = Instant::now() + LIMIT;
    while let Ok(line) = lines.recv_timeout(end.saturating_duration_since(Instant::now())) {
        if let Some(found) = of_interest(&line) {
            return Some(found);
        }
    }
    None
}

/// A process that is gone when this is, whatever happens.
struct Ended(Child);

impl Drop for Ended {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_requests_of_one_service_are_summed() {
        let text = "# TYPE http_requests_total counter\n\
            http_requests_total{method=\"GET\",service=\"python3:80\",status_code=\"200\"} 4\n\
            http_requests_total{method=\"GET\",service=\"python3:80\",status_code=\"404\"} 1\n\
            http_requests_total{method=\"GET\",service=\"python3:8080\",status_code=\"200\"} 7\n";
        assert_eq!((requests(text, ":80\""), requests(text, ":8080\""), requests(text, ":1\"")), (5, 7, 0));
    }

    #[test]
    fn what_a_page_refers_to_is_found() {
        let page = "<link rel=\"x\" href=\"/a.css\"><a href=\"#main\">x</a><script src=\"https://b/c.js\"></script>";
        assert_eq!(targets(page).into_iter().collect::<Vec<_>>(), ["#main", "/a.css", "https://b/c.js"]);
    }
}
