//! An exchange under way, with its labels as far as they are known.

use std::sync::Arc;

use crate::attribute::verdict::Verdict;
use crate::attribute::{Account, Claim};
use crate::classify::Class;
use crate::exchange::{Direction, Finished};
use crate::record::exemplar::RayId;
use crate::record::sample::{ExchangeSample, TransferSample};
use crate::record::series::Batch;

use super::services::Service;

/// Labels of one exchange, and what waits for its account.
#[derive(Debug)]
pub struct Open {
    /// Index of its service.
    pub service: u32,
    /// Number of its connection's socket.
    pub cookie: u64,
    /// Operation and handler.
    pub class: Class,
    /// Method label.
    pub method: &'static str,
    /// What the request says about its sender.
    pub claim: Claim,
    /// The bucket that it names, kept where its owner may be asked for.
    pub bucket: Option<Box<str>>,
    /// Payload of an aws-chunked upload, as the client declares it.
    pub decoded_payload: Option<u64>,
    /// On whom it is counted, once that is known.
    pub account: Option<Arc<Account>>,
    /// What the server's answer says about the credential.
    pub verdict: Verdict,
    /// What the request is called on all its hops.
    pub ray: Option<RayId>,
    /// S3 error code of the answer.
    pub error_code: Option<Box<str>>,
    /// Bytes that wait for the account, in and out.
    pub held: [u64; 2],
    /// The result that waits for the account.
    pub finished: Option<Finished>,
    /// When it began to wait, `CLOCK_MONOTONIC` in nanoseconds.
    pub waits_since_ns: u64,
    /// The exchange stage will say nothing more of it.
    pub released: bool,
}

/// The bucket of a path-style target.
pub fn bucket(target: &str) -> Option<Box<str>> {
    let path = target.strip_prefix('/')?.split(['?', '#']).next()?;
    let bucket = path.split('/').next().filter(|bucket| !bucket.is_empty() && bucket.len() <= 63)?;
    Some(bucket.into())
}

impl Open {
    /// An exchange of which nothing is known but its service and its method.
    pub fn new(service: u32, method: &'static str, now_ns: u64) -> Self {
        Self {
            service,
            cookie: 0,
            class: Class::UNKNOWN,
            method,
            claim: Claim::Anonymous,
            bucket: None,
            decoded_payload: None,
            account: None,
            verdict: Verdict::Undecided,
            ray: None,
            error_code: None,
            held: [0, 0],
            finished: None,
            waits_since_ns: now_ns,
            released: false,
        }
    }

    /// Counts bytes, or keeps them until the account is known.
    pub fn transfer(&mut self, service: &Service, batch: &mut Batch<'_>, way: Direction, bytes: u64, now_ns: u64) {
        match &self.account {
            Some(account) => {
                let account = batch.account(account);
                let sample =
                    TransferSample { service: service.id, account, handler: self.class.handler, direction: way, bytes };
                batch.transfer(&sample, now_ns);
            }
            None => {
                let [inbound, outbound] = &mut self.held;
                *(if way == Direction::In { inbound } else { outbound }) += bytes;
            }
        }
    }

    /// Counts everything that has waited. The account must be known.
    pub fn count(&mut self, service: &Service, batch: &mut Batch<'_>, now_ns: u64) {
        let [inbound, outbound] = std::mem::take(&mut self.held);
        for (way, bytes) in [(Direction::In, inbound), (Direction::Out, outbound)] {
            if bytes > 0 {
                self.transfer(service, batch, way, bytes, now_ns);
            }
        }
        let (Some(finished), Some(account)) = (self.finished.take(), &self.account) else { return };
        let sample = ExchangeSample {
            service: service.id,
            account: batch.account(account),
            method: self.method,
            handler: self.class.handler,
            status: finished.status,
            outcome: finished.outcome,
            s3: self.class.s3.filter(|_| service.client_facing),
            error_code: self.error_code.as_deref(),
            decoded_payload_bytes: self.decoded_payload,
            request: finished.request,
            response: finished.response,
            receive_ns: finished.receive_ns,
            process_ns: finished.process_ns,
            send_ns: finished.send_ns,
            total_ns: finished.total_ns,
        };
        batch.exchange_of(self.ray, &sample, now_ns);
        batch.in_flight(service.id, -1);
    }

    /// Whether it can be forgotten.
    pub fn is_done(&self) -> bool {
        self.released && self.finished.is_none() && self.held == [0, 0]
    }
}
