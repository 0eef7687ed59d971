//! Seals what must not be read: tokens, verifiers, and whatever else a database thief would want.
//!
//! Everything is sealed always; there is no plaintext mode. A sealed value opens only with its key and only in the place it was sealed
//! for, see [`Binding`]. What the vault cannot do: notice that a whole row was put back as it was at an earlier time, or keep a secret
//! from somebody who may read this process' memory or its key file.

mod binding;
mod error;
mod key;
mod key_file;
mod sealed;
#[cfg(test)]
mod tests;
mod unlock;

use chacha20poly1305::XNonce;
use chacha20poly1305::aead::{Aead, Payload};
use connector_core::{Context, Secret};
use zeroize::Zeroize;

pub use self::binding::{Binding, field};
pub use self::error::{Result, VaultError};
pub use self::key::{KeyId, KeyRing};
pub use self::key_file::{IfMissing, KeyFile};
pub use self::sealed::Sealed;
pub use self::unlock::{Unlocked, unlock};

use self::sealed::NONCE_LENGTH;

/// Seals and opens with the keys of one key ring (XChaCha20-Poly1305, random 192-bit nonces).
#[derive(Debug)]
pub struct Vault {
    ring: KeyRing,
}

impl Vault {
    /// A vault with these keys.
    pub fn new(ring: KeyRing) -> Self {
        Self { ring }
    }

    /// The keys it holds, the one it seals with first.
    pub fn key_ids(&self) -> Vec<KeyId> {
        self.ring.ids().collect()
    }

    /// Seals a secret for one place.
    ///
    /// # Errors
    /// When the context has no randomness to give: nothing is ever sealed with a predictable nonce.
    pub fn seal(&self, cx: &Context, binding: &Binding<'_>, secret: &Secret) -> Result<Sealed> {
        let key = self.ring.active();
        let mut nonce = [0_u8; NONCE_LENGTH];
        cx.fill_random(&mut nonce).map_err(VaultError::NoRandomness)?;
        let place = binding.associated_data(key.id());
        let payload = Payload { msg: secret.expose().as_bytes(), aad: &place };
        let ciphertext = key.cipher().encrypt(&XNonce::from(nonce), payload).map_err(|_| VaultError::TooLong)?;
        Ok(Sealed::assemble(key.id(), nonce, &ciphertext))
    }

    /// Opens what was sealed for this place.
    ///
    /// # Errors
    /// When the key is not at hand, or when the value was changed, moved, or is no sealed value at all.
    pub fn open(&self, binding: &Binding<'_>, sealed: &Sealed) -> Result<Secret> {
        let parts = sealed.parts().ok_or(VaultError::Damaged)?;
        let key = self.ring.find(parts.key).ok_or_else(|| self.unknown_key(parts.key))?;
        let place = binding.associated_data(key.id());
        let payload = Payload { msg: parts.ciphertext, aad: &place };
        let text = key.cipher().decrypt(&XNonce::from(parts.nonce), payload).map_err(|_| VaultError::Damaged)?;
        into_secret(text)
    }

    /// Seals a constant, by which a later start recognises its keys.
    pub fn prove(&self, cx: &Context) -> Result<Sealed> {
        self.seal(cx, &Binding::CHECK, &Secret::from(CHECK))
    }

    /// Recognises the keys by what [`Vault::prove`] gave.
    ///
    /// # Errors
    /// With the ids of the keys when these are other keys. Nothing should be written then.
    pub fn verify(&self, proof: &Sealed) -> Result<()> {
        match self.open(&Binding::CHECK, proof) {
            Ok(constant) if constant.matches(CHECK) => Ok(()),
            Err(VaultError::UnknownKey { needed, held }) => Err(VaultError::WrongKey { needed, held }),
            Ok(_) | Err(_) => Err(VaultError::SameIdOtherKey { id: proof.key_id() }),
        }
    }

    fn unknown_key(&self, needed: KeyId) -> VaultError {
        VaultError::UnknownKey { needed, held: self.key_ids() }
    }
}

/// What a proof holds. It needs not be secret.
const CHECK: &str = "connector-host vault check";

fn into_secret(text: Vec<u8>) -> Result<Secret> {
    String::from_utf8(text).map(Secret::new).map_err(|error| {
        error.into_bytes().zeroize();
        VaultError::Damaged
    })
}
