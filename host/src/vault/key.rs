//! Keys, their names, and how they are written down.

use std::fmt;
use std::str::FromStr;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use chacha20poly1305::aead::KeyInit;
use chacha20poly1305::{Key as CipherKey, XChaCha20Poly1305};
use connector_core::Context;
use zeroize::Zeroizing;

use super::sealed::FORMAT;
use super::{Result, VaultError};

pub(super) const KEY_ID_LENGTH: usize = 4;
const KEY_LENGTH: usize = 32;

/// The name of a key: 8 hex digits. It is no secret and stands in every value the key has sealed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct KeyId([u8; KEY_ID_LENGTH]);

impl KeyId {
    /// The key that these bytes in front of a sealed value name, if they are such bytes.
    pub fn of_front(front: &[u8]) -> Option<Self> {
        let id = front.strip_prefix(&[FORMAT])?;
        id.try_into().ok().map(Self)
    }

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

impl FromStr for KeyId {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, &'static str> {
        let mut id = [0_u8; KEY_ID_LENGTH];
        hex::decode_to_slice(text, &mut id).map_err(|_| "the key id is not 8 hex digits")?;
        Ok(Self(id))
    }
}

/// One key. The memory is overwritten when it is dropped.
#[derive(Clone)]
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

    pub(super) fn to_line(&self) -> Zeroizing<String> {
        let encoded = Zeroizing::new(STANDARD.encode(self.bytes.as_slice()));
        Zeroizing::new(format!("{} {}\n", self.id, *encoded))
    }
}

impl FromStr for Key {
    type Err = &'static str;

    fn from_str(line: &str) -> Result<Self, &'static str> {
        let (id, key) = line.split_once(' ').ok_or("it is not `<key id> <key>`")?;
        let id = id.parse()?;
        let decoded = Zeroizing::new(STANDARD.decode(key).map_err(|_| "the key is not base64")?);
        let bytes = decoded.as_slice().try_into().map_err(|_| "the key is not 32 bytes long")?;
        Ok(Self { id, bytes: Zeroizing::new(bytes) })
    }
}

impl fmt::Debug for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Key({}, ..)", self.id)
    }
}

/// The keys of a vault: the active one seals, all of them open.
///
/// It also remembers the names of keys that were taken away. By them a process that missed a rotation from beginning to end still sees
/// that the keys are those of its own store.
#[derive(Clone, Debug)]
pub struct KeyRing {
    active: Key,
    older: Vec<Key>,
    retired: Vec<KeyId>,
}

/// Which line of a key file is wrong, and how. It says nothing of what stands there.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Malformed {
    pub(super) line: usize,
    pub(super) why: &'static str,
}

/// What a line of a key file says.
enum Line {
    Key(Key),
    Retired(KeyId),
}

/// Stands in the place of a key that was taken away.
const RETIRED: &str = "retired";

impl KeyRing {
    /// A ring of one fresh key.
    pub fn generate(cx: &Context) -> Result<Self> {
        Ok(Self { active: Key::generate(cx)?, older: Vec::new(), retired: Vec::new() })
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

    /// The same keys under a fresh active one.
    pub(super) fn with_fresh_key(&self, cx: &Context) -> Result<Self> {
        let active = loop {
            let key = Key::generate(cx)?;
            if !self.names(key.id) {
                break key;
            }
        };
        Ok(Self { active, older: self.keys().cloned().collect(), retired: self.retired.clone() })
    }

    /// The same keys without this older one.
    pub(super) fn without(&self, id: KeyId) -> Self {
        let mut ring = self.clone();
        ring.older.retain(|key| key.id != id);
        ring.retired.push(id);
        ring
    }

    /// Whether this ring was made from the other one: it holds that one's active key, or says that it was taken away.
    pub(super) fn continues(&self, other: &Self) -> bool {
        match self.find(other.active.id) {
            Some(key) => *key.bytes == *other.active.bytes,
            None => self.retired.contains(&other.active.id),
        }
    }

    /// Reads one key a line, the active one first.
    pub(super) fn parse(text: &str) -> Result<Self, Malformed> {
        let (mut keys, mut retired): (Vec<Key>, Vec<KeyId>) = (Vec::new(), Vec::new());
        for (index, line) in text.lines().enumerate() {
            let malformed = |why| Malformed { line: index + 1, why };
            let line: Line = line.parse().map_err(malformed)?;
            let id = line.id();
            if keys.iter().map(Key::id).chain(retired.iter().copied()).any(|other| other == id) {
                return Err(malformed("another line has the same key id"));
            }
            match line {
                Line::Key(key) => keys.push(key),
                Line::Retired(id) => retired.push(id),
            }
        }
        let mut keys = keys.into_iter();
        let active = keys.next().ok_or(Malformed { line: 1, why: "there is no key" })?;
        Ok(Self { active, older: keys.collect(), retired })
    }

    pub(super) fn to_text(&self) -> Zeroizing<String> {
        let mut lines: Vec<Zeroizing<String>> = self.keys().map(Key::to_line).collect();
        lines.extend(self.retired.iter().map(|id| Zeroizing::new(format!("{id} {RETIRED}\n"))));
        let mut text = Zeroizing::new(String::with_capacity(lines.iter().map(|line| line.len()).sum()));
        for line in lines {
            text.push_str(&line);
        }
        text
    }

    fn names(&self, id: KeyId) -> bool {
        self.ids().chain(self.retired.iter().copied()).any(|other| other == id)
    }

    fn keys(&self) -> impl Iterator<Item = &Key> {
        std::iter::once(&self.active).chain(&self.older)
    }
}

impl Line {
    fn id(&self) -> KeyId {
        match self {
            Self::Key(key) => key.id,
            Self::Retired(id) => *id,
        }
    }
}

impl FromStr for Line {
    type Err = &'static str;

    fn from_str(line: &str) -> Result<Self, &'static str> {
        match line.split_once(' ') {
            Some((id, RETIRED)) => Ok(Self::Retired(id.parse()?)),
            _ => Ok(Self::Key(line.parse()?)),
        }
    }
}
