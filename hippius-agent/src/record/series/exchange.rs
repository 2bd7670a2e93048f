//! How one exchange or transfer updates the families.

use super::family::NO_ACCOUNT;
use super::names::{Names, OTHER};
use super::place::Places;
use super::store::Store;
use super::text::push_label;
use crate::classify::{Effect, Payload, S3Operation};
use crate::exchange::Outcome;
use crate::record::exemplar::RayId;
use crate::record::sample::{Direction, ExchangeSample, TransferSample};

/// Longest error code that gets a label value of its own, in bytes. The longest of AWS has fewer than 64.
const MAX_CODE_BYTES: usize = 64;

impl Store {
    /// Counts a finished exchange.
    ///
    /// Every exchange is one request. Its durations and body sizes are observed unless its end was not seen
    /// ([`Outcome::Unobserved`]): they would be guesses.
    pub fn exchange(&mut self, sample: &ExchangeSample<'_>, ray: Option<RayId>, now_ns: u64) {
        self.clock(now_ns);
        let account = self.gate.accounts.slot(sample.account);
        let service = sample.service.0;
        let names = &mut self.vocabulary;
        let (method, handler) = (names.methods.id(sample.method), names.handlers.id(sample.handler));
        let (names, gate, families) = (&self.vocabulary, &mut self.gate, &mut self.families);
        let (services, handlers) = (&names.places, &names.handlers);

        let status = sample.status.unwrap_or(0);
        let ending = method << 8 | sample.outcome as u16;
        families.requests.add(gate, account, key(service, handler, status, ending), 1, |out| {
            out.push_str(services.labels(service));
            push_label(out, "method", names.methods.name(method));
            push_label(out, "handler", handlers.name(handler));
            match sample.status {
                Some(status) => push_label(out, "status_code", itoa::Buffer::new().format(status)),
                None => push_label(out, "status_code", "none"),
            }
            push_label(out, "outcome", outcome_name(sample.outcome));
        });
        if sample.outcome != Outcome::Unobserved {
            let at = key(service, handler, method, 0);
            let slot = families.duration.observe(gate, account, at, sample.total_ns, |out| {
                out.push_str(services.labels(service));
                push_label(out, "method", names.methods.name(method));
                push_label(out, "handler", handlers.name(handler));
            });
            if let (Some(slot), Some(ray)) = (slot, ray) {
                families.duration.exemplify(&self.exemplars, &gate.accounts, slot, sample.total_ns, ray);
            }
            let phases =
                [("receive", Some(sample.receive_ns)), ("process", sample.process_ns), ("send", sample.send_ns)];
            for (number, (phase, duration_ns)) in (0u16..).zip(phases) {
                let Some(duration_ns) = duration_ns else { continue };
                families.phase.observe(gate, NO_ACCOUNT, key(service, handler, number, 0), duration_ns, |out| {
                    place(out, services, service, handlers, handler);
                    push_label(out, "phase", phase);
                });
            }
            let at = key(service, handler, 0, 0);
            families.request_body.observe(gate, NO_ACCOUNT, at, sample.request.body, |out| {
                place(out, services, service, handlers, handler);
            });
            if sample.status.is_some() {
                families.response_body.observe(gate, NO_ACCOUNT, at, sample.response.body, |out| {
                    place(out, services, service, handlers, handler);
                });
            }
        }
        if let Some(operation) = sample.s3 {
            self.s3(account, &operation, sample);
        }
    }

    /// Counts bytes as they move.
    pub fn transfer(&mut self, sample: &TransferSample, now_ns: u64) {
        self.clock(now_ns);
        let account = self.gate.accounts.slot(sample.account);
        let service = sample.service.0;
        let handler = self.vocabulary.handlers.id(sample.handler);
        let (services, handlers) = (&self.vocabulary.places, &self.vocabulary.handlers);
        let (family, direction) = match sample.direction {
            Direction::In => (&mut self.families.request_bytes, "in"),
            Direction::Out => (&mut self.families.response_bytes, "out"),
        };
        family.add(&mut self.gate, account, key(service, handler, 0, 0), sample.bytes, |out| {
            place(out, services, service, handlers, handler);
            push_label(out, "direction", direction);
        });
    }

    /// Counts the S3 side of a finished exchange.
    fn s3(&mut self, account: u32, operation: &S3Operation, sample: &ExchangeSample<'_>) {
        let service = sample.service.0;
        let names = &mut self.vocabulary;
        let number = names.operations.id(operation.name);
        let code = error_code(sample, &mut names.codes);
        let (names, gate, families) = (&self.vocabulary, &mut self.gate, &mut self.families);
        let services = &names.places;
        let success = succeeded(sample);
        let success_label = if success { "true" } else { "false" };

        let at = key(service, number, u16::from(success), 0);
        families.operations.add(gate, account, at, 1, |out| {
            out.push_str(services.labels(service));
            push_label(out, "operation", names.operations.name(number));
            push_label(out, "success", success_label);
        });
        let counted = match operation.effect {
            Effect::None => None,
            Effect::ObjectCreated => Some((&mut families.objects, "created")),
            Effect::ObjectDeleted => Some((&mut families.objects, "deleted")),
            Effect::BucketCreated => Some((&mut families.buckets, "created")),
            Effect::BucketDeleted => Some((&mut families.buckets, "deleted")),
        };
        if let Some((family, effect)) = counted {
            let at = key(service, u16::from(effect == "created"), u16::from(success), 0);
            family.add(gate, account, at, 1, |out| {
                out.push_str(services.labels(service));
                push_label(out, "operation", effect);
                push_label(out, "success", success_label);
            });
        }
        let (family, bytes) = match operation.payload {
            Payload::None => (&mut families.uploaded, 0),
            Payload::Upload => (&mut families.uploaded, uploaded_bytes(sample)),
            Payload::Download => (&mut families.downloaded, downloaded_bytes(sample)),
        };
        if bytes > 0 {
            family.add(gate, account, key(service, 0, 0, 0), bytes, |out| {
                out.push_str(services.labels(service));
            });
        }
        if let Some(code) = code {
            families.errors.add(gate, account, key(service, number, code, 0), 1, |out| {
                out.push_str(services.labels(service));
                push_label(out, "operation", names.operations.name(number));
                push_label(out, "code", names.codes.name(code));
            });
        }
    }
}

/// Packs what tells one combination of labels from another.
fn key(service: u16, first: u16, second: u16, third: u16) -> u64 {
    u64::from(service) << 48 | u64::from(first) << 32 | u64::from(second) << 16 | u64::from(third)
}

fn place(out: &mut String, services: &Places, service: u16, handlers: &Names, handler: u16) {
    out.push_str(services.labels(service));
    push_label(out, "handler", handlers.name(handler));
}

fn outcome_name(outcome: Outcome) -> &'static str {
    match outcome {
        Outcome::Complete => "complete",
        Outcome::ClientAbort => "client_abort",
        Outcome::ServerAbort => "server_abort",
        Outcome::Timeout => "timeout",
        Outcome::Unobserved => "unobserved",
    }
}

/// Complete, 2xx or 3xx, and no error in the body: `CompleteMultipartUpload` and `CopyObject` can answer 200 and fail
/// (<https://docs.aws.amazon.com/AmazonS3/latest/API/API_CompleteMultipartUpload.html>).
fn succeeded(sample: &ExchangeSample<'_>) -> bool {
    let good = sample.status.is_some_and(|status| (200..400).contains(&status));
    good && sample.outcome == Outcome::Complete && sample.error_code.is_none()
}

/// The number of the operation's error code. An exchange that was cut off without an error status has none: the
/// outcome of its request says what happened.
fn error_code(sample: &ExchangeSample<'_>, codes: &mut Names) -> Option<u16> {
    match (sample.error_code, sample.status) {
        (Some(code), _) => {
            let plain = code.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-' | b'.'));
            let named = !code.is_empty() && code.len() <= MAX_CODE_BYTES && plain;
            Some(codes.id(if named { code } else { OTHER }))
        }
        (None, Some(status @ 400..)) => Some(codes.id(http_code(&mut [0; 8], status))),
        (None, _) => None,
    }
}

/// `http_NNN`, written without an allocation.
fn http_code(room: &mut [u8; 8], status: u16) -> &str {
    *room = *b"http_000";
    for (digit, divisor) in room.iter_mut().skip(5).zip([100, 10, 1]) {
        *digit = b'0' + (status / divisor % 10) as u8;
    }
    std::str::from_utf8(room).unwrap_or(OTHER)
}

/// Payload that was received, whatever came of it. The decoded length is what the client declared, so that of an
/// upload that was cut off it is no more than the body that came.
fn uploaded_bytes(sample: &ExchangeSample<'_>) -> u64 {
    sample.decoded_payload_bytes.map_or(sample.request.body, |decoded| decoded.min(sample.request.body))
}

/// Payload that was sent: bodies of 2xx responses, complete or not.
fn downloaded_bytes(sample: &ExchangeSample<'_>) -> u64 {
    match sample.status {
        Some(200..300) => sample.response.body,
        _ => 0,
    }
}
