//! Queries that read whole tables: beside the polls, on a connection of their own, so that a poll neither waits for
//! them nor runs out of time because of them.

use super::collector::Collector;
use super::link::{Link, Manners};
use super::queries;
use crate::config::{PostgresProfile, PostgresTarget};
use crate::poll::draft::Draft;
use crate::poll::family::Families;
use crate::poll::source::Reason;
use std::time::{Duration, Instant};
use tokio::task::JoinHandle;

/// Longest that the server may work on one of them.
const STATEMENT_TIMEOUT: Duration = Duration::from_secs(60);
/// Until a server that does not answer at all is given up.
const PATIENCE: Duration = Duration::from_secs(180);

/// After a round that found no server, the next one comes this soon.
const RETRY: Duration = Duration::from_secs(30);

/// What the tables of the service say about accounts.
pub struct Accounts {
    link: Link,
    profile: PostgresProfile,
    interval: Duration,
    /// When the next round may start.
    due: Option<Instant>,
    round: Option<JoinHandle<Round>>,
    last: Option<Round>,
    /// What the last round gave.
    shown: Families,
}

/// A round over all queries.
struct Round {
    collectors: Vec<Collector>,
    reached: bool,
}

impl Accounts {
    /// For a target of the configuration; asks nothing where its profile has no such tables.
    pub fn new(config: &PostgresTarget, link: &Link) -> Self {
        Self {
            link: link.clone(),
            profile: config.profile,
            interval: config.accounts_interval,
            due: None,
            round: None,
            last: None,
            shown: Families::default(),
        }
    }

    /// Takes in a round that has ended, starts one where it is time, and adds what the last one gave to `out`.
    pub async fn step(&mut self, now: Instant, out: &mut Draft) {
        if let Some(round) = self.round.take_if(|round| round.is_finished())
            && let Ok(round) = round.await
        {
            if !round.reached {
                self.due = Some(now + RETRY.min(self.interval));
            }
            let mut shown = Draft::default();
            round.collectors.iter().for_each(|collector| collector.add_to(&mut shown));
            self.shown = shown.finish();
            self.last = Some(round);
        }
        out.extend(&self.shown);
        let queries = queries::accounts(self.profile);
        if self.round.is_none() && !queries.is_empty() && self.due.is_none_or(|due| now >= due) {
            self.due = Some(now + self.interval);
            let collectors = self.last.take().map_or_else(
                || queries.iter().map(|query| Collector::new(query, Duration::ZERO)).collect(),
                |round| round.collectors,
            );
            self.round = Some(tokio::spawn(ask(self.link.clone(), collectors)));
        }
    }
}

impl Drop for Accounts {
    fn drop(&mut self) {
        if let Some(round) = &self.round {
            round.abort();
        }
    }
}

async fn ask(link: Link, mut collectors: Vec<Collector>) -> Round {
    let reached = matches!(tokio::time::timeout(PATIENCE, ask_all(&link, &mut collectors)).await, Ok(Ok(())));
    if !reached {
        collectors.iter_mut().for_each(Collector::fail);
    }
    Round { collectors, reached }
}

async fn ask_all(link: &Link, collectors: &mut [Collector]) -> Result<(), Reason> {
    let mut session = link.open(Manners { statement_timeout: STATEMENT_TIMEOUT, catalogue_only: false }).await?;
    for collector in collectors {
        collector.ask(&mut session).await?;
    }
    Ok(())
}
