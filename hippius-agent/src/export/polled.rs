//! Families of polled servers, joined into pages.

use std::cmp::Ordering;
use std::sync::Arc;
use std::time::Instant;

use super::number::push_value;
use super::text::Format;
use crate::poll::family::{Families, Family};
use crate::poll::target::Target;
use crate::record::series::text::push_label;

/// The text of more samples is not kept.
const MOST_KEPT: usize = 8 * 1024;

/// The families of one or several servers, in the order of their names.
#[derive(Debug, Default)]
pub(super) struct Polled {
    /// Whether the text of the samples is kept until the next poll.
    keeps: bool,
    sources: Vec<Of>,
    parts: Vec<Part>,
    next: usize,
}

/// What one server gave.
#[derive(Debug)]
struct Of {
    families: Arc<Families>,
    /// The label that tells the servers apart, with its value; empty on a server's own page.
    server: Arc<str>,
}

/// One family of one server.
#[derive(Debug)]
struct Part {
    name: &'static str,
    /// Its place in `sources`, and the family's place there.
    source: u32,
    index: u32,
}

impl Polled {
    /// All of `targets` on one page: each sample says which server it is about.
    pub fn all<'t>(targets: impl Iterator<Item = &'t Arc<Target>>, now: Instant) -> Self {
        let mut polled = Self { keeps: true, ..Self::default() };
        for target in targets {
            let mut label = String::new();
            push_label(&mut label, target.server().label(), target.name());
            polled.add(target, &label.into(), now);
        }
        polled.sort();
        polled
    }

    /// One server as its own exporter would show it.
    pub fn one(target: &Target, now: Instant) -> Self {
        let mut polled = Self::default();
        polled.add(target, &"".into(), now);
        polled.sort();
        polled
    }

    fn add(&mut self, target: &Target, server: &Arc<str>, now: Instant) {
        for families in target.state().shown(now) {
            let source = self.sources.len() as u32;
            let parts = families.iter().zip(0..);
            self.parts.extend(parts.map(|(family, index)| Part { name: family.spec().name, source, index }));
            self.sources.push(Of { families: Arc::clone(families), server: Arc::clone(server) });
        }
    }

    /// Stable: servers stay in the order of the configuration.
    fn sort(&mut self) {
        self.parts.sort_by(|one, other| {
            // Mostly the same family of another server: then it is one text, and need not be read.
            let same = std::ptr::eq(one.name, other.name);
            if same { Ordering::Equal } else { one.name.cmp(other.name) }
        });
    }

    /// Leaves out families whose name is not wanted: only the others are printed, for once.
    pub fn retain(&mut self, wanted: impl Fn(&str) -> bool) {
        self.keeps = false;
        self.parts.retain(|part| wanted(part.name));
    }

    /// Appends at least `enough` bytes, or the rest. Returns whether there is more.
    pub fn fill(&mut self, format: Format, out: &mut Vec<u8>, enough: usize) -> bool {
        while let Some(part) = self.parts.get(self.next) {
            if out.len() >= enough {
                return true;
            }
            let Some(of) = self.sources.get(part.source as usize) else { return false };
            let Some(family) = of.families.get(part.index as usize) else { return false };
            let first = self.next.checked_sub(1).and_then(|before| self.parts.get(before));
            if first.is_none_or(|before| before.name != part.name) {
                let spec = family.spec();
                format.push_head(out, spec.name, spec.kind.name(), spec.help);
            }
            if self.keeps && of.families.samples() <= MOST_KEPT {
                let printed = of.families.printed(|out, family| push_samples(out, family, &of.server));
                out.extend_from_slice(printed.family(part.index as usize));
            } else {
                push_samples(out, &family, &of.server);
            }
            self.next += 1;
        }
        false
    }
}

fn push_samples(out: &mut Vec<u8>, family: &Family<'_>, server: &str) {
    for (suffix, labels, value) in family.samples() {
        let comma = if labels.is_empty() || server.is_empty() { "" } else { "," };
        out.extend_from_slice(family.spec().name.as_bytes());
        out.extend_from_slice(suffix.as_bytes());
        if !labels.is_empty() || !server.is_empty() {
            for part in ["{", labels, comma, server, "}"] {
                out.extend_from_slice(part.as_bytes());
            }
        }
        out.push(b' ');
        push_value(out, value);
        out.push(b'\n');
    }
}
