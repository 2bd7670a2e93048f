//! What the pages are made of, and a page in the making.

use std::sync::Arc;
use std::time::Instant;

use arc_swap::ArcSwap;
use prometheus::proto::MetricFamily;

use super::polled::Polled;
use super::process::process_families;
use super::text::{Format, push_series};
use crate::poll::target::{Target, Targets};
use crate::record::agent::AgentMetrics;
use crate::record::exemplar::Shown;
use crate::record::history;
use crate::record::polled::source_families;
use crate::record::series::SeriesReader;
use crate::record::series::snapshot::Snapshot;
use crate::record::taken::Taken;

/// Everything that can be scraped.
#[derive(Debug)]
pub struct Exposition {
    series: SeriesReader,
    agent: Arc<AgentMetrics>,
    targets: Arc<ArcSwap<Targets>>,
}

impl Exposition {
    /// The main page: the series, the agent's own families and what is polled.
    pub fn new(series: SeriesReader, agent: Arc<AgentMetrics>, targets: Arc<ArcSwap<Targets>>) -> Self {
        Self { series, agent, targets }
    }

    /// Paths of the pages of single targets.
    pub fn target_paths(&self) -> Vec<String> {
        self.targets.load().iter().map(|target| target.path()).collect()
    }

    /// Whether `path` is that of a single target.
    pub fn has_target(&self, path: &str) -> bool {
        self.target(path).is_some()
    }

    fn target(&self, path: &str) -> Option<Arc<Target>> {
        self.targets.load().iter().find(|target| target.path() == path).cloned()
    }

    /// The agent's own families.
    pub fn agent(&self) -> &AgentMetrics {
        &self.agent
    }

    /// The page of `/metrics` at this moment.
    pub fn page(&self, format: Format) -> Page {
        self.page_of(format, self.series.snapshot())
    }

    /// The same in two parts for the history: the series, and the text of all other families, of the polled ones those
    /// that it reads.
    pub fn look(&self) -> (Snapshot, Vec<u8>) {
        let mut page = self.page_of(Format::Text, self.series.glance());
        page.polled.retain(history::reads);
        let mut text = Vec::new();
        let snapshot = page.snapshot.take();
        while page.fill(&mut text, usize::MAX / 2) {}
        (snapshot.unwrap_or_else(|| self.series.glance()), text)
    }

    fn page_of(&self, format: Format, snapshot: Snapshot) -> Page {
        let mut families: Vec<Fixed> = self.agent.registry().gather().into_iter().map(Fixed::Gathered).collect();
        let targets = self.targets.load();
        let sources = source_families(targets.iter().map(|target| &**target));
        let taken = process_families().into_iter().chain(store_families(&snapshot)).chain(sources);
        families.extend(taken.map(Fixed::Taken));
        let polled = Polled::all(targets.iter(), Instant::now());
        families.sort_unstable_by(|one, other| one.name().cmp(other.name()));
        let exemplars = (format == Format::OpenMetrics)
            .then(|| Box::new([self.series.exemplars(), self.agent.outbound.exemplars()]));
        let families = families.into_iter();
        Page { format, families, snapshot: Some(snapshot), family: 0, slot: 0, polled, exemplars }
    }

    /// The page of one target at this moment, as its own exporter would show it: 0.0.4 only, and with the `process_*` of
    /// the process that polls.
    pub fn target_page(&self, path: &str) -> Option<Page> {
        let polled = Polled::one(&*self.target(path)?, Instant::now());
        let families: Vec<_> = process_families().into_iter().map(Fixed::Taken).collect();
        let families = families.into_iter();
        Some(Page { format: Format::Text, families, snapshot: None, family: 0, slot: 0, polled, exemplars: None })
    }
}

/// A family that is not one of the series store.
#[derive(Debug)]
enum Fixed {
    /// The `prometheus` crate holds it.
    Gathered(MetricFamily),
    /// It was looked up for this page.
    Taken(Taken),
}

impl Fixed {
    fn name(&self) -> &str {
        match self {
            Self::Gathered(family) => family.name(),
            Self::Taken(family) => family.metric().name,
        }
    }
}

/// A page that is printed piece by piece, so that a large one never stands in memory as a whole.
#[derive(Debug)]
pub struct Page {
    format: Format,
    families: std::vec::IntoIter<Fixed>,
    /// Gone once its last series is printed.
    snapshot: Option<Snapshot>,
    family: usize,
    slot: usize,
    polled: Polled,
    /// Of the series, and of the other families.
    exemplars: Option<Box<[Shown; 2]>>,
}

impl Page {
    /// Appends at least `enough` bytes, or the rest. Returns whether there is more.
    pub fn fill(&mut self, out: &mut Vec<u8>, enough: usize) -> bool {
        let enough = out.len() + enough;
        let (of_series, of_families) = match self.exemplars.as_deref() {
            Some([of_series, of_families]) => (Some(of_series), Some(of_families)),
            None => (None, None),
        };
        while let Some(snapshot) = &self.snapshot {
            let Some(family) = snapshot.family(self.family) else {
                self.snapshot = None;
                break;
            };
            while self.slot < family.slots() {
                if out.len() >= enough {
                    return true;
                }
                if self.slot == 0 {
                    let metric = family.metric();
                    self.format.push_head(out, metric.name, metric.kind.name(), metric.help);
                }
                if let Some(series) = family.series(self.slot) {
                    let labels = [series.account, series.labels];
                    let exemplars = of_series.map(|shown| shown.of(family.metric().name, labels));
                    push_series(out, &family, &series, exemplars.unwrap_or_default());
                }
                self.slot += 1;
            }
            (self.family, self.slot) = (self.family + 1, 0);
        }
        for family in self.families.by_ref() {
            match &family {
                Fixed::Gathered(family) => self.format.push_family(out, family, of_families),
                Fixed::Taken(family) => self.format.push_taken(out, family),
            }
            if out.len() >= enough {
                return true;
            }
        }
        if self.polled.fill(self.format, out, enough) {
            return true;
        }
        self.format.push_end(out);
        false
    }

    /// The format it is printed in.
    pub fn format(&self) -> Format {
        self.format
    }
}

/// What the series store says about itself.
fn store_families(snapshot: &Snapshot) -> impl Iterator<Item = Taken> {
    let mut folded = Taken::new("hippius_agent_series_folded_total");
    for family in (0..snapshot.len()).filter_map(|index| snapshot.family(index)) {
        if family.metric().labels.contains(&"main_account")
            && let Some(folded) = &mut folded
        {
            folded.add(&[family.metric().name], family.folded() as f64);
        }
    }
    let series = Taken::single("hippius_agent_series", snapshot.lines() as f64);
    let dropped = Taken::single("hippius_agent_series_dropped_total", snapshot.dropped() as f64);
    [series, dropped, folded].into_iter().flatten()
}
