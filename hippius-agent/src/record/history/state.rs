//! What the agent says about itself, from the lines of its own families.

use super::answer::{Count, Source, State};
use super::gauges::line;
use super::labels;

/// Most facts that are kept: reasons and sources are few.
const MAX_FACTS: usize = 256;

/// Families that are kept as they stood at the last sample.
const KEPT: [&str; 15] = [
    "hippius_agent_build_info",
    "hippius_agent_backend_info",
    "hippius_agent_events_total",
    "hippius_agent_events_lost_total",
    "hippius_agent_audit_difference_bytes_total",
    "hippius_agent_bytes_unattributed_total",
    "hippius_agent_streams_desynced_total",
    "hippius_agent_connections",
    "hippius_agent_series",
    "hippius_agent_series_folded_total",
    "hippius_agent_source_up",
    "hippius_agent_last_success_timestamp_seconds",
    "hippius_agent_poll_duration_seconds",
    "hippius_agent_poll_errors_total",
    "process_start_time_seconds",
];

const MEMORY: &str = "process_resident_memory_bytes";

#[derive(Debug)]
struct Fact {
    name: &'static str,
    labels: String,
    value: f64,
}

/// The agent's own families at the last sample.
#[derive(Debug, Default)]
pub struct Facts(Vec<Fact>);

impl Facts {
    /// Reads them from a page in the text format.
    pub fn read(&mut self, text: &str) {
        let facts = text.lines().filter_map(line).filter_map(|(name, labels, value)| {
            let name = KEPT.iter().chain([&MEMORY]).find(|kept| **kept == name)?;
            Some(Fact { name, labels: labels.to_owned(), value })
        });
        self.0 = facts.take(MAX_FACTS).collect();
    }

    /// As the page shows them.
    pub fn state(&self, unix_s: f64, history_bytes: usize) -> State {
        let label = |name, label| self.of(name).next().map(|fact| labels::value(&fact.labels, label).into_owned());
        let backend = self.of("hippius_agent_backend_info").find(|fact| fact.value == 1.0);
        State {
            version: label("hippius_agent_build_info", "version").unwrap_or_default(),
            backend: backend.map(|fact| labels::value(&fact.labels, "backend").into_owned()).unwrap_or_default(),
            started_at_s: self.sum("process_start_time_seconds"),
            memory_bytes: self.sum(MEMORY),
            events: self.sum("hippius_agent_events_total"),
            lost: self.counts("hippius_agent_events_lost_total", "reason"),
            audit_difference_bytes: self.sum("hippius_agent_audit_difference_bytes_total"),
            unattributed_bytes: self.counts("hippius_agent_bytes_unattributed_total", "reason"),
            desynced: self.counts("hippius_agent_streams_desynced_total", "reason"),
            connections: self.counts("hippius_agent_connections", "state"),
            series: self.sum("hippius_agent_series"),
            folded: self.sum("hippius_agent_series_folded_total"),
            sources: self.sources(unix_s),
            history_bytes,
        }
    }

    fn sources(&self, unix_s: f64) -> Vec<Source> {
        let up = self.of("hippius_agent_source_up");
        up.map(|fact| {
            let name = labels::value(&fact.labels, "source").into_owned();
            let of = |family| {
                let mine = self.of(family).filter(|fact| labels::value(&fact.labels, "source") == name);
                mine.map(|fact| fact.value).reduce(|one, other| one + other)
            };
            Source {
                up: fact.value == 1.0,
                age_s: of("hippius_agent_last_success_timestamp_seconds").filter(|at| *at > 0.0).map(|at| unix_s - at),
                took_s: of("hippius_agent_poll_duration_seconds"),
                errors: of("hippius_agent_poll_errors_total").unwrap_or(0.0),
                name,
            }
        })
        .collect()
    }

    fn of(&self, name: &str) -> impl Iterator<Item = &Fact> {
        self.0.iter().filter(move |fact| fact.name == name)
    }

    fn sum(&self, name: &str) -> f64 {
        self.of(name).map(|fact| fact.value).sum()
    }

    fn counts(&self, name: &str, label: &str) -> Vec<Count> {
        let count = |fact: &Fact| Count { name: labels::value(&fact.labels, label).into_owned(), count: fact.value };
        self.of(name).map(count).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_state_is_read_from_the_page() {
        let mut facts = Facts::default();
        facts.read(
            "hippius_agent_build_info{version=\"1\",revision=\"a\",rustc=\"2\"} 1\n\
             hippius_agent_backend_info{backend=\"old\"} 0\nhippius_agent_backend_info{backend=\"tracepoint\"} 1\n\
             hippius_agent_events_lost_total{reason=\"ring_full\"} 3\nhippius_agent_source_up{source=\"redis/a\"} 1\n\
             hippius_agent_last_success_timestamp_seconds{source=\"redis/a\"} 90\n\
             hippius_agent_poll_errors_total{source=\"redis/a\",reason=\"timeout\"} 2\n\
             hippius_agent_poll_errors_total{source=\"redis/b\",reason=\"timeout\"} 5\n",
        );
        let state = facts.state(100.0, 7);
        assert_eq!((&*state.version, &*state.backend, state.history_bytes), ("1", "tracepoint", 7));
        assert_eq!((state.lost[0].name.as_str(), state.lost[0].count), ("ring_full", 3.0));
        let source = &state.sources[0];
        assert_eq!((source.name.as_str(), source.up, source.age_s, source.errors), ("redis/a", true, Some(10.0), 2.0));
    }
}
