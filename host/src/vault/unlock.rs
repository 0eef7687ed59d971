//! The one way a host comes to its vault.

use std::path::PathBuf;
use std::sync::Arc;

use connector_core::{Context, Result};

use super::{IfMissing, KeySource, Rotation, Sealed, Vault, VaultError, key_file};
use crate::store::{Store, StoreError};

/// A vault whose keys are those of the store.
#[derive(Debug)]
pub struct Unlocked {
    /// The vault.
    pub vault: Vault,
    /// The key file, if it was made just now: whoever runs this should be told to keep a copy of it, apart from the database.
    pub made: Option<PathBuf>,
}

/// Makes sure that the keys are those that this proof was sealed with. Nothing is made.
///
/// # Errors
/// When the keys are missing, unsafe or others.
pub(crate) fn check_keys(source: &KeySource, proof: &Sealed) -> Result<(), VaultError> {
    Vault::new(source.read()?).verify(proof)
}

/// Reads the keys, makes their file if the store has never had any, and makes sure that they are this store's. Another instance's store
/// is only looked at.
///
/// # Errors
/// When the keys are missing, unsafe or another store's, or when somebody else is making the first ones; the store is unchanged then.
pub async fn unlock(cx: &Context, source: &KeySource, store: &Arc<dyn Store>) -> Result<Unlocked> {
    let check = store.vault_check().await?;
    if check.is_none() {
        store.check_ours().await?;
    }
    let is_new = check.is_none() && !store.has_sealed_rows().await?;
    let loaded = source.load(cx, if is_new { IfMissing::Create } else { IfMissing::Refuse })?;
    let made = loaded.made.clone();
    let vault = Vault::following(source.clone(), loaded);
    let Some(proof) = check else {
        take(cx, &vault, store.as_ref(), made.as_ref()).await?;
        return Ok(Unlocked { vault, made });
    };
    vault.verify(&proof)?;
    // Before anything is sealed with it, the key that seals is the one others are measured by: who lacks it shall know.
    if proof.key_id() != vault.key_ids().first().copied() && is_ours(store.as_ref()).await? {
        Rotation::new(cx, &vault, store.as_ref()).settle().await?;
    }
    Ok(Unlocked { vault, made })
}

/// Makes these the keys of a store that has none, unless somebody else was first. A key that was made in vain does not stay: it would only
/// be taken for the store's.
pub(super) async fn take(cx: &Context, vault: &Vault, store: &dyn Store, made: Option<&PathBuf>) -> Result<()> {
    if store.set_vault_check(None, &vault.prove(cx)?, None).await? {
        return Ok(());
    }
    let Some(theirs) = store.vault_check().await? else { return Ok(()) };
    match (vault.verify(&theirs), made) {
        (Err(VaultError::WrongKey { needed, .. }), Some(path)) => {
            key_file::remove(path)?;
            Err(VaultError::KeyMadeElsewhere { needed, path: path.clone() }.into())
        }
        (verified, _) => Ok(verified?),
    }
}

async fn is_ours(store: &dyn Store) -> Result<bool> {
    match store.check_ours().await {
        Err(StoreError::NotOurs { .. }) => Ok(false),
        checked => Ok(checked.map(|()| true)?),
    }
}
