//! Texts that look random and are the same in every run.

use sha2::{Digest, Sha256};

pub(super) const LOWER: &[u8] = b"abcdefghijklmnopqrstuvwxyz0123456789";
pub(super) const MIXED: &[u8] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789";

/// `length` characters of the alphabet, decided by the parts.
pub(super) fn text(alphabet: &[u8], parts: &[&str], length: usize) -> String {
    (0_u32..)
        .flat_map(|block| digest(parts, block))
        .map(|byte| char::from(alphabet[usize::from(byte) % alphabet.len()]))
        .take(length)
        .collect()
}

/// A text shaped like a UUID, decided by the parts.
pub(super) fn uuid(parts: &[&str]) -> String {
    let hex = hex::encode(digest(parts, 0));
    format!("{}-{}-5{}-a{}-{}", &hex[..8], &hex[8..12], &hex[12..15], &hex[15..18], &hex[18..30])
}

/// The SHA-256 of a text in lower-case hex.
pub(super) fn sha256_hex(text: &str) -> String {
    hex::encode(Sha256::digest(text.as_bytes()))
}

fn digest(parts: &[&str], block: u32) -> [u8; 32] {
    let mut hasher = Sha256::new();
    for part in parts {
        hasher.update(part.as_bytes());
        hasher.update([0]);
    }
    hasher.update(block.to_be_bytes());
    hasher.finalize().into()
}
