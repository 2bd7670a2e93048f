//! nginx with an access log that holds the truth: one JSON line per request.

use std::fmt::Write as _;
use std::process::Command;
use std::time::Duration;

use anyhow::{Result, ensure};

use super::Server;
use crate::certificate::Certificate;
use crate::ports;
use crate::process::Process;
use crate::truth::AccessLine;
use crate::wait;
use crate::workdir::Workdir;

/// Body of `/k1`.
pub const K1: usize = 1024;

/// Status of the answers below `/mark/cN/`, whose body is the path: by status, N is known again.
pub const MARKS: [u16; 8] = [200, 201, 202, 203, 404, 409, 410, 418];

pub struct Nginx {
    pub server: Server,
    log: std::path::PathBuf,
}

/// What differs between uses.
#[derive(Clone, Copy)]
pub struct Options {
    pub workers: u32,
    /// Buffered writes of the access log: for millions of requests. The lines are complete after [`Nginx::quit`].
    pub buffered_log: bool,
    pub access_log: bool,
    /// HTTPS with a certificate for `localhost`.
    pub tls: bool,
    /// Also on the Unix socket `nginx.sock` of the folder.
    pub unix: bool,
    /// Hands `/app/` on to the Unix socket `app.sock` of the folder, and logs what comes back.
    pub upstream: bool,
}

impl Default for Options {
    fn default() -> Self {
        Self { workers: 1, buffered_log: false, access_log: true, tls: false, unix: false, upstream: false }
    }
}

impl Nginx {
    pub fn start(workdir: &Workdir) -> Result<Self> {
        Self::start_with(workdir, Options::default())
    }

    pub fn start_with(workdir: &Workdir, options: Options) -> Result<Self> {
        let port = ports::free();
        let words = prepare(workdir, port, options)?;
        let mut command = Command::new(&words[0]);
        command.args(&words[1..]);
        let server = Server::start("nginx", command, port, workdir)?;
        if options.unix {
            // It is made after the port.
            wait::until("nginx on its Unix socket", wait::WIDE, || workdir.join("nginx.sock").exists().then_some(()))?;
        }
        Ok(Self { server, log: workdir.join("access.log") })
    }

    /// In a network namespace, whose loopback the test cannot reach itself.
    pub fn start_in(workdir: &Workdir, namespace: &str) -> Result<Self> {
        let port = ports::free();
        let mut command = Command::new("ip");
        command.args(["netns", "exec", namespace]).args(prepare(workdir, port, Options::default())?);
        let process = Process::spawn("nginx", command, workdir)?;
        // It writes this file once it listens.
        let pid_file = workdir.join("nginx.pid");
        wait::until("nginx in its namespace", wait::WIDE, || pid_file.exists().then_some(()))?;
        Ok(Self { server: Server { process, port }, log: workdir.join("access.log") })
    }

    /// Ends after the last connection and gives the whole access log.
    pub fn quit(mut self) -> Result<Vec<AccessLine>> {
        let (status, _) = self.server.process.stop(libc::SIGQUIT, wait::WIDE)?;
        ensure!(status.success(), "nginx ended with {status}");
        AccessLine::read(&self.log)
    }

    /// Bytes of each response that the app behind it gave, once there are `count`.
    pub fn upstream(&self, count: usize) -> Result<Vec<u64>> {
        let log = self.log.with_file_name("upstream.log");
        wait::until(&format!("{count} lines in nginx' log of the app"), Duration::from_secs(10), || {
            let text = std::fs::read_to_string(&log).ok()?;
            let bytes: Vec<u64> = text.lines().filter_map(|line| line.parse().ok()).collect();
            (bytes.len() >= count).then_some(bytes)
        })
    }

    /// The log once it holds `count` lines (nginx writes a line after the response, maybe after the client saw its end).
    pub fn log(&self, count: usize) -> Result<Vec<AccessLine>> {
        wait::until(&format!("{count} lines in nginx' access log"), Duration::from_secs(10), || {
            AccessLine::read(&self.log).ok().filter(|lines| lines.len() >= count)
        })
    }
}

/// Files and config; the words that start it. Its log is `access.log`.
pub fn prepare(workdir: &Workdir, port: u16, options: Options) -> Result<Vec<String>> {
    let root = workdir.join("www");
    for folder in ["www/files", "www/dav", "nginx-tmp"] {
        std::fs::create_dir_all(workdir.join(folder))?;
    }
    for size in [0usize, 1, 1024, 65_536, 1 << 20, 10 << 20] {
        std::fs::write(root.join("files").join(size.to_string()), vec![b'f'; size])?;
    }
    let certificate = options.tls.then(|| Certificate::create(workdir)).transpose()?;
    let config = workdir.write("nginx.conf", config(workdir, port, options, certificate.as_ref()))?;
    let (folder, errors) = (workdir.path().display(), workdir.join("nginx-error.log"));
    let words = format!("nginx -c {} -p {folder} -e {}", config.display(), errors.display());
    Ok(words.split(' ').map(str::to_owned).collect())
}

fn upstream(dir: &impl std::fmt::Display) -> String {
    format!(
        "    location /app/ {{\n      proxy_pass http://unix:{dir}/app.sock:/;\n      \
         access_log {dir}/access.log truth;\n      access_log {dir}/upstream.log upstream;\n    }}\n"
    )
}

fn config(workdir: &Workdir, port: u16, options: Options, certificate: Option<&Certificate>) -> String {
    let dir = workdir.path().display();
    let mut text = String::new();
    let buffer = if options.buffered_log { " buffer=1m" } else { "" };
    let access = if options.access_log { format!("{dir}/access.log truth{buffer}") } else { "off".to_owned() };
    let k1 = "k".repeat(K1);
    let mut marks = String::new();
    for (connection, status) in MARKS.iter().enumerate() {
        let _ = writeln!(marks, "    location /mark/c{connection}/ {{ return {status} $uri; }}");
    }
    let (ssl, certificate) = match certificate {
        Some(Certificate { certificate, key }) => {
            (" ssl http2", format!("ssl_certificate {}; ssl_certificate_key {};", certificate.display(), key.display()))
        }
        None => ("", String::new()),
    };
    // Writing to a String cannot fail.
    let _ = write!(
        text,
        r#"daemon off;
user root;
pid {dir}/nginx.pid;
worker_processes {workers};
worker_rlimit_nofile 8192;
events {{ worker_connections 4096; }}
http {{
  log_format truth escape=json '{{"connection":$connection,"number":$connection_requests,"method":"$request_method",'
    '"uri":"$request_uri","status":"$status","request_length":$request_length,"bytes_sent":$bytes_sent,'
    '"body_bytes_sent":$body_bytes_sent,"seconds":$request_time}}';
  log_format upstream '$upstream_bytes_received';
  access_log {access};
  client_body_temp_path {dir}/nginx-tmp/body;
  proxy_temp_path {dir}/nginx-tmp/proxy;
  fastcgi_temp_path {dir}/nginx-tmp/fastcgi;
  uwsgi_temp_path {dir}/nginx-tmp/uwsgi;
  scgi_temp_path {dir}/nginx-tmp/scgi;
  client_max_body_size 0;
  large_client_header_buffers 8 32k;
  keepalive_requests 1000000000;
  keepalive_timeout 600s;
  send_timeout 60s;
  client_body_timeout 600s;
  sendfile on;
  tcp_nopush on;
  default_type application/octet-stream;
  server {{
    listen 127.0.0.1:{port} reuseport backlog=4096{ssl};
    listen [::1]:{port} reuseport backlog=4096{ssl};
    {unix}{certificate}
    root {dir}/www;
    location = /k1 {{ return 200 "{k1}"; }}
    location = /empty {{ return 204; }}
    location /files/ {{ }}
    location /big/ {{ }}
    location /close/ {{ keepalive_timeout 0; return 200 "closed after this"; }}
    location /dav/ {{ dav_methods PUT DELETE MKCOL COPY MOVE; create_full_put_path on; }}
    location /chunked/ {{ alias {dir}/www/files/; sub_filter_types *; sub_filter "zzzzzz" "yyyyyy"; }}
    location /download/ {{ return 200 $uri; }}
    location /delete/ {{ return 204; }}
{upstream}{marks}    location / {{ return 404 "nothing here"; }}
  }}
}}
"#,
        workers = options.workers,
        upstream = if options.upstream { upstream(&dir) } else { String::new() },
        unix = if options.unix { format!("listen unix:{dir}/nginx.sock;\n    ") } else { String::new() },
    );
    text
}
