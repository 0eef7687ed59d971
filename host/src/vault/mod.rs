//! Seals what must not be read: tokens, verifiers, and whatever else a database thief would want.
//!
//! Everything is sealed always; there is no plaintext mode. A sealed value opens only with its key and only in the place it was sealed
//! for, see [`Binding`]. What the vault cannot do: notice that a whole row was put back as it was at an earlier time, or keep a secret
//! from somebody who may read this process' memory or its key file.

mod binding;
mod error;
mod key;
mod key_file;
mod rotation;
mod sealed;
mod source;
#[cfg(test)]
mod tests;
mod unlock;
#[cfg(feature = "sqlite")]
#[cfg(test)]
mod unlock_tests;

use std::sync::{Arc, PoisonError, RwLock};

use chacha20poly1305::XNonce;
use chacha20poly1305::aead::{Aead, Payload};
use connector_core::{Context, Secret};
use zeroize::Zeroize;

pub use self::binding::{Binding, field};
pub(crate) use self::error::KEY_LOST;
pub use self::error::{Result, VaultError};
pub use self::key::{KeyId, KeyRing};
pub use self::key_file::{IfMissing, KeyFile};
pub use self::rotation::{KeyUse, Progress, Rotation, Standing};
pub use self::sealed::Sealed;
pub use self::source::KeySource;
pub(crate) use self::unlock::check_keys;
pub use self::unlock::{Unlocked, unlock};

use self::sealed::NONCE_LENGTH;
use self::source::Loaded;
use crate::private_files::Stamp;

/// Seals and opens with the keys of one key ring (XChaCha20-Poly1305, random 192-bit nonces).
///
/// Where the keys come from a file, a vault follows it: keys that another process has added or taken away are taken over before the next
/// value is sealed, and when a value wants a key that is not at hand. Keys that do not go on from its own are never taken over.
#[derive(Debug)]
pub struct Vault {
    keys: RwLock<Keys>,
    source: Option<KeySource>,
}

/// The keys at hand, and what their file looked like when they were read.
#[derive(Clone, Debug)]
struct Keys {
    ring: Arc<KeyRing>,
    stamp: Option<Stamp>,
}

impl Vault {
    /// A vault with these keys, which come from nowhere and stay.
    pub fn new(ring: KeyRing) -> Self {
        Self { keys: RwLock::new(Keys { ring: Arc::new(ring), stamp: None }), source: None }
    }

    /// A vault with the keys of a source, which it follows.
    fn following(source: KeySource, loaded: Loaded) -> Self {
        let keys = Keys { ring: Arc::new(loaded.ring), stamp: loaded.stamp };
        Self { keys: RwLock::new(keys), source: Some(source) }
    }

    /// The keys it holds, the one it seals with first.
    pub fn key_ids(&self) -> Vec<KeyId> {
        self.keys().ring.ids().collect()
    }

    /// Seals a secret for one place.
    ///
    /// # Errors
    /// When the context has no randomness to give: nothing is ever sealed with a predictable nonce.
    pub fn seal(&self, cx: &Context, binding: &Binding<'_>, secret: &Secret) -> Result<Sealed> {
        let ring = self.latest();
        let key = ring.active();
        let mut nonce = [0_u8; NONCE_LENGTH];
        cx.fill_random(&mut nonce).map_err(VaultError::NoRandomness)?;
        let place = binding.associated_data(key.id());
        let payload = Payload { msg: secret.expose().as_bytes(), aad: &place };
        let ciphertext = key.cipher().encrypt(&XNonce::from(nonce), payload);
        wipe_stack();
        let ciphertext = ciphertext.map_err(|_| VaultError::TooLong)?;
        Ok(Sealed::assemble(key.id(), nonce, &ciphertext))
    }

    /// Opens what was sealed for this place. Should its key not be at hand, the keys are read once more.
    ///
    /// # Errors
    /// When the key is not at hand, or when the value was changed, moved, or is no sealed value at all; when the keys had to be read again
    /// and could not be.
    pub fn open(&self, binding: &Binding<'_>, sealed: &Sealed) -> Result<Secret> {
        match open_with(&self.keys().ring, binding, sealed) {
            Err(VaultError::UnknownKey { .. }) => {
                let ring = self.reload()?;
                open_with(&ring, binding, sealed)
            }
            opened => opened,
        }
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
            Ok(_) | Err(VaultError::Damaged) => Err(VaultError::SameIdOtherKey { id: proof.key_id() }),
            Err(error) => Err(error),
        }
    }

    fn keys(&self) -> Keys {
        self.keys.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// The keys as they are now, for sealing. Keys that cannot be read must not lose what is to be sealed, so those at hand are used then.
    fn latest(&self) -> Arc<KeyRing> {
        let Keys { ring, stamp } = self.keys();
        if self.source.as_ref().is_none_or(|source| source.stamp() == stamp) {
            return ring;
        }
        self.reload().unwrap_or_else(|error| {
            tracing::error!(%error, "the keys have changed and could not be taken over; sealing goes on with those at hand");
            ring
        })
    }

    /// Takes over the keys as they are now. The lock is held meanwhile, so that no older state ever takes the place of a newer one.
    ///
    /// # Errors
    /// When they cannot be read, or do not go on from the keys at hand; those stay then.
    fn reload(&self) -> Result<Arc<KeyRing>> {
        let mut keys = self.keys.write().unwrap_or_else(PoisonError::into_inner);
        let Some(source) = &self.source else { return Ok(Arc::clone(&keys.ring)) };
        let (stamp, ring) = (source.stamp(), source.read()?);
        if !ring.continues(&keys.ring) {
            return Err(VaultError::KeysReplaced { place: source.to_string(), active: keys.ring.active().id() });
        }
        *keys = Keys { ring: Arc::new(ring), stamp };
        Ok(Arc::clone(&keys.ring))
    }
}

fn open_with(ring: &KeyRing, binding: &Binding<'_>, sealed: &Sealed) -> Result<Secret> {
    let parts = sealed.parts().ok_or(VaultError::Damaged)?;
    let unknown = || VaultError::UnknownKey { needed: parts.key, held: ring.ids().collect() };
    let key = ring.find(parts.key).ok_or_else(unknown)?;
    let place = binding.associated_data(key.id());
    let payload = Payload { msg: parts.ciphertext, aad: &place };
    let text = key.cipher().decrypt(&XNonce::from(parts.nonce), payload);
    wipe_stack();
    into_secret(text.map_err(|_| VaultError::Damaged)?)
}

/// The cipher works on blocks of the text and of the key that it leaves on the stack, below the frame of whoever called it. This frame lies
/// over them.
#[inline(never)]
fn wipe_stack() {
    // Whole words: each byte by itself takes eight times as long.
    let mut space = [0_u64; 1024];
    space.zeroize();
}

/// What a proof holds. It needs not be secret.
const CHECK: &str = "connector-host vault check";

fn into_secret(text: Vec<u8>) -> Result<Secret> {
    String::from_utf8(text).map(Secret::new).map_err(|error| {
        error.into_bytes().zeroize();
        VaultError::Damaged
    })
}
