//! Servers to ask: real ones, started for one test and stopped with it, and one that means no good.

use hippius_agent::attribute::Secret;
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

const PATIENCE: Duration = Duration::from_secs(60);

/// A server on a port of its own. It accepts; with a `reply` it says `+OK` to a client that introduces itself and
/// `reply` to everything else, then closes if told so; without one it never says anything.
pub fn fake(reply: Option<&'static [u8]>, close: bool) -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let port = listener.local_addr().expect("an address").port();
    std::thread::spawn(move || {
        let mut open = Vec::new();
        for stream in listener.incoming().flatten() {
            match reply {
                Some(reply) => {
                    std::thread::spawn(move || say(stream, reply, close));
                }
                None => open.push(stream),
            }
        }
    });
    port
}

fn say(mut stream: TcpStream, reply: &[u8], close: bool) {
    let mut buffer = [0u8; 4096];
    while let Ok(len @ 1..) = stream.read(&mut buffer) {
        let text = String::from_utf8_lossy(&buffer[..len]).into_owned();
        for _ in text.matches("SETINFO") {
            let _ = stream.write_all(b"+OK\r\n");
        }
        if !text.contains("SETINFO") || text.contains("hippius_auth:") {
            let _ = stream.write_all(reply);
            if close {
                return;
            }
        }
    }
}

fn free_port() -> u16 {
    TcpListener::bind("127.0.0.1:0").and_then(|listener| listener.local_addr()).expect("a port").port()
}

fn wait_for(what: &str, mut ready: impl FnMut() -> bool) {
    let deadline = Instant::now() + PATIENCE;
    while !ready() {
        assert!(Instant::now() < deadline, "{what} did not come up");
        std::thread::sleep(Duration::from_millis(20));
    }
}

/// A Redis server of our own.
pub struct Redis {
    port: u16,
    child: Option<Child>,
}

impl Redis {
    pub fn start() -> Self {
        let mut redis = Self { port: free_port(), child: None };
        redis.run();
        redis
    }

    pub fn run(&mut self) {
        let arguments = ["--bind", "127.0.0.1", "--save", "", "--appendonly", "no", "--dir", "/tmp", "--port"];
        let child = Command::new("redis-server")
            .args(arguments)
            .arg(self.port.to_string())
            .stdout(Stdio::null())
            .spawn()
            .expect("redis-server is needed for this test: apt-get install redis-server");
        self.child = Some(child);
        let client = redis::Client::open(self.url().expose()).expect("a URL");
        wait_for("Redis", || {
            client.get_connection().and_then(|mut link| redis::cmd("PING").query::<String>(&mut link)).is_ok()
        });
    }

    pub fn stop(&mut self) {
        if let Some(mut child) = self.child.take() {
            let _ = child.kill();
            let _ = child.wait();
        }
    }

    pub fn url(&self) -> Secret {
        Secret::new(&format!("redis://127.0.0.1:{}/", self.port))
    }

    pub fn command(&self, words: &[&str]) -> String {
        let client = redis::Client::open(self.url().expose()).expect("a URL");
        let mut link = client.get_connection().expect("a connection");
        let (name, arguments) = words.split_first().expect("a command");
        let reply = redis::cmd(name).arg(arguments).query::<redis::Value>(&mut link).expect("a reply");
        format!("{:?}", readable(&reply))
    }
}

/// Byte strings as text.
fn readable(value: &redis::Value) -> Vec<String> {
    match value {
        redis::Value::Array(items) => items.iter().flat_map(readable).collect(),
        redis::Value::BulkString(bytes) => vec![String::from_utf8_lossy(bytes).into_owned()],
        other => vec![format!("{other:?}")],
    }
}

impl Drop for Redis {
    fn drop(&mut self) {
        self.stop();
    }
}

/// A database cluster of our own.
pub struct Postgres {
    port: u16,
    folder: PathBuf,
    child: Child,
}

impl Postgres {
    pub fn start() -> Self {
        let port = free_port();
        let folder = std::env::temp_dir().join(format!("hippius-postgres-{}-{port}", std::process::id()));
        std::fs::create_dir(&folder).expect("a new folder");
        let (uid, gid) = (id("-u"), id("-g"));
        if id_of_us() == 0 {
            std::os::unix::fs::chown(&folder, Some(uid), Some(gid)).expect("the folder is ours to give away");
        }
        let arguments = ["-A", "trust", "-U", "postgres", "--no-sync", "--no-instructions", "-E", "UTF8", "-D"];
        let made = postgres_command("initdb", uid, gid)
            .args(arguments)
            .arg(&folder)
            .stdout(Stdio::null())
            .status()
            .expect("initdb is needed for this test: apt-get install postgresql");
        assert!(made.success(), "initdb failed");
        let child = postgres_command("postgres", uid, gid)
            .args(["-c", "fsync=off", "-c", "listen_addresses=127.0.0.1", "-c", "unix_socket_directories=", "-p"])
            .arg(port.to_string())
            .arg("-D")
            .arg(&folder)
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .expect("postgres is needed for this test: apt-get install postgresql");
        let postgres = Self { port, folder, child };
        wait_for("Postgres", || postgres.folder.join("postmaster.pid").exists() && postgres.accepts());
        postgres
    }

    /// `postmaster.pid` says `ready` in its last line as soon as connections are served.
    fn accepts(&self) -> bool {
        std::fs::read_to_string(self.folder.join("postmaster.pid")).is_ok_and(|text| text.contains("ready"))
    }

    pub fn url(&self) -> Secret {
        Secret::new(&format!("postgres://postgres@127.0.0.1:{}/postgres", self.port))
    }

    pub async fn client(&self) -> tokio_postgres::Client {
        let (client, connection) =
            tokio_postgres::connect(self.url().expose(), tokio_postgres::NoTls).await.expect("a connection");
        tokio::spawn(connection);
        client
    }

    pub async fn run(&self, sql: &str) {
        self.client().await.batch_execute(sql).await.expect("good SQL");
    }
}

impl Drop for Postgres {
    fn drop(&mut self) {
        // SIGINT is Postgres' fast shutdown; SIGKILL would leave its children.
        let _ = Command::new("kill").args(["-INT", &self.child.id().to_string()]).status();
        let _ = self.child.wait();
        let _ = std::fs::remove_dir_all(&self.folder);
    }
}

/// A program of the newest installed Postgres, run as its own user where we are root, whom it refuses.
fn postgres_command(program: &str, uid: u32, gid: u32) -> Command {
    let mut versions: Vec<PathBuf> = std::fs::read_dir("/usr/lib/postgresql")
        .expect("Postgres is needed for this test: apt-get install postgresql")
        .flatten()
        .map(|entry| entry.path())
        .collect();
    versions.sort();
    let newest = versions.last().expect("Postgres is needed for this test: apt-get install postgresql");
    let mut command = Command::new(newest.join("bin").join(program));
    command.current_dir(Path::new("/"));
    if id_of_us() == 0 {
        command.uid(uid).gid(gid);
    }
    command
}

/// `-u`ser or `-g`roup of the user `postgres`.
fn id(what: &str) -> u32 {
    numeric(&[what, "postgres"]).expect("there is no user postgres: apt-get install postgresql")
}

fn id_of_us() -> u32 {
    numeric(&["-u"]).expect("the program id")
}

fn numeric(arguments: &[&str]) -> Option<u32> {
    let output = Command::new("id").args(arguments).output().ok()?;
    String::from_utf8(output.stdout).ok()?.trim().parse().ok()
}
