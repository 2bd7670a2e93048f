//! How a call that can name an account updates the families.

use super::store::Store;
use super::text::push_label;
use crate::record::sample::{CallSample, CallTransfer, Direction};

impl Store {
    /// Counts a finished call.
    pub fn call(&mut self, sample: &CallSample<'_>, now_ns: u64) {
        self.clock(now_ns);
        let account = self.gate.accounts.slot(sample.account);
        let names = &mut self.vocabulary;
        let (peer, operation) = (names.peers.id(sample.peer), names.operations.id(sample.operation));
        let (names, success) = (&self.vocabulary, if sample.success { "true" } else { "false" });
        let key = key(peer, operation, sample.success);
        self.families.calls.add(&mut self.gate, account, key, 1, |out| {
            push_label(out, "peer", names.peers.name(peer));
            push_label(out, "operation", names.operations.name(operation));
            push_label(out, "success", success);
        });
    }

    /// Counts bytes of a call as they move, once its account is known.
    pub fn call_bytes(&mut self, sample: &CallTransfer<'_>, now_ns: u64) {
        self.clock(now_ns);
        let account = self.gate.accounts.slot(sample.account);
        let names = &mut self.vocabulary;
        let (peer, operation) = (names.peers.id(sample.peer), names.operations.id(sample.operation));
        let (names, is_in) = (&self.vocabulary, sample.direction == Direction::In);
        let key = key(peer, operation, is_in);
        self.families.call_bytes.add(&mut self.gate, account, key, sample.bytes, |out| {
            push_label(out, "peer", names.peers.name(peer));
            push_label(out, "operation", names.operations.name(operation));
            push_label(out, "direction", if is_in { "in" } else { "out" });
        });
    }
}

fn key(peer: u16, operation: u16, third: bool) -> u64 {
    u64::from(peer) << 32 | u64::from(operation) << 16 | u64::from(third)
}

#[cfg(test)]
mod tests {
    use crate::attribute::Account;
    use crate::record::series::{Recorder, SeriesConfig};

    use super::*;

    #[test]
    fn accounts_and_peers_beyond_the_budget_fold_and_the_sum_stays() {
        const CALLS: u64 = 3000;
        let config = SeriesConfig { max_series: 400, ..SeriesConfig::default() };
        let mut recorder = Recorder::new(config);
        let mut batch = recorder.batch();
        for number in 0..CALLS {
            let account = batch.account(&Account::new(format!("a{number}"), "unknown"));
            let peer = format!("peer-{}", number % 700);
            let sample = CallSample { account, peer: &peer, operation: "download", success: number % 2 == 0 };
            batch.call(&sample, number);
            let moved =
                CallTransfer { account, peer: &peer, operation: "download", direction: Direction::In, bytes: 10 };
            batch.call_bytes(&moved, number);
        }
        drop(batch);
        let snapshot = recorder.reader().snapshot();
        let sum = |name: &str| {
            let family = (0..snapshot.len())
                .filter_map(|index| snapshot.family(index))
                .find(|family| family.metric().name == name)
                .expect("a family");
            let series: Vec<u64> =
                (0..family.slots()).filter_map(|slot| family.series(slot)).map(|series| series.cells[0]).collect();
            assert!(family.folded() > 0, "{name} folds");
            series.iter().sum::<u64>()
        };
        assert_eq!(sum("hippius_outbound_requests_total"), CALLS);
        assert_eq!(sum("hippius_outbound_bytes_total"), 10 * CALLS);
    }
}
