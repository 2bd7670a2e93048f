//! What a reload changes, and which of it waits for a restart.

use super::Config;

/// When a changed setting takes effect.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Applies {
    /// At once, by the reload.
    Live,
    /// At the next start: the socket, the ring and the programs are made once.
    Restart,
}

/// The keys that differ between two configurations.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Changes {
    /// In effect as soon as the new configuration is swapped in.
    pub live: Vec<&'static str>,
    /// In effect after the next start only.
    pub restart: Vec<&'static str>,
}

impl Changes {
    /// Whether nothing differs.
    pub fn is_empty(&self) -> bool {
        self.live.is_empty() && self.restart.is_empty()
    }
}

/// One comparison: a key of the schema or a whole section, when it applies, and whether it is unchanged.
type Row = (&'static str, Applies, fn(&Config, &Config) -> bool);

const ROWS: &[Row] = &[
    ("listen", Applies::Restart, |old, new| old.listen == new.listen),
    ("web_config_file", Applies::Restart, |old, new| old.web_config_file == new.web_config_file),
    ("log", Applies::Live, |old, new| old.log == new.log),
    ("capture.ring_bytes", Applies::Restart, |old, new| old.capture.ring_bytes == new.capture.ring_bytes),
    ("capture.max_connections", Applies::Restart, |old, new| {
        old.capture.max_connections == new.capture.max_connections
    }),
    ("capture.probe_log", Applies::Restart, |old, new| old.capture.probe_log == new.capture.probe_log),
    ("capture.backend", Applies::Restart, |old, new| old.capture.backend == new.capture.backend),
    ("capture.discover", Applies::Live, |old, new| old.capture.discover == new.capture.discover),
    ("capture.outbound", Applies::Live, |old, new| old.capture.outbound == new.capture.outbound),
    ("capture.tls", Applies::Restart, |old, new| old.capture.tls == new.capture.tls),
    ("labels", Applies::Live, |old, new| old.labels == new.labels),
    ("service", Applies::Live, |old, new| old.services == new.services),
    ("client", Applies::Live, |old, new| old.clients == new.clients),
    ("peer", Applies::Live, |old, new| old.peers == new.peers),
    ("operation", Applies::Live, |old, new| old.operations == new.operations),
    ("attribution", Applies::Live, |old, new| old.attribution == new.attribution),
    ("redis", Applies::Live, |old, new| old.redis == new.redis),
    ("postgres", Applies::Live, |old, new| old.postgres == new.postgres),
];

/// The keys that differ. Read `attribution` as "anything in `[attribution]`".
pub fn diff(old: &Config, new: &Config) -> Changes {
    let mut changes = Changes::default();
    for (key, applies, unchanged) in ROWS {
        if !unchanged(old, new) {
            match applies {
                Applies::Live => changes.live.push(key),
                Applies::Restart => changes.restart.push(key),
            }
        }
    }
    changes
}

/// When a key of the schema takes effect, `None` for a key that no comparison covers.
pub fn applies(key: &str) -> Option<Applies> {
    let covers = |row: &str| key == row || key.strip_prefix(row).is_some_and(|rest| rest.starts_with('.'));
    ROWS.iter().find(|(row, ..)| covers(row)).map(|&(_, applies, _)| applies)
}
