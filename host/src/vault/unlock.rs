//! The one way a host comes to its vault.

use std::path::PathBuf;
use std::sync::Arc;

use connector_core::{Context, Result};

#[cfg(feature = "cli")]
use super::Sealed;
use super::{IfMissing, KeySource, Rotation, Vault};
use crate::store::Store;

/// A vault whose keys are those of the store.
#[derive(Debug)]
pub struct Unlocked {
    /// The vault.
    pub vault: Vault,
    /// The key file, if it was made just now: whoever runs this should be told to keep a copy of it, apart from the database.
    pub made: Option<PathBuf>,
}

/// Makes sure that the keys are those that this proof was sealed with. None are made.
///
/// # Errors
/// When the keys are missing, unsafe or others.
#[cfg(feature = "cli")]
pub(crate) fn check_keys(cx: &Context, source: &KeySource, proof: &Sealed) -> Result<()> {
    Ok(Vault::new(source.load(cx, IfMissing::Refuse)?.ring).verify(proof)?)
}

/// Reads the keys, makes their file if nothing has been sealed yet, and makes sure that they are this store's.
///
/// # Errors
/// When the keys are missing, unsafe or another store's; the store is unchanged then.
pub async fn unlock(cx: &Context, source: &KeySource, store: &Arc<dyn Store>) -> Result<Unlocked> {
    let if_missing = if store.has_sealed_rows().await? { IfMissing::Refuse } else { IfMissing::Create };
    let loaded = source.load(cx, if_missing)?;
    let made = loaded.made.clone();
    let vault = Vault::following(source.clone(), loaded);
    match store.vault_check().await? {
        Some(proof) if made.is_none() => {
            vault.verify(&proof)?;
            // Before anything is sealed with it, the key that seals is the one others are measured by: who lacks it shall know.
            if proof.key_id() != vault.key_ids().first().copied() {
                Rotation::new(cx, &vault, store.as_ref()).settle().await?;
            }
        }
        _ => store.set_vault_check(&vault.prove(cx)?).await?,
    }
    Ok(Unlocked { vault, made })
}
