//! Bodies of responses: short texts, or a page printed while it is sent.

use std::convert::Infallible;
use std::io::Write;
use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::Bytes;
use flate2::Compression;
use flate2::write::GzEncoder;
use hyper::body::{Body, Frame, SizeHint};
use tokio::sync::OwnedSemaphorePermit;

use super::exposition::Page;

/// Bytes that are printed at a time: some 50 us of work between two looks at the socket.
pub const PIECE_BYTES: usize = 64 * 1024;

/// A response's body.
#[derive(Debug)]
pub enum Reply {
    /// All of it.
    Whole(Bytes),
    /// A page and the permit of its scrape.
    Page(Box<PageReply>),
}

/// A page that is on its way out.
#[derive(Debug)]
pub struct PageReply {
    page: Page,
    /// Printed and not yet sent.
    first: Option<Vec<u8>>,
    more: bool,
    gzip: Option<GzEncoder<Vec<u8>>>,
    _permit: OwnedSemaphorePermit,
}

impl Reply {
    /// A page whose first piece, already printed, is `first`.
    pub fn page(page: Page, first: Vec<u8>, gzip: bool, permit: OwnedSemaphorePermit) -> Self {
        // The fastest level: on label text it already takes off nine tenths.
        let gzip = gzip.then(|| GzEncoder::new(Vec::new(), Compression::fast()));
        Self::Page(Box::new(PageReply { page, first: Some(first), more: true, gzip, _permit: permit }))
    }
}

impl PageReply {
    fn next(&mut self) -> Option<Bytes> {
        loop {
            let piece = match self.first.take() {
                Some(first) => first,
                None if self.more => {
                    let mut piece = Vec::with_capacity(PIECE_BYTES + 8192);
                    self.more = self.page.fill(&mut piece, PIECE_BYTES);
                    piece
                }
                None => return self.gzip.take().and_then(|gzip| gzip.finish().ok()).map(Bytes::from),
            };
            let Some(gzip) = &mut self.gzip else { return Some(Bytes::from(piece)) };
            // Writing into a vector does not fail; if it did, the truncated stream would tell the client.
            gzip.write_all(&piece).ok()?;
            let ready = std::mem::take(gzip.get_mut());
            if !ready.is_empty() {
                return Some(Bytes::from(ready));
            }
        }
    }
}

impl Body for Reply {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        let piece = match &mut *self {
            Self::Whole(bytes) if bytes.is_empty() => None,
            Self::Whole(bytes) => Some(std::mem::take(bytes)),
            Self::Page(page) => page.next(),
        };
        Poll::Ready(piece.map(|piece| Ok(Frame::data(piece))))
    }

    fn is_end_stream(&self) -> bool {
        matches!(self, Self::Whole(bytes) if bytes.is_empty())
    }

    fn size_hint(&self) -> SizeHint {
        match self {
            Self::Whole(bytes) => SizeHint::with_exact(bytes.len() as u64),
            Self::Page(_) => SizeHint::default(),
        }
    }
}
