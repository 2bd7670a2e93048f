//! A call's bytes in memory, for [`hippius_ebpf::capture::walk`].

use hippius_common::flow::{CAPTURE_BYTES, FIRST_COPY_BYTES, Flow, NEXT_COPY_BYTES, NEXT_COPY_LIMIT, WINDOW_BYTES};
use hippius_common::loss::LossReason;
use hippius_ebpf::capture::walk::Call;
use zerocopy::{FromZeros, IntoBytes};

/// A flow as the socket storage makes it.
pub fn new_flow() -> Box<Flow> {
    Box::new(Flow::new_zeroed())
}

/// The bytes of one call, in segments of equal length.
pub struct Segments<'a, F> {
    /// All bytes of the call.
    pub bytes: &'a [u8],
    /// Bytes of a segment: no copy goes further.
    pub segment: usize,
    /// Sees each record.
    pub emitted: F,
}

impl<F> Segments<'_, F> {
    fn located(&self, offset: u64, len: u32) -> &[u8] {
        let from = offset as usize;
        let end = (from / self.segment + 1).saturating_mul(self.segment);
        let until = (from + len as usize).min(end).min(self.bytes.len());
        &self.bytes[from..until]
    }
}

impl<F: FnMut(&Flow)> Call for Segments<'_, F> {
    fn copy(&mut self, flow: &mut Flow, at: u32, offset: u64, len: u32) -> Result<u32, LossReason> {
        assert!(at <= NEXT_COPY_LIMIT, "a copy to {at}");
        let found = self.located(offset, len.min(if at == 0 { FIRST_COPY_BYTES } else { NEXT_COPY_BYTES }));
        flow.capture.as_mut_bytes()[at as usize..][..found.len()].copy_from_slice(found);
        Ok(found.len() as u32)
    }

    fn peek(&mut self, flow: &mut Flow, offset: u64, len: u32) -> Result<u32, LossReason> {
        let found = self.located(offset, len.min(WINDOW_BYTES));
        flow.window.as_mut_bytes()[..found.len()].copy_from_slice(found);
        Ok(found.len() as u32)
    }

    fn emit(&mut self, flow: &mut Flow) {
        let captured = usize::from(flow.header.in_len) + usize::from(flow.header.out_len);
        assert!(captured <= CAPTURE_BYTES, "a record of {captured} bytes");
        (self.emitted)(flow);
    }

    fn shift(&mut self, flow: &mut Flow, from: u32, len: u32) {
        assert!(len <= NEXT_COPY_BYTES, "{len} bytes are moved");
        flow.capture.as_mut_bytes().copy_within(from as usize..(from + len) as usize, 0);
    }
}
