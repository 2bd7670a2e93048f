//! The call in flight, as the capture core sees it: where its bytes are read, and where records go.

use aya_ebpf::helpers::generated::bpf_probe_read_kernel;
use hippius_common::flow::{
    CAPTURE_BYTES, FIRST_COPY_BYTES, Flow, NEXT_COPY_BYTES, NEXT_COPY_LIMIT, WINDOW_BYTES, kind,
};
use hippius_common::loss::LossReason;
use hippius_ebpf::capture::memory::{load, store};
use hippius_ebpf::capture::walk::Call;

use crate::emit;
use crate::kernel::user_buffer::{UserBuffer, copy};

/// A call whose bytes stand in a user buffer.
pub struct BufferCall {
    /// Where they stand.
    pub buffer: UserBuffer,
}

impl BufferCall {
    /// Where the bytes stand. Goes through the flow's memory, so that the many ways to find them are one state for the
    /// verifier.
    #[inline(always)]
    fn located(&self, flow: &mut Flow, offset: u64, len: u32) -> Result<(u64, u32), LossReason> {
        let (address, len) = self.buffer.locate(offset, len)?;
        store(&mut flow.copy_from, address);
        store(&mut flow.copy_len, u64::from(len));
        Ok((load(&flow.copy_from), load(&flow.copy_len) as u32))
    }
}

impl Call for BufferCall {
    #[inline(always)]
    fn copy(&mut self, flow: &mut Flow, at: u32, offset: u64, len: u32) -> Result<u32, LossReason> {
        store(&mut flow.copy_at, u64::from(at));
        let (address, len) = self.located(flow, offset, len)?;
        let capture = flow.capture.as_mut_ptr().cast::<u8>();
        // Read back as it is compared: verifiers before 6.8 lose what the compiler proved of another copy.
        let at = load(&flow.copy_at);
        if at == 0 {
            let len = if len > FIRST_COPY_BYTES { FIRST_COPY_BYTES } else { len };
            // SAFETY: the capture holds more than FIRST_COPY_BYTES.
            unsafe { copy(capture, address, len) }?;
            return Ok(len);
        }
        let at = if at > u64::from(NEXT_COPY_LIMIT) { u64::from(NEXT_COPY_LIMIT) } else { at };
        let len = if len > NEXT_COPY_BYTES { NEXT_COPY_BYTES } else { len };
        // SAFETY: NEXT_COPY_LIMIT and NEXT_COPY_BYTES add up to the capture's size.
        unsafe { copy(capture.add(at as usize), address, len) }?;
        Ok(len)
    }

    #[inline(always)]
    fn peek(&mut self, flow: &mut Flow, offset: u64, len: u32) -> Result<u32, LossReason> {
        let (address, len) = self.located(flow, offset, len)?;
        let len = if len > WINDOW_BYTES { WINDOW_BYTES } else { len };
        // SAFETY: the window holds WINDOW_BYTES.
        unsafe { copy(flow.window.as_mut_ptr().cast(), address, len) }?;
        Ok(len)
    }

    #[inline(always)]
    fn emit(&mut self, flow: &mut Flow) {
        flow.header.kind = kind::CAPTURE;
        emit::record(flow);
    }

    #[inline(always)]
    fn shift(&mut self, flow: &mut Flow, from: u32, len: u32) {
        shift(flow, from, len);
    }
}

#[inline(always)]
fn shift(flow: &mut Flow, from: u32, len: u32) {
    store(&mut flow.copy_at, u64::from(from));
    store(&mut flow.copy_len, u64::from(len));
    // Read back as in `copy`.
    let from = load(&flow.copy_at);
    let from = if from > CAPTURE_BYTES as u64 { 0 } else { from };
    let len = load(&flow.copy_len);
    let len = if len > u64::from(NEXT_COPY_BYTES) { NEXT_COPY_BYTES } else { len as u32 };
    let capture = flow.capture.as_mut_ptr().cast::<u8>();
    // SAFETY: both ends lie in the capture; the helper copies upwards, so an overlap is harmless.
    unsafe { bpf_probe_read_kernel(capture.cast(), len, capture.add(from as usize).cast()) };
}
