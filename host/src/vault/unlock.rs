//! The one way a host comes to its vault.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use connector_core::{Context, Result};

use super::{IfMissing, KeyFile, Vault};
use crate::store::Store;

/// A vault whose keys are those of the store.
#[derive(Debug)]
pub struct Unlocked {
    /// The vault.
    pub vault: Vault,
    /// The key file, if it was made just now: whoever runs this should be told to keep a copy of it, apart from the database.
    pub made: Option<PathBuf>,
}

/// Reads the key file of a data directory, makes it if nothing has been sealed yet, and makes sure that it is this store's.
///
/// # Errors
/// When the key file is missing, unsafe or another store's; the store is unchanged then.
pub async fn unlock(cx: &Context, dir: &Path, store: &Arc<dyn Store>) -> Result<Unlocked> {
    let if_missing = if store.has_sealed_rows().await? { IfMissing::Refuse } else { IfMissing::Create };
    let KeyFile { path, ring, made } = KeyFile::load_or_create(cx, dir, if_missing)?;
    let vault = Vault::new(ring);
    match store.vault_check().await? {
        Some(proof) if !made => vault.verify(&proof)?,
        _ => store.set_vault_check(&vault.prove(cx)?).await?,
    }
    Ok(Unlocked { vault, made: made.then_some(path) })
}
