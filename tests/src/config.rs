//! The agent's config file, written for a test: the only place that knows its keys.

use std::fmt::Write as _;
use std::path::Path;

#[derive(Clone, Debug, Default)]
pub struct Config {
    text: String,
}

impl Config {
    /// With `HIPPIUS_BACKEND` in the environment, that back-end is asked for. Calls of services are not watched: some
    /// servers of the tests are threads of the test, whose clients would be theirs.
    pub fn new() -> Self {
        Self::default().capture("outbound = false").back_end()
    }

    /// One that watches the calls of services.
    pub fn with_calls() -> Self {
        Self::default().back_end()
    }

    fn back_end(self) -> Self {
        match std::env::var("HIPPIUS_BACKEND") {
            Ok(name) => self.capture(&format!("backend = {name:?}")),
            Err(_) => self,
        }
    }

    /// A line of the section `[capture]`.
    pub fn capture(mut self, line: &str) -> Self {
        const SECTION: &str = "[capture]\n";
        let at = self.text.find(SECTION).unwrap_or_else(|| {
            self.text.push_str(SECTION);
            self.text.len() - SECTION.len()
        });
        self.text.insert_str(at + SECTION.len(), &format!("{line}\n"));
        self
    }

    /// The level of the log; a key of the file's top, so it comes before all sections.
    pub fn log(mut self, level: &str) -> Self {
        self.text.insert_str(0, &format!("log = {level:?}\n"));
        self
    }

    /// A watched HTTP service on one port, no account rules beyond the defaults.
    pub fn service(self, name: &str, port: u16) -> Self {
        self.service_with(name, &[port], "http", "")
    }

    /// A watched HTTP service on a Unix socket.
    pub fn unix_service(self, name: &str, path: &Path) -> Self {
        self.section(&format!("[[service]]\nname = {name:?}\nsockets = [{path:?}]"))
    }

    /// A service with more keys; each a line of TOML.
    pub fn service_with(mut self, name: &str, ports: &[u16], profile: &str, more: &str) -> Self {
        let _ = writeln!(self.text, "[[service]]\nname = {name:?}\nports = {ports:?}\nprofile = {profile:?}\n{more}");
        self
    }

    /// Any other section.
    pub fn section(mut self, toml: &str) -> Self {
        let _ = writeln!(self.text, "{toml}");
        self
    }

    pub fn text(&self) -> &str {
        &self.text
    }
}
