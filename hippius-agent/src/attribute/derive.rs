//! The account of a seed-era access key, computed from the key itself.
//!
//! The access key is the base64 of a BIP-39 phrase. Substrate stretches the phrase's *entropy* (not its text, unlike
//! BIP-39's own seed) into a mini secret key, whose sr25519 public key is the account
//! (<https://github.com/paritytech/substrate-bip39>). One derivation costs about a millisecond of CPU (2048 rounds of
//! PBKDF2), therefore it is done only for credentials that the server accepted, off the capture path, and its result,
//! which is public, is remembered.
//!
//! Every buffer that holds a word, the entropy or a key is wiped. What remains are copies that the compiler may leave
//! in registers and on the stack.

use super::{Secret, ss58};
use base64::Engine;
use base64::alphabet::STANDARD;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use bip39::Language;
use schnorrkel::{ExpansionMode, MiniSecretKey};
use sha2::{Digest, Sha256, Sha512};
use zeroize::Zeroizing;

/// 24 words of eight letters and the spaces between make 215 bytes, 288 in base64; the rest is leniency.
const MAX_ACCESS_KEY_BYTES: usize = 512;
const MAX_PHRASE_BYTES: usize = MAX_ACCESS_KEY_BYTES / 4 * 3;

/// Clients write the padding or leave it off; the server takes both.
const BASE64: GeneralPurpose = GeneralPurpose::new(
    &STANDARD,
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent),
);

/// Why an access key gives no address. None of these says anything about the key's text.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum DeriveError {
    /// Not base64, or far too long.
    #[error("the access key is not base64 of a phrase")]
    NotBase64,
    /// Not 12, 15, 18, 21 or 24 words of the English list.
    #[error("the access key does not hold words of a seed phrase")]
    NotWords,
    /// The words are not a phrase: the checksum does not fit.
    #[error("the access key holds words whose checksum is wrong")]
    Checksum,
    /// The entropy gives no key (cannot happen with 32 bytes, but the library's type allows it).
    #[error("the seed gives no key")]
    NoKey,
}

/// The SS58 address (prefix 42) of the wallet whose seed phrase the access key is.
pub fn address(access_key: &Secret) -> Result<String, DeriveError> {
    let mut phrase = Zeroizing::new([0u8; MAX_PHRASE_BYTES]);
    let text = access_key.expose();
    if text.len() > MAX_ACCESS_KEY_BYTES {
        return Err(DeriveError::NotBase64);
    }
    let len = BASE64.decode_slice(text, phrase.as_mut_slice()).map_err(|_| DeriveError::NotBase64)?;
    let phrase = phrase.get(..len).and_then(|bytes| std::str::from_utf8(bytes).ok()).ok_or(DeriveError::NotBase64)?;
    address_of_phrase(phrase)
}

/// The SS58 address (prefix 42) of a BIP-39 phrase in English, without password and derivation path.
fn address_of_phrase(phrase: &str) -> Result<String, DeriveError> {
    let entropy = Entropy::of(phrase)?;
    let mut seed = Zeroizing::new([0u8; 32]);
    // The first 32 of PBKDF2's 64 bytes: HMAC-SHA512 gives them in its first block, so asking for 32 is the same.
    pbkdf2::pbkdf2_hmac::<Sha512>(entropy.bytes(), b"mnemonic", 2048, seed.as_mut_slice());
    let mini = MiniSecretKey::from_bytes(seed.as_slice()).map_err(|_| DeriveError::NoKey)?;
    let public = mini.expand_to_public(ExpansionMode::Ed25519);
    Ok(ss58::encode(&public.to_bytes()))
}

/// The entropy that a phrase encodes: 16 to 32 bytes.
struct Entropy {
    buffer: Zeroizing<[u8; 33]>,
    len: usize,
}

impl Entropy {
    /// BIP-39: eleven bits a word, the last `words / 3` of them a checksum. Done here, because the `bip39` crate
    /// leaves its working copies of bits and entropy unwiped; its word list is used.
    fn of(phrase: &str) -> Result<Self, DeriveError> {
        let words = phrase.split_ascii_whitespace().count();
        if !matches!(words, 12 | 15 | 18 | 21 | 24) {
            return Err(DeriveError::NotWords);
        }
        let mut buffer = Zeroizing::new([0u8; 33]);
        for (nth, word) in phrase.split_ascii_whitespace().enumerate() {
            let index = Language::English.find_word(word).ok_or(DeriveError::NotWords)?;
            for bit in 0..11 {
                let at = nth * 11 + bit;
                // 24 words are 264 bits, so the byte is there.
                if let Some(byte) = buffer.get_mut(at / 8) {
                    *byte |= u8::from((index >> (10 - bit)) & 1 == 1) << (7 - at % 8);
                }
            }
        }
        let entropy = Self { buffer, len: words / 3 * 4 };
        let digest = Zeroizing::new(<[u8; 32]>::from(Sha256::digest(entropy.bytes())));
        let expected = digest[0] & !(0xff_u32 >> (words / 3)) as u8;
        match entropy.buffer.get(entropy.len) {
            Some(found) if *found == expected => Ok(entropy),
            _ => Err(DeriveError::Checksum),
        }
    }

    fn bytes(&self) -> &[u8] {
        self.buffer.get(..self.len).unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The first is Substrate's development phrase (`subkey inspect`); all were computed with Python's
    /// `substrate-interface` 1.8.1: `Keypair.create_from_mnemonic(phrase, ss58_format=42).ss58_address`.
    const VECTORS: [(&str, &str); 6] = [
        (
            "bottom drive obey lake curtain smoke basket hold race lonely fit walk",
            "5DfhGyQdFobKM8NsWvEeAKk5EQQgYe9AydgJ7rMB6E1EqRzV",
        ),
        (
            "legal winner thank year wave sausage worth useful legal winner thank yellow",
            "5EHgWw2Af1pnoc7f1A8bfmM97W3DAYW8xr82RfhLL9oAabAe",
        ),
        (
            "legal winner thank year wave sausage worth useful legal winner thank year wave sausage wise",
            "5ELWoanBoL9pNYzgbpRV5Z4y5QqaDmigfgqREaVHXhSGP2Yt",
        ),
        (
            "gravity machine north sort system female filter attitude volume fold club stay feature office ecology \
             stable narrow fog",
            "5GTrcFSYdbDYaHs9EyAFR9v7tPQv6rSF13KQgiPMbqcusW5H",
        ),
        (
            "letter advice cage absurd amount doctor acoustic avoid letter advice cage absurd amount doctor acoustic \
             avoid letter advice cage absurd amount doctor acoustic bless",
            "5DqrYQvokrzYkioJSFc6RWd2gnBibZSsKALyXZV3XJ1V8rAv",
        ),
        (
            "abandon abandon abandon abandon abandon abandon abandon abandon abandon abandon abandon abandon abandon \
             abandon abandon abandon abandon agent",
            "5EPCUjPxiHAcNooYipQFWr9NmmXJKpNG5RhcntXwbtUySrgH",
        ),
    ];

    fn access_key(phrase: &str) -> Secret {
        Secret::new(&base64::engine::general_purpose::STANDARD.encode(phrase))
    }

    #[test]
    fn seed_phrases_give_the_addresses_that_substrate_gives() {
        for (phrase, expected) in VECTORS {
            assert_eq!(address(&access_key(phrase)).as_deref(), Ok(expected));
        }
    }

    #[test]
    fn padding_may_be_left_off() {
        let (phrase, expected) = VECTORS[0];
        let padded = access_key(&format!("{phrase} \n"));
        let bare = Secret::new(padded.expose().trim_end_matches('='));
        assert_eq!(address(&padded).as_deref(), Ok(expected));
        assert_eq!(address(&bare).as_deref(), Ok(expected));
    }

    #[test]
    fn what_is_no_phrase_is_refused() {
        let eleven = "bottom drive obey lake curtain smoke basket hold race lonely fit";
        let cases = [
            (Secret::new(""), DeriveError::NotWords),
            (Secret::new("hip_abcdef"), DeriveError::NotBase64),
            (Secret::new("AKIAIOSFODNN7EXAMPLE"), DeriveError::NotBase64),
            (Secret::new(&"A".repeat(513)), DeriveError::NotBase64),
            (Secret::new(&"A".repeat(512)), DeriveError::NotWords),
            (access_key(eleven), DeriveError::NotWords),
            (access_key(&format!("{eleven} Walk")), DeriveError::NotWords),
            (access_key(&format!("{eleven} zoo")), DeriveError::Checksum),
            (access_key(&"zoo ".repeat(25)), DeriveError::NotWords),
        ];
        for (nth, (key, expected)) in cases.into_iter().enumerate() {
            assert_eq!(address(&key), Err(expected), "case {nth}");
        }
    }
}
