//! One row of the table of operations.

use super::super::{Effect, Payload, S3Operation};
use super::query::{Flag, Flags};
use crate::decode::http1::RequestHead;

/// A method that some S3 operation has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::classify) enum Method {
    Get,
    Head,
    Put,
    Post,
    Delete,
    Options,
}

impl Method {
    pub(in crate::classify) fn parse(method: &str) -> Option<Self> {
        match method {
            "GET" => Some(Self::Get),
            "HEAD" => Some(Self::Head),
            "PUT" => Some(Self::Put),
            "POST" => Some(Self::Post),
            "DELETE" => Some(Self::Delete),
            "OPTIONS" => Some(Self::Options),
            _ => None,
        }
    }
}

/// What a header field must say. Looked at last, because finding a field walks the whole head.
#[derive(Debug, Clone, Copy)]
pub(super) enum Header {
    Any,
    /// The field is there.
    Present(&'static str),
    /// The field's value begins like this, whatever its case.
    Begins(&'static str, &'static str),
}

/// An operation with what tells it apart from the others of its table.
#[derive(Debug, Clone, Copy)]
pub(in crate::classify) struct Row {
    pub(in crate::classify) operation: S3Operation,
    /// The operation's name in snake case.
    pub(in crate::classify) handler: &'static str,
    flags: Flags,
    header: Header,
}

/// A row without conditions.
pub(super) const fn op(name: &'static str, handler: &'static str) -> Row {
    let operation = S3Operation { name, effect: Effect::None, payload: Payload::None };
    Row { operation, handler, flags: Flags::NONE, header: Header::Any }
}

impl Row {
    pub(super) const fn when(mut self, flags: &[Flag]) -> Self {
        self.flags = Flags::of(flags);
        self
    }

    pub(super) const fn having(mut self, header: Header) -> Self {
        self.header = header;
        self
    }

    pub(super) const fn effect(mut self, effect: Effect) -> Self {
        self.operation.effect = effect;
        self
    }

    pub(super) const fn payload(mut self, payload: Payload) -> Self {
        self.operation.payload = payload;
        self
    }

    pub(super) fn matches(&self, flags: Flags, head: &RequestHead<'_>) -> bool {
        flags.contains(self.flags)
            && match self.header {
                Header::Any => true,
                Header::Present(name) => head.fields.get_bytes(name).is_some(),
                Header::Begins(name, beginning) => {
                    let value = head.fields.get_bytes(name).and_then(|value| value.get(..beginning.len()));
                    value.is_some_and(|value| value.eq_ignore_ascii_case(beginning.as_bytes()))
                }
            }
    }
}
