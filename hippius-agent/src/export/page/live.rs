//! Where the thread that has the connections leaves a copy of the most active, and readers of the page find it.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use tokio::sync::watch;
use tokio::time::timeout;

use crate::record::history::connections::View;

/// Looks that one question pays for: `top` and the page ask again before they are used up.
const LOOKS: u32 = 10;

/// How long a first question waits for a look, of which there is one a second.
const PATIENCE: Duration = Duration::from_secs(3);

/// The latest look.
#[derive(Debug)]
pub struct Board {
    /// Looks that are still to be made. Nobody asks: none, and connections cost nothing.
    wanted: AtomicU32,
    view: watch::Sender<Arc<View>>,
}

impl Default for Board {
    fn default() -> Self {
        Self { wanted: AtomicU32::new(0), view: watch::Sender::new(Arc::default()) }
    }
}

impl Board {
    /// Whether somebody wants a look; the one who asks this makes it.
    pub fn wanted(&self) -> bool {
        self.wanted.try_update(Ordering::Relaxed, Ordering::Relaxed, |left| left.checked_sub(1)).is_ok()
    }

    /// A look was made.
    pub fn show(&self, view: View) {
        self.view.send_replace(Arc::new(view));
    }

    /// The latest look. Where there was none lately, waits for two: rates are those between them. `None` if nobody makes
    /// any.
    pub async fn view(&self) -> Option<Arc<View>> {
        let mut changes = self.view.subscribe();
        let is_fresh = self.wanted.swap(LOOKS, Ordering::Relaxed) > 0 && changes.borrow().unix_s > 0.0;
        for _ in 0..if is_fresh { 0 } else { 2 } {
            timeout(PATIENCE, changes.changed()).await.ok()?.ok()?;
        }
        Some(Arc::clone(&changes.borrow()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Asks, and shows two looks meanwhile; the second is of `left_out` connections.
    async fn asked(board: &Arc<Board>, left_out: usize) -> usize {
        let asking = Arc::clone(board);
        let answer = tokio::spawn(async move { asking.view().await });
        for look in [0, left_out] {
            while !board.wanted() {
                tokio::task::yield_now().await;
            }
            board.show(View { unix_s: 1.0, left_out: look, ..View::default() });
            // One thread: the one who waits runs now, and sees this look.
            tokio::task::yield_now().await;
        }
        answer.await.expect("an answer").expect("a look").left_out
    }

    #[tokio::test]
    async fn a_question_pays_for_some_looks_and_waits_for_two() {
        let board = Arc::new(Board::default());
        assert!(!board.wanted(), "nobody asks");
        assert_eq!(asked(&board, 1).await, 1);
        assert_eq!(board.view().await.expect("the same").left_out, 1, "the next does not wait");
        assert_eq!((0..100).filter(|_| board.wanted()).count(), LOOKS as usize);
        board.show(View { unix_s: 1.0, left_out: 2, ..View::default() });
        assert_eq!(asked(&board, 3).await, 3, "an old look is not shown");
    }
}
