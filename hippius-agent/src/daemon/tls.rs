//! TLS libraries, as the capturing thread deals with them: questions about processes, ends of sessions, gauges.

use std::path::Path;
use std::sync::Arc;

use hippius_common::flow::kind;
use hippius_common::tls::{Asked, Session};
use zerocopy::{FromBytes, IntoBytes};

use super::privileges;
use crate::config::Config;
use crate::kernel::loader::Probes;
use crate::kernel::process;
use crate::kernel::record::text;
use crate::kernel::tls::programs::Answers;
use crate::kernel::tls::watcher::{Status, Watcher};
use crate::record::agent::AgentMetrics;

/// The watcher, or why there is none, before there are metrics.
pub struct Started(Result<(Watcher, Answers), String>);

/// Starts to look for libraries, where that is asked for. To be called before this thread gives up its capabilities:
/// the watcher's keeps one more.
pub fn start(probes: &mut Probes) -> Option<Started> {
    let parts = match probes.tls.take()? {
        Ok(parts) => parts,
        Err(error) => return Some(Started(Err(error.to_string()))),
    };
    let give_up = || {
        if let Err(error) = privileges::drop_capabilities_but_for_tls() {
            tracing::warn!("cannot give up capabilities: {error}");
        }
    };
    let watcher = Watcher::start(parts.uprobes, parts.programs, parts.maps, Path::new("/proc"), give_up);
    Some(Started(watcher.map(|watcher| (watcher, parts.answers)).map_err(|error| error.to_string())))
}

/// The probes of TLS libraries.
pub struct Tls {
    watcher: Watcher,
    answers: Answers,
    metrics: Arc<AgentMetrics>,
    told: Status,
}

impl Tls {
    /// The running watcher. Where there is none, the log and a metric say why; nothing else depends on it.
    pub fn new(started: Started, metrics: &Arc<AgentMetrics>) -> Option<Self> {
        match started.0 {
            Ok((watcher, answers)) => {
                Some(Self { watcher, answers, metrics: Arc::clone(metrics), told: Status::default() })
            }
            Err(why) => {
                tracing::warn!("TLS is not opened: {why}");
                metrics.tls_refused.with_label_values(&["kernel"]).inc();
                None
            }
        }
    }

    /// A process uses a probed library and was not seen before. Says whether its sessions are followed; `client` is for
    /// certain.
    pub fn answer(&mut self, config: &Config, asked: &Asked, client: bool) -> bool {
        let is_meant = || {
            let (_, executable) = process::names(asked.tgid);
            let command = process::command(asked.tgid);
            config.client_of(Some(&*text(&asked.comm)), executable.as_deref(), command.as_deref()).is_some()
        };
        let followed = asked.tgid != std::process::id() && (client || is_meant());
        if let Err(error) = self.answers.give(asked.tgid, followed) {
            tracing::warn!(tgid = asked.tgid, "cannot say whether its TLS sessions are followed: {error}");
        }
        followed
    }

    /// The last records of sessions whose process has ended without ending them.
    pub fn ended(&self, mut take: impl FnMut(&[u8])) {
        for bytes in self.watcher.ended() {
            let Ok((mut session, _)) = Session::read_from_prefix(&bytes) else { continue };
            let header = &mut session.flow.header;
            header.kind = kind::CLOSE;
            header.kernel_in = header.inbound.total;
            header.kernel_out = header.outbound.total;
            take(session.flow.as_bytes());
        }
    }

    /// Brings the gauges up to date.
    pub fn update(&mut self) {
        let status = self.watcher.status();
        self.metrics.tls_libraries.set(status.libraries as i64);
        self.metrics.tls_processes.set(status.processes as i64);
        for (reason, count) in &status.refused {
            let before = self.told.refused.get(reason).copied().unwrap_or_default();
            self.metrics.tls_refused.with_label_values(&[reason]).inc_by(count.saturating_sub(before));
        }
        let lost = status.lost.saturating_sub(self.told.lost);
        if lost > 0 {
            self.metrics.events_lost.with_label_values(&["tls_session"]).inc_by(lost);
        }
        self.told = status;
    }
}
