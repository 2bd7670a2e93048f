//! For whom a call is made, where its peer's calls can name an account.

use std::sync::Arc;

use super::peer::{Naming, Peer};
use crate::attribute::rules::Profile;
use crate::attribute::settle::{Settled, early, settle};
use crate::attribute::store::Store;
use crate::attribute::verdict::Verdict;
use crate::attribute::{Account, Claim, UNKNOWN, of_address};
use crate::classify::method_label;
use crate::decode::http1::{RequestHead, ResponseHead};
use crate::decode::s3_error;
use crate::pipeline::open::bucket;
use crate::record::sample::{CallSample, CallTransfer, Direction};
use crate::record::series::Batch;

/// What a record of a call is counted with.
pub struct Counting<'a, 'b> {
    /// Where it is counted.
    pub batch: &'a mut Batch<'b>,
    /// Who knows the accounts.
    pub store: &'a mut Store,
    /// `CLOCK_MONOTONIC` in nanoseconds.
    pub now_ns: u64,
}

/// The account's side of one call.
#[derive(Debug)]
pub struct Named {
    peer: Arc<str>,
    operation: &'static str,
    profile: Profile,
    claim: Claim,
    bucket: Option<Box<str>>,
    verdict: Verdict,
    account: Option<Arc<Account>>,
    /// Bytes that wait for the account, in and out.
    held: [u64; 2],
    /// The result that waits for the account: whether it succeeded.
    finished: Option<bool>,
    /// When it began to wait, `CLOCK_MONOTONIC` in nanoseconds.
    waits_since_ns: Option<u64>,
}

impl Named {
    /// What a request says of its account; `None` where calls of this peer never say.
    pub fn read(
        peer: &Peer,
        operation: Option<&'static str>,
        head: &RequestHead<'_>,
        counting: &mut Counting<'_, '_>,
    ) -> Option<Box<Self>> {
        let (profile, claim) = match &peer.naming {
            Naming::Nothing => return None,
            Naming::Path => {
                let account = peer.calls.account(head.method, head.target).and_then(of_address);
                (Profile::Http, account.map_or(Claim::Malformed, Claim::Trusted))
            }
            Naming::Head(profile, rules) => (*profile, counting.store.claim(rules, head, counting.now_ns)),
        };
        let s3 = peer.calls.s3(head);
        let account = early(counting.store, &claim, counting.now_ns);
        Some(Box::new(Self {
            peer: Arc::clone(&peer.name),
            operation: operation.or(s3).unwrap_or(method_label(head.method)),
            profile,
            account: if matches!(peer.naming, Naming::Path) { account.or(Some(UNKNOWN.clone())) } else { account },
            claim,
            bucket: s3.and_then(|_| bucket(head.target)),
            verdict: Verdict::Undecided,
            held: [0, 0],
            finished: None,
            waits_since_ns: None,
        }))
    }

    /// Bytes moved.
    pub fn moved(&mut self, direction: Direction, bytes: u64, counting: &mut Counting<'_, '_>) {
        let Some(account) = &self.account else {
            let [inbound, outbound] = &mut self.held;
            *(if direction == Direction::In { inbound } else { outbound }) += bytes;
            return;
        };
        let account = counting.batch.account(account);
        let sample = CallTransfer { account, peer: &self.peer, operation: self.operation, direction, bytes };
        counting.batch.call_bytes(&sample, counting.now_ns);
    }

    /// A response came: what it says about the credential. True where the call waits for its account from now on.
    pub fn answered(
        &mut self,
        is_final: bool,
        head: &ResponseHead<'_>,
        body: &[u8],
        counting: &mut Counting<'_, '_>,
    ) -> bool {
        let verdict = if is_final {
            let code = if head.status >= 400 { s3_error::error_code(&head.fields, body) } else { None };
            Verdict::of(head.status, code)
        } else if head.status == 100 {
            Verdict::of_continue(self.profile)
        } else {
            Verdict::Undecided
        };
        if !is_final && verdict != Verdict::Accepted {
            return false;
        }
        self.verdict = verdict;
        if verdict == Verdict::Refused && !matches!(self.claim, Claim::Trusted(_)) {
            // Bytes that were counted early stay where they are.
            self.account = None;
        }
        self.settle(counting)
    }

    /// The call is over. True where it waits for its account from now on.
    pub fn finished(&mut self, success: bool, counting: &mut Counting<'_, '_>) -> bool {
        self.finished = Some(success);
        self.settle(counting)
    }

    /// An answer of a lookup may have come; who has waited for more than `limit` nanoseconds is unknown. True where it
    /// waits on.
    pub fn waited(&mut self, limit: u64, counting: &mut Counting<'_, '_>) -> bool {
        let since = self.waits_since_ns.unwrap_or(counting.now_ns);
        if counting.now_ns.saturating_sub(since) > limit {
            self.account = Some(UNKNOWN.clone());
        }
        self.settle(counting)
    }

    /// Whether nothing of it waits to be counted.
    pub fn is_counted(&self) -> bool {
        self.finished.is_none() && self.held == [0, 0]
    }

    fn settle(&mut self, counting: &mut Counting<'_, '_>) -> bool {
        if self.account.is_none() {
            let bucket = self.bucket.as_deref();
            match settle(counting.store, &self.claim, self.verdict, bucket, counting.now_ns) {
                Settled::Account(account) => self.account = Some(account),
                Settled::Pending => {
                    self.waits_since_ns.get_or_insert(counting.now_ns);
                    return true;
                }
            }
        }
        self.count(counting);
        false
    }

    fn count(&mut self, counting: &mut Counting<'_, '_>) {
        let [inbound, outbound] = std::mem::take(&mut self.held);
        for (direction, bytes) in [(Direction::In, inbound), (Direction::Out, outbound)] {
            if bytes > 0 {
                self.moved(direction, bytes, counting);
            }
        }
        let (Some(success), Some(account)) = (self.finished.take(), &self.account) else { return };
        let account = counting.batch.account(account);
        let sample = CallSample { account, peer: &self.peer, operation: self.operation, success };
        counting.batch.call(&sample, counting.now_ns);
    }
}
