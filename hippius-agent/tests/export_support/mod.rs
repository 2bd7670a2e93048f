//! What the tests of the exporter share: a server on a free port, and recorded exchanges.
#![allow(dead_code, reason = "each test crate uses its part")]

use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::Command;
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime};

use arc_swap::ArcSwap;
use hippius_agent::attribute::Account;
use hippius_agent::classify::{Effect, Payload, S3Operation};
use hippius_agent::exchange::{MessageBytes, Outcome};
use hippius_agent::export::exposition::Exposition;
use hippius_agent::export::page::Overview;
use hippius_agent::export::server::{Readiness, Server, ServerConfig};
use hippius_agent::poll::draft::Draft;
use hippius_agent::poll::source::Status;
use hippius_agent::poll::target::{self, State, Target, Targets};
use hippius_agent::record::agent::{AgentMetrics, Build};
use hippius_agent::record::sample::{CallSample, CallTransfer, Direction, ExchangeSample, TransferSample};
use hippius_agent::record::series::{Recorder, SeriesConfig};

/// A server that runs on a free port of the loopback address until it is dropped.
pub struct Running {
    pub address: SocketAddr,
    pub readiness: Readiness,
    pub exposition: Arc<Exposition>,
    stop: Option<tokio::sync::oneshot::Sender<()>>,
    thread: Option<std::thread::JoinHandle<()>>,
}

impl Running {
    pub fn start(config: ServerConfig, recorder: &Recorder) -> Self {
        Self::start_with(config, recorder, Arc::default())
    }

    /// The same with a history of its own.
    pub fn start_with(config: ServerConfig, recorder: &Recorder, overview: Arc<Overview>) -> Self {
        let config = ServerConfig { listen: SocketAddr::from(([127, 0, 0, 1], 0)), ..config };
        let (exposition, readiness) = (exposition(recorder), Readiness::default());
        let (stop, stopped) = tokio::sync::oneshot::channel();
        let (tell, told) = std::sync::mpsc::sync_channel(1);
        let (pages, ready) = (Arc::clone(&exposition), readiness.clone());
        let thread = std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build();
            let runtime = runtime.expect("a runtime");
            runtime.block_on(async move {
                let server = Server::bind(config, pages, overview, ready).await.expect("a server");
                tell.send(server.local_addr().expect("an address")).expect("a test that waits");
                server.run(async { drop(stopped.await) }).await;
            });
        });
        let address = told.recv().expect("the server listens");
        Self { address, readiness, exposition, stop: Some(stop), thread: Some(thread) }
    }

    /// Ends the server and waits for it.
    pub fn stop(mut self) {
        self.end();
    }

    fn end(&mut self) {
        drop(self.stop.take());
        if let Some(thread) = self.thread.take() {
            thread.join().expect("the server ended well");
        }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.end();
    }
}

pub fn recorder() -> Recorder {
    Recorder::new(SeriesConfig::default())
}

pub fn exposition(recorder: &Recorder) -> Arc<Exposition> {
    exposition_with(recorder, Vec::new())
}

pub fn exposition_with(recorder: &Recorder, targets: Targets) -> Arc<Exposition> {
    let agent = AgentMetrics::new(Build { version: "1.2.3", revision: "abc", rustc: "1.95" }).expect("families");
    Arc::new(Exposition::new(recorder.reader(), Arc::new(agent), Arc::new(ArcSwap::from_pointee(targets))))
}

/// A Redis server that was polled once, and every family that its polls can yield.
pub fn polled_target() -> Arc<Target> {
    let target = Target::new(target::Server::Redis, "main".into());
    let mut values = Draft::default();
    for (server, spec) in hippius_agent::poll::families() {
        if server == target::Server::Redis {
            values.add(spec, &["1", "2"], 3.5);
        }
    }
    let status = Status { polls: 1, last_success: Some(SystemTime::now()), ..Status::default() };
    let until = Some(Instant::now() + Duration::from_secs(3600));
    target.publish(State { status, always: Arc::default(), values: Arc::new(values.finish()), values_until: until });
    Arc::new(target)
}

/// One upload and one failed download by each of so many accounts.
pub fn fill(recorder: &mut Recorder, accounts: u64) {
    let put = S3Operation { name: "PutObject", effect: Effect::ObjectCreated, payload: Payload::Upload };
    let get = S3Operation { name: "GetObject", effect: Effect::None, payload: Payload::Download };
    let service = recorder.service("hippius-api");
    recorder.in_flight(service, 1);
    for number in 1..=accounts {
        let main = format!("5F{number}").into();
        let account = recorder.account(&Account { main, sub: format!("5S{number}").into() });
        let sample = ExchangeSample {
            service,
            account,
            method: "PUT",
            handler: "put_object",
            status: Some(200),
            outcome: Outcome::Complete,
            s3: Some(put),
            error_code: None,
            decoded_payload_bytes: None,
            request: MessageBytes { head: 300, body: 1 << 20, framing: 0 },
            response: MessageBytes { head: 200, body: 0, framing: 0 },
            receive_ns: 1_234_567,
            process_ns: Some(20_000_000),
            send_ns: Some(5),
            total_ns: 21_234_572,
        };
        recorder.exchange(&sample, number);
        let mut batch = recorder.batch();
        let (peer, operation) = ("arion", "download");
        batch.call(&CallSample { account, peer, operation, success: true }, number);
        batch.call_bytes(&CallTransfer { account, peer, operation, direction: Direction::Out, bytes: 10 }, number);
        drop(batch);
        for (direction, bytes) in [(Direction::In, (1 << 20) + 300), (Direction::Out, 200)] {
            recorder.transfer(&TransferSample { service, account, handler: "put_object", direction, bytes }, number);
        }
        if accounts <= 100 {
            let failed = ExchangeSample {
                method: "GET",
                handler: "get_object",
                status: Some(404),
                s3: Some(get),
                error_code: Some("NoSuchKey"),
                ..sample
            };
            recorder.exchange(&failed, number);
            let bucket = S3Operation { name: "CreateBucket", effect: Effect::BucketCreated, payload: Payload::None };
            recorder.exchange(&ExchangeSample { handler: "create_bucket", s3: Some(bucket), ..sample }, number);
            let read = ExchangeSample { response: MessageBytes { head: 1, body: 9, framing: 0 }, ..sample };
            recorder.exchange(&ExchangeSample { s3: Some(get), ..read }, number);
        }
    }
}

/// What curl prints.
pub fn curl(arguments: &[&str]) -> String {
    let output =
        Command::new("curl").args(["-s", "-S", "--max-time", "20"]).args(arguments).output().expect("curl runs");
    String::from_utf8_lossy(&output.stdout).into_owned()
}

/// A new empty folder.
pub fn folder(name: &str) -> PathBuf {
    let folder = std::env::temp_dir().join(format!("hippius-export-{name}-{}", std::process::id()));
    let _ = std::fs::remove_dir_all(&folder);
    std::fs::create_dir_all(&folder).expect("a folder");
    folder
}
