//! SS58 addresses (<https://docs.substrate.io/reference/address-formats/>).

use blake2::{Blake2b512, Digest};

/// The generic Substrate network, which Hippius uses.
const GENERIC_SUBSTRATE: u8 = 42;

/// Bitcoin's alphabet: no `0`, `O`, `I`, `l`.
const BASE58: &[u8; 58] = b"123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz";

/// The address of a public key: base58(prefix, key, first two bytes of blake2b-512("SS58PRE", prefix, key)).
pub fn encode(public_key: &[u8; 32]) -> String {
    let mut data = Vec::with_capacity(35);
    data.push(GENERIC_SUBSTRATE);
    data.extend_from_slice(public_key);
    let checksum = Blake2b512::new().chain_update(b"SS58PRE").chain_update(&data).finalize();
    data.extend(checksum.iter().take(2));
    base58(&data)
}

/// Whether this is the address of a public key: its checksum fits.
pub fn is_address(text: &str) -> bool {
    // The longest number of 35 bytes has 48 digits.
    let data = (46..=48).contains(&text.len()).then(|| bytes(text)).flatten();
    data.is_some_and(|[_, key @ .., _, _]| encode(&key) == text)
}

/// The number of 35 bytes that these digits are.
fn bytes(text: &str) -> Option<[u8; 35]> {
    let mut data = [0; 35];
    for letter in text.bytes() {
        let mut carry = BASE58.iter().position(|digit| *digit == letter)?;
        for byte in data.iter_mut().rev() {
            carry += usize::from(*byte) * 58;
            *byte = (carry & 0xff) as u8;
            carry >>= 8;
        }
        if carry > 0 {
            return None;
        }
    }
    Some(data)
}

/// Long division by 58. Quadratic, which for 35 bytes is nothing. A leading zero byte would be a `1`; the prefix is
/// never zero.
fn base58(data: &[u8]) -> String {
    let mut digits: Vec<u8> = Vec::with_capacity(data.len() * 2);
    for byte in data {
        let mut carry = u32::from(*byte);
        for digit in &mut digits {
            carry += u32::from(*digit) << 8;
            *digit = (carry % 58) as u8;
            carry /= 58;
        }
        while carry > 0 {
            digits.push((carry % 58) as u8);
            carry /= 58;
        }
    }
    // A digit is below 58, so every one has its letter.
    digits.iter().rev().filter_map(|digit| BASE58.get(usize::from(*digit))).map(|letter| char::from(*letter)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn known_keys_have_their_known_addresses() {
        // `subkey inspect //Alice`
        let alice = [
            0xd4, 0x35, 0x93, 0xc7, 0x15, 0xfd, 0xd3, 0x1c, 0x61, 0x14, 0x1a, 0xbd, 0x04, 0xa9, 0x9f, 0xd6, 0x82, 0x2c,
            0x85, 0x58, 0x85, 0x4c, 0xcd, 0xe3, 0x9a, 0x56, 0x84, 0xe7, 0xa5, 0x6d, 0xa2, 0x7d,
        ];
        assert_eq!(encode(&alice), "5GrwvaEF5zXb26Fz9rcQpDWS57CtERHpNehXCPcNoHGKutQY");
        assert_eq!(encode(&[0; 32]), "5C4hrfjw9DjXZTzV3MwzrrAr9P1MJhSrvWGWqi1eSuyUpnhM");
        assert!(is_address("5GrwvaEF5zXb26Fz9rcQpDWS57CtERHpNehXCPcNoHGKutQY"));
        assert!(is_address("5C4hrfjw9DjXZTzV3MwzrrAr9P1MJhSrvWGWqi1eSuyUpnhM"));
        let long = "z".repeat(48);
        let bad = ["", "5Grw", "5GrwvaEF5zXb26Fz9rcQpDWS57CtERHpNehXCPcNoHGKutQZ", &long, &"0".repeat(48)];
        assert!(bad.iter().all(|text| !is_address(text)));
    }
}
