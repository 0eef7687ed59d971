//! A sealed value: `format (1) | key id (4) | nonce (24) | ciphertext and tag`.

use std::fmt;

use super::key::{KEY_ID_LENGTH, KeyId};

/// The layout and the cipher of this version.
pub(super) const FORMAT: u8 = 1;

/// 192 bits, so that random ones never meet.
pub(super) const NONCE_LENGTH: usize = 24;

/// A value that only a vault with the right key can read. It comes from [`Vault::seal`](super::Vault::seal) or from storage.
#[derive(Clone, PartialEq, Eq)]
pub struct Sealed(Vec<u8>);

/// What a sealed value is made of.
pub(super) struct Parts<'a> {
    pub(super) key: KeyId,
    pub(super) nonce: [u8; NONCE_LENGTH],
    pub(super) ciphertext: &'a [u8],
}

impl Sealed {
    /// How many bytes stand in front of the nonce: the format and the key. By them a database tells values of one key from others.
    pub const FRONT_LENGTH: usize = 1 + KEY_ID_LENGTH;

    /// The bytes in front of every value sealed with this key.
    pub fn front_of(key: KeyId) -> Vec<u8> {
        [&[FORMAT], key.as_bytes().as_slice()].concat()
    }

    /// Takes a value back from storage. Whether it is one shows when it is opened.
    pub fn from_stored(bytes: Vec<u8>) -> Self {
        Self(bytes)
    }

    /// The bytes to store.
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }

    /// The key it was sealed with, if these are the bytes of a sealed value.
    pub fn key_id(&self) -> Option<KeyId> {
        self.parts().map(|parts| parts.key)
    }

    pub(super) fn assemble(key: KeyId, nonce: [u8; NONCE_LENGTH], ciphertext: &[u8]) -> Self {
        Self([&[FORMAT], key.as_bytes().as_slice(), &nonce, ciphertext].concat())
    }

    pub(super) fn parts(&self) -> Option<Parts<'_>> {
        let rest = self.0.strip_prefix(&[FORMAT])?;
        let (key, rest) = rest.split_first_chunk::<KEY_ID_LENGTH>()?;
        let (nonce, ciphertext) = rest.split_first_chunk::<NONCE_LENGTH>()?;
        Some(Parts { key: KeyId::from_bytes(*key), nonce: *nonce, ciphertext })
    }
}

impl fmt::Debug for Sealed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.key_id() {
            Some(key) => write!(f, "Sealed(key {key})"),
            None => f.write_str("Sealed(unreadable)"),
        }
    }
}
