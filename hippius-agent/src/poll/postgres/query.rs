//! What a query is: its SQL by server version, and what its columns mean.

use crate::poll::family::{Kind, Spec};

/// How often a query runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Every {
    /// At each poll.
    Poll,
    /// The server has to look at files or at each table: at the slow interval.
    Slow,
    /// Reads whole tables of the service: at the accounts' interval, beside the polls and on a connection of its own.
    Accounts,
}

/// One query. Its answer has the labels' columns first, then the values', both in the order given here. A value that
/// is NULL gives no sample, so a column that a server version lacks is written as NULL.
#[derive(Debug, Clone, Copy)]
pub struct Query {
    /// Value of the label `collector` in `pg_scrape_collector_success`.
    pub collector: &'static str,
    /// How often it runs.
    pub every: Every,
    /// Labels of all its families.
    pub labels: &'static [&'static str],
    /// Families of each value column: the present name first, then older ones that dashboards ask for.
    pub values: &'static [&'static [Spec]],
    /// The SQL from this major version of the server on, oldest first. Words in braces are put in by
    /// [`Limits`](super::limits::Limits).
    pub sql: &'static [(u32, &'static str)],
}

impl Query {
    /// The SQL for a server of this major version; `None` where it has nothing of the kind.
    pub fn sql_for(&self, major: u32) -> Option<&'static str> {
        self.sql.iter().rev().find(|(since, _)| *since <= major).map(|(_, sql)| *sql)
    }

    /// Its families.
    pub fn specs(&self) -> impl Iterator<Item = &'static Spec> {
        self.values.iter().flat_map(|names| names.iter())
    }
}

pub(super) const fn counter(name: &'static str, labels: &'static [&'static str], help: &'static str) -> Spec {
    Spec { name, kind: Kind::Counter, help, labels }
}

pub(super) const fn gauge(name: &'static str, labels: &'static [&'static str], help: &'static str) -> Spec {
    Spec { name, kind: Kind::Gauge, help, labels }
}

pub(super) const fn untyped(name: &'static str, labels: &'static [&'static str], help: &'static str) -> Spec {
    Spec { name, kind: Kind::Untyped, help, labels }
}
