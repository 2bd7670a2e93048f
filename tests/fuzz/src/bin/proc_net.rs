//! Tables of listening sockets: a line that is understood, printed as the kernel prints it, is understood the same.
#![no_main]

use hippius_agent::kernel::listeners::{Row, parse_row, parse_table};
use libfuzzer_sys::fuzz_target;
use std::net::IpAddr;

fuzz_target!(|text: &str| {
    let rows = parse_table(text);
    assert!(rows.len() <= text.lines().count());
    for row in rows {
        assert_eq!(parse_row(&printed(&row)), Some(row));
    }
});

fn printed(row: &Row) -> String {
    let octets = match row.address {
        IpAddr::V4(address) => address.octets().to_vec(),
        IpAddr::V6(address) => address.octets().to_vec(),
    };
    let words = octets.chunks_exact(4).map(|word| u32::from_ne_bytes(word.try_into().expect("four bytes")));
    let address: String = words.map(|word| format!("{word:08X}")).collect();
    let (port, inode) = (row.port, row.inode);
    format!("   0: {address}:{port:04X} {address}:0000 0A 00000000:00000000 00:00000000 00000000  0  0 {inode} 1")
}
