//! Records of the ring and frames of a sweep: views lie within the bytes, and cutting the stream loses no frame.
#![no_main]

use hippius_agent::kernel::record::Record;
use hippius_agent::kernel::sweep::frames;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    if let Some(record) = Record::parse(bytes) {
        assert_eq!(record.inbound.len(), usize::from(record.header.in_len));
        assert_eq!(record.outbound.len(), usize::from(record.header.out_len));
        let parts = size_of_val(&record.header) + record.inbound.len() + record.outbound.len();
        assert!(parts <= bytes.len());
        assert!(Record::parse(&bytes[..parts - 1]).is_none(), "a record that is shorter than it says");
    }
    let mut whole = Vec::new();
    let (used, torn) = frames(bytes, &mut |flow| whole.push(flow.to_vec()));
    assert!(used <= bytes.len() && (whole.len() + torn as usize) <= bytes.len() / 16 + 1);
    for flow in &whole {
        let _ = Record::parse(flow);
    }
    let cut = bytes.first().map_or(0, |first| usize::from(*first) * bytes.len() / 256);
    let mut pieces = Vec::new();
    let (first, torn_first) = frames(&bytes[..cut], &mut |flow| pieces.push(flow.to_vec()));
    if first < cut || torn_first == 0 {
        let (second, torn_second) = frames(&bytes[first..], &mut |flow| pieces.push(flow.to_vec()));
        assert_eq!((first + second, torn_first + torn_second), (used, torn));
        assert_eq!(pieces, whole);
    }
});
