//! Keys, their names, and how they are written down.

use std::fmt;
use std::str::FromStr;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use chacha20poly1305::aead::KeyInit;
use chacha20poly1305::{Key as CipherKey, XChaCha20Poly1305};
use connector_core::Context;
use zeroize::Zeroizing;

use super::{Result, VaultError};

pub(super) const KEY_ID_LENGTH: usize = 4;
const KEY_LENGTH: usize = 32;

/// The name of a key: 8 hex digits. It is no secret and stands in every value the key has sealed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct KeyId([u8; KEY_ID_LENGTH]);

impl KeyId {
    pub(super) fn from_bytes(bytes: [u8; KEY_ID_LENGTH]) -> Self {
        Self(bytes)
    }

    pub(super) fn as_bytes(&self) -> &[u8; KEY_ID_LENGTH] {
        &self.0
    }
}

impl fmt::Display for KeyId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&hex::encode(self.0))
    }
}

/// One key. The memory is overwritten when it is dropped.
pub(super) struct Key {
    id: KeyId,
    bytes: Zeroizing<[u8; KEY_LENGTH]>,
}

impl Key {
    fn generate(cx: &Context) -> Result<Self> {
        let mut key = Self { id: KeyId([0; KEY_ID_LENGTH]), bytes: Zeroizing::new([0; KEY_LENGTH]) };
        cx.fill_random(&mut key.id.0).map_err(VaultError::NoRandomness)?;
        cx.fill_random(key.bytes.as_mut_slice()).map_err(VaultError::NoRandomness)?;
        Ok(key)
    }

    pub(super) fn id(&self) -> KeyId {
        self.id
    }

    pub(super) fn cipher(&self) -> XChaCha20Poly1305 {
        XChaCha20Poly1305::new(<&CipherKey>::from(&*self.bytes))
    }

    fn to_line(&self) -> Zeroizing<String> {
        let encoded = Zeroizing::new(STANDARD.encode(self.bytes.as_slice()));
        Zeroizing::new(format!("{} {}\n", self.id, *encoded))
    }
}

impl FromStr for Key {
    type Err = &'static str;

    fn from_str(line: &str) -> Result<Self, &'static str> {
        let (id, key) = line.split_once(' ').ok_or("it is not `<key id> <key>`")?;
        let mut name = [0_u8; KEY_ID_LENGTH];
        hex::decode_to_slice(id, &mut name).map_err(|_| "the key id is not 8 hex digits")?;
        let decoded = Zeroizing::new(STANDARD.decode(key).map_err(|_| "the key is not base64")?);
        let bytes = decoded.as_slice().try_into().map_err(|_| "the key is not 32 bytes long")?;
        Ok(Self { id: KeyId(name), bytes: Zeroizing::new(bytes) })
    }
}

impl fmt::Debug for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Key({}, ..)", self.id)
    }
}

/// The keys of a vault: the active one seals, all of them open.
#[derive(Debug)]
pub struct KeyRing {
    active: Key,
    older: Vec<Key>,
}

/// Which line of a key file is wrong, and how. It says nothing of what stands there.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Malformed {
    pub(super) line: usize,
    pub(super) why: &'static str,
}

impl KeyRing {
    /// A ring of one fresh key.
    pub fn generate(cx: &Context) -> Result<Self> {
        Ok(Self { active: Key::generate(cx)?, older: Vec::new() })
    }

    /// The names of the keys, the active one first.
    pub fn ids(&self) -> impl Iterator<Item = KeyId> {
        self.keys().map(Key::id)
    }

    pub(super) fn active(&self) -> &Key {
        &self.active
    }

    pub(super) fn find(&self, id: KeyId) -> Option<&Key> {
        self.keys().find(|key| key.id == id)
    }

    /// Reads one key a line, the active one first.
    pub(super) fn parse(text: &str) -> Result<Self, Malformed> {
        let mut keys: Vec<Key> = Vec::new();
        for (index, line) in text.lines().enumerate() {
            let malformed = |why| Malformed { line: index + 1, why };
            let key: Key = line.parse().map_err(malformed)?;
            if keys.iter().any(|other| other.id == key.id) {
                return Err(malformed("another line has the same key id"));
            }
            keys.push(key);
        }
        let mut keys = keys.into_iter();
        let active = keys.next().ok_or(Malformed { line: 1, why: "there is no key" })?;
        Ok(Self { active, older: keys.collect() })
    }

    pub(super) fn to_text(&self) -> Zeroizing<String> {
        let lines: Vec<Zeroizing<String>> = self.keys().map(Key::to_line).collect();
        let mut text = Zeroizing::new(String::with_capacity(lines.iter().map(|line| line.len()).sum()));
        for line in lines {
            text.push_str(&line);
        }
        text
    }

    fn keys(&self) -> impl Iterator<Item = &Key> {
        std::iter::once(&self.active).chain(&self.older)
    }
}
