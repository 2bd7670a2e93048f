//! The overview page and the documents that it and `hippius-agent top` read.
//!
//! Everything is inside of the binary: no file, no other origin, no script but its own. What is shown comes from
//! [`History`], so that somebody who looks at the page costs neither the recorder nor a scrape anything.

mod assets;
mod live;
mod query;

use std::collections::HashMap;
use std::io::Write;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use bytes::Bytes;
use flate2::Compression;
use flate2::write::GzEncoder;
use tokio::sync::Semaphore;

use super::exposition::Exposition;
use crate::record::history::table::{Ask, By};
use crate::record::history::{History, Moment};

pub use assets::{Asset, POLICY};
pub use live::Board;
pub use query::QueryError;
use query::Question;

/// Answers that are kept until the next sample: as many different views as people look at once.
const MAX_KEPT: usize = 16;

/// Documents that are made at once.
const MAX_RUNS: usize = 1;

/// A document is sent compressed to other hosts from this size on.
const COMPRESS_BYTES: usize = 1024;

/// The history behind the page.
#[derive(Debug)]
pub struct Overview {
    history: Mutex<History>,
    /// Answers since the last sample, by path and query.
    kept: Mutex<HashMap<String, Bytes>>,
    connections: Board,
    runs: Semaphore,
}

/// Why there is no document.
#[derive(Debug, thiserror::Error)]
pub enum DocumentError {
    /// The query is wrong.
    #[error(transparent)]
    Query(#[from] QueryError),
    /// It could not be made.
    #[error("the document could not be made")]
    Failed,
}

impl Default for Overview {
    fn default() -> Self {
        Self {
            history: Mutex::default(),
            kept: Mutex::default(),
            connections: Board::default(),
            runs: Semaphore::new(MAX_RUNS),
        }
    }
}

impl Overview {
    /// Takes a sample of everything that can be scraped.
    pub fn sample(&self, exposition: &Exposition, now: Moment) {
        let (snapshot, text) = exposition.look();
        lock(&self.history).sample(snapshot, &String::from_utf8_lossy(&text), now);
        lock(&self.kept).clear();
    }

    /// Where looks at the connections are left.
    pub fn connections(&self) -> &Board {
        &self.connections
    }

    /// Whether `path` is that of a document.
    pub fn has(path: &str) -> bool {
        Question::has(path)
    }

    /// The document of `path` and `query` as JSON, compressed if `gzip`.
    pub async fn document(self: &Arc<Self>, path: &str, query: &str, gzip: bool) -> Result<Document, DocumentError> {
        let question = Question::read(path, query)?;
        if let Question::Table(ask) = &question
            && ask.by == By::Connection
        {
            return Ok(packed(self.look(ask.clone()).await.ok_or(DocumentError::Failed)?, gzip));
        }
        let key = format!("{path}?{query}");
        let kept = lock(&self.kept).get(&key).cloned();
        let whole = match kept {
            Some(whole) => whole,
            None => {
                // One at a time, and off the thread that answers scrapes.
                let _run = self.runs.acquire().await.map_err(|_| DocumentError::Failed)?;
                let this = Arc::clone(self);
                let made = tokio::task::spawn_blocking(move || this.make(&question, key));
                made.await.ok().flatten().ok_or(DocumentError::Failed)?
            }
        };
        Ok(packed(whole, gzip))
    }

    /// The rows of connections. They are never the same twice, so that none are kept.
    async fn look(&self, ask: Ask) -> Option<Bytes> {
        let view = self.connections.view().await?;
        let _run = self.runs.acquire().await.ok()?;
        let made = tokio::task::spawn_blocking(move || serde_json::to_vec(&view.table(&ask)));
        made.await.ok()?.ok().map(Bytes::from)
    }

    fn make(&self, question: &Question, key: String) -> Option<Bytes> {
        // Another may have asked the same while this one waited.
        if let Some(whole) = lock(&self.kept).get(&key) {
            return Some(whole.clone());
        }
        // Kept under the history's lock, so that an answer from before a sample is not kept after it.
        let history = lock(&self.history);
        let whole = Bytes::from(question.answer(&history).ok()?);
        let mut kept = lock(&self.kept);
        if kept.len() < MAX_KEPT {
            kept.insert(key, whole.clone());
        }
        Some(whole)
    }
}

/// A document that is ready to be sent.
#[derive(Debug)]
pub struct Document {
    /// Its bytes.
    pub body: Bytes,
    /// Whether they are compressed.
    pub gzip: bool,
}

fn packed(whole: Bytes, gzip: bool) -> Document {
    let packed = (gzip && whole.len() >= COMPRESS_BYTES).then(|| compress(&whole)).flatten();
    Document { gzip: packed.is_some(), body: packed.unwrap_or(whole) }
}

fn compress(whole: &[u8]) -> Option<Bytes> {
    let mut gzip = GzEncoder::new(Vec::new(), Compression::fast());
    gzip.write_all(whole).ok()?;
    gzip.finish().ok().map(Bytes::from)
}

/// A panic elsewhere leaves an hour of charts a sample short; they are worth more than the poison.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
