//! What the agent says about itself, brought up to date once a second.

use std::sync::Arc;

use hippius_common::flow::kind;
use prometheus::IntCounter;

use crate::attribute::store::counters::{LookupSnapshot, RESULTS, SOURCES};
use crate::kernel::container::Container;
use crate::kernel::loader::Controls;
use crate::pipeline::Pipeline;
use crate::pipeline::placed::Change;
use crate::record::agent::{AgentMetrics, follow};

/// Totals that are counted elsewhere, as they stood last time.
pub struct Gauges {
    metrics: Arc<AgentMetrics>,
    kinds: [IntCounter; 4],
    torn: IntCounter,
    losses: Vec<u64>,
    lookups: [[u64; RESULTS.len()]; SOURCES.len()],
    runs: Vec<(u64, f64)>,
}

impl Gauges {
    /// Everything at zero.
    pub fn new(metrics: Arc<AgentMetrics>) -> Self {
        let kinds = ["capture", "close", "end", "connected"].map(|kind| metrics.events.with_label_values(&[kind]));
        let torn = metrics.events.with_label_values(&["torn"]);
        // Zero is an answer too: an operator looks for the series before there is a loss.
        for reason in ["exchange", "ring_full"] {
            metrics.events_lost.with_label_values(&[reason]);
        }
        metrics.bytes_unattributed.with_label_values(&["before_start"]);
        Self { kinds, torn, losses: Vec::new(), lookups: Default::default(), runs: Vec::new(), metrics }
    }

    /// A record came.
    pub fn record(&self, kind: u16) {
        let [capture, close, end, connected] = &self.kinds;
        match kind {
            kind::CLOSE => close.inc(),
            kind::END => end.inc(),
            kind::CONNECTED => connected.inc(),
            _ => capture.inc(),
        }
    }

    /// Views of a sweep that were written to meanwhile; the next sweep has them.
    pub fn torn(&self, count: u32) {
        self.torn.inc_by(u64::from(count));
    }

    /// Brings everything up to date.
    pub fn update(&mut self, controls: &Controls, pipeline: &mut Pipeline) {
        for (index, (reason, total)) in controls.losses().enumerate() {
            if self.losses.len() <= index {
                self.losses.push(0);
            }
            if let Some(last) = self.losses.get_mut(index).filter(|last| **last != total) {
                follow(&self.metrics.events_lost.with_label_values(&[reason]), last, total);
            }
        }
        let (all, active) = pipeline.connections();
        self.metrics.connections.with_label_values(&["active"]).set(active as i64);
        self.metrics.connections.with_label_values(&["idle"]).set((all - active) as i64);
        let counters = pipeline.store().counters();
        self.lookups(&counters.snapshot());
        for took in counters.take_durations() {
            self.metrics.account_lookup_seconds.observe(took.as_secs_f64());
        }
        self.probes(controls);
        self.containers(pipeline);
    }

    fn containers(&self, pipeline: &mut Pipeline) {
        let info = &self.metrics.service_container_info;
        let refused = pipeline.settle_containers(|service, container, change| {
            let Container { id, pod_uid, names } = container;
            let name = |name: &Option<Box<str>>| name.as_deref().unwrap_or_default().to_owned();
            let (container, pod, namespace) = (name(&names.container), name(&names.pod), name(&names.namespace));
            let labels = [service, id, &container, &pod, &namespace, pod_uid.as_deref().unwrap_or_default()];
            match change {
                Change::Begun => info.with_label_values(&labels).set(1),
                // Only what was shown ends, so there is a series to take away.
                Change::Ended => drop(info.remove_label_values(&labels)),
            }
        });
        if refused > 0 {
            self.metrics.events_lost.with_label_values(&["containers_full"]).inc_by(refused);
        }
    }

    fn lookups(&mut self, snapshot: &LookupSnapshot) {
        for ((source, last), now) in SOURCES.iter().zip(&mut self.lookups).zip(&snapshot.results) {
            for ((result, last), now) in RESULTS.iter().zip(last).zip(now) {
                if *now != *last {
                    follow(&self.metrics.account_lookups.with_label_values(&[source, result]), last, *now);
                }
            }
        }
    }

    fn probes(&mut self, controls: &Controls) {
        for (index, program) in controls.program_runs().enumerate() {
            if self.runs.len() <= index {
                self.runs.push((0, 0.0));
            }
            let Some((runs, seconds)) = self.runs.get_mut(index).filter(|_| program.runs > 0) else { continue };
            follow(&self.metrics.probe_runs.with_label_values(&[program.program]), runs, program.runs);
            let now = program.time.as_secs_f64();
            self.metrics.probe_seconds.with_label_values(&[program.program]).inc_by((now - *seconds).max(0.0));
            *seconds = now;
        }
    }
}
