//! Values that must not be seen.

use std::fmt;

use sha2::{Digest, Sha256};
use zeroize::{Zeroize, ZeroizeOnDrop};

/// A token, code, verifier, key or secret.
///
/// It has no `Display`, no `Serialize` and no `PartialEq`; its `Debug` says nothing. The text leaves through [`Secret::expose`] alone,
/// which is easy to search for. The memory is overwritten when the value is dropped.
///
/// ```compile_fail,E0277
/// println!("{}", connector_core::Secret::from("hush"));
/// ```
///
/// ```compile_fail,E0277
/// fn shown(value: impl serde::Serialize) {}
/// shown(connector_core::Secret::from("hush"));
/// ```
///
/// ```compile_fail,E0369
/// let equal = connector_core::Secret::from("hush") == connector_core::Secret::from("hush");
/// ```
#[derive(Clone, Zeroize, ZeroizeOnDrop)]
pub struct Secret(String);

impl Secret {
    /// Takes the text in.
    pub fn new(text: impl Into<String>) -> Self {
        Self(text.into())
    }

    /// The text itself. Whoever calls this is responsible for where it goes.
    pub fn expose(&self) -> &str {
        &self.0
    }

    /// Whether the text is empty.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Compares with a presented text in a time that does not depend on where they differ.
    pub fn matches(&self, presented: &str) -> bool {
        let ours = Sha256::digest(self.0.as_bytes());
        let theirs = Sha256::digest(presented.as_bytes());
        ours.iter().zip(theirs.iter()).fold(0_u8, |difference, (a, b)| difference | (a ^ b)) == 0
    }

    /// The SHA-256 of the text in lower-case hex: a name under which it can be looked up without being kept.
    pub fn digest(&self) -> String {
        hex::encode(Sha256::digest(self.0.as_bytes()))
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(..)")
    }
}

impl From<String> for Secret {
    fn from(text: String) -> Self {
        Self(text)
    }
}

impl From<&str> for Secret {
    fn from(text: &str) -> Self {
        Self(text.to_owned())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn debug_shows_nothing() {
        assert_eq!(format!("{:?}", Secret::from("act.live")), "Secret(..)");
    }

    #[test]
    fn matches_only_the_same_text() {
        let secret = Secret::from("act.live");
        assert!(secret.matches("act.live"));
        assert!(!secret.matches("act.livf"));
        assert!(!secret.matches("act.liv"));
        assert!(!secret.matches(""));
    }
}
