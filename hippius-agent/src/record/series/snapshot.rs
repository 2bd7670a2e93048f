//! A copy of all series at one moment, for printing outside of the lock.

use std::sync::{Arc, Mutex};

use super::family::{FREE, Family, Labels, Shape};
use super::text::Texts;
use crate::record::catalogue::Metric;

/// All series at one moment. Its columns go back for the next scrape when it is dropped.
#[derive(Debug)]
pub struct Snapshot {
    columns: Option<Box<Columns>>,
    home: Arc<Mutex<Option<Box<Columns>>>>,
}

/// One family of a snapshot.
#[derive(Debug, Clone, Copy)]
pub struct FamilyView<'a> {
    copy: &'a FamilyCopy,
    accounts: &'a Texts,
    metric: &'static Metric,
    shape: Shape,
}

/// One series of a snapshot.
#[derive(Debug, Clone, Copy)]
pub struct SeriesView<'a> {
    /// `main_account="…",subaccount_id="…"`, empty in a family without account labels.
    pub account: &'a str,
    /// The other labels, printed and escaped.
    pub labels: &'a str,
    /// Values as [`Shape`] says.
    pub cells: &'a [u64],
}

impl Snapshot {
    pub(super) fn new(columns: Box<Columns>, home: Arc<Mutex<Option<Box<Columns>>>>) -> Self {
        Self { columns: Some(columns), home }
    }

    /// How many families there are, the empty ones included.
    pub fn len(&self) -> usize {
        self.columns.as_ref().map_or(0, |columns| columns.families.len())
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The family at `index`, in the order of the catalogue.
    pub fn family(&self, index: usize) -> Option<FamilyView<'_>> {
        let columns = self.columns.as_deref()?;
        let copy = columns.families.get(index)?;
        let (metric, shape) = copy.kind?;
        Some(FamilyView { copy, accounts: &columns.accounts, metric, shape })
    }

    /// The printed labels of the account in `slot`.
    pub fn account(&self, slot: u32) -> &str {
        self.columns.as_ref().map_or("", |columns| columns.accounts.get(slot as usize))
    }

    /// Lines of all series.
    pub fn lines(&self) -> usize {
        self.columns.as_ref().map_or(0, |columns| columns.lines)
    }

    /// Series that were dropped since the start.
    pub fn dropped(&self) -> u64 {
        self.columns.as_ref().map_or(0, |columns| columns.dropped)
    }
}

impl Drop for Snapshot {
    fn drop(&mut self) {
        let Some(mut columns) = self.columns.take() else { return };
        // The shared texts are let go, else the writer would copy each chunk that it changes.
        columns.accounts = Texts::default();
        for family in &mut columns.families {
            family.tails = Texts::default();
        }
        *super::lock(&self.home) = Some(columns);
    }
}

impl<'a> FamilyView<'a> {
    /// Its entry in the catalogue.
    pub fn metric(&self) -> &'static Metric {
        self.metric
    }

    /// What the cells of its series are.
    pub fn shape(&self) -> Shape {
        self.shape
    }

    /// Updates that went to `__other__` for want of room.
    pub fn folded(&self) -> u64 {
        self.copy.folded
    }

    /// Slots; some may be empty.
    pub fn slots(&self) -> usize {
        self.copy.labels.len()
    }

    /// The series in `slot` by the numbers of its labels, if there is one; and its cells.
    pub fn numbers(&self, slot: usize) -> Option<(Labels, &'a [u64])> {
        let labels = self.copy.labels.get(slot).filter(|labels| labels.account != FREE)?;
        let cells = self.shape.cells();
        Some((*labels, self.copy.cells.get(slot * cells..(slot + 1) * cells)?))
    }

    /// The labels with this number, printed and escaped. Numbers are given in turn and never again.
    pub fn tail(&self, tail: u32) -> &'a str {
        self.copy.tails.get(tail as usize)
    }

    /// The series in `slot`, if there is one.
    pub fn series(&self, slot: usize) -> Option<SeriesView<'a>> {
        let labels = self.copy.labels.get(slot)?;
        if labels.account == FREE {
            return None;
        }
        let cells = self.shape.cells();
        Some(SeriesView {
            account: self.accounts.get(labels.account as usize),
            labels: self.copy.tails.get(labels.tail as usize),
            cells: self.copy.cells.get(slot * cells..(slot + 1) * cells)?,
        })
    }
}

/// What is copied under the lock.
#[derive(Debug, Default)]
pub struct Columns {
    pub(super) families: Vec<FamilyCopy>,
    pub(super) accounts: Texts,
    pub(super) lines: usize,
    pub(super) dropped: u64,
}

/// Columns of one family.
#[derive(Debug, Default)]
pub(super) struct FamilyCopy {
    kind: Option<(&'static Metric, Shape)>,
    folded: u64,
    labels: Vec<Labels>,
    cells: Vec<u64>,
    tails: Texts,
}

impl FamilyCopy {
    /// Copies the columns into the room of the last scrape, so that the lock is not held for page faults.
    pub fn copy(&mut self, family: &Family) {
        self.kind = Some((family.metric, family.shape));
        self.folded = family.folded;
        self.labels.clone_from(&family.labels);
        self.cells.clone_from(&family.cells);
        self.tails.clone_from(&family.tails);
    }
}
