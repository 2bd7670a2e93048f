//! Accounts and credentials of the tests. The seed phrases are the published examples of the Substrate documentation: they
//! are nobody's wallet, and everybody knows their addresses.

/// The development phrase of every Substrate node, and the address of its sr25519 key (prefix 42).
pub const SEED: &str = "bottom drive obey lake curtain smoke basket hold race lonely fit walk";
pub const SEED_ADDRESS: &str = "5DfhGyQdFobKM8NsWvEeAKk5EQQgYe9AydgJ7rMB6E1EqRzV";

/// The example phrase of `subkey`'s documentation.
pub const SECOND_SEED: &str = "caution juice atom organ advance problem want pledge someone senior holiday very";

/// A seed phrase as it stands in the place of an access key: base64 (RFC 4648).
pub fn access_key(seed: &str) -> String {
    const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut text = String::new();
    for group in seed.as_bytes().chunks(3) {
        let bits = group.iter().fold(0u32, |bits, byte| bits << 8 | u32::from(*byte)) << (8 * (3 - group.len()));
        for place in 0..4 {
            let index = (bits >> (18 - 6 * place)) as usize & 63;
            text.push(if place <= group.len() { ALPHABET[index] as char } else { '=' });
        }
    }
    text
}

/// An `Authorization` header of AWS Signature V4 with a signature that nobody checks.
pub fn sigv4(access_key: &str) -> String {
    format!(
        "Authorization: AWS4-HMAC-SHA256 Credential={access_key}/20260101/decentralized/s3/aws4_request, \
         SignedHeaders=host;x-amz-date, Signature={}",
        "0".repeat(64)
    )
}

/// The query of a presigned address.
pub fn presigned(access_key: &str) -> String {
    let key = access_key.replace('+', "%2B").replace('=', "%3D").replace('/', "%2F");
    format!(
        "X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Credential={key}%2F20260101%2Fdecentralized%2Fs3%2Faws4_request\
         &X-Amz-Date=20260101T000000Z&X-Amz-Expires=600&X-Amz-SignedHeaders=host&X-Amz-Signature={}",
        "0".repeat(64)
    )
}

#[cfg(test)]
mod tests {
    use super::access_key;

    #[test]
    fn access_keys_are_base64_of_the_phrase() {
        // The examples of RFC 4648, section 10.
        for (plain, coded) in [("f", "Zg=="), ("fo", "Zm8="), ("foo", "Zm9v"), ("foobar", "Zm9vYmFy")] {
            assert_eq!(access_key(plain), coded);
        }
    }
}
