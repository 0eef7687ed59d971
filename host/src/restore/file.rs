//! Restores a backup of a store in a file.

use std::path::{Path, PathBuf};

use connector_core::{Context, Registry};
use jiff::{SignedDuration, Timestamp};
use serde_json::json;

use super::carry::{Carried, Grants, carry_over};
use super::ended::{
    end_again, only_before, purge_again, revoke_keys_again, take_receivers, take_revocations, take_users,
};
use super::{Doubted, Rotating, audit, put_in_doubt};
use crate::error::{Error, Result};
use crate::store::{
    ConnectLinks as _, ConnectionRecord, Flows as _, GrantRecord, Idempotency as _, InstanceName, Meta as _,
    Ownership as _, Purges as _, Replacement, Sessions as _, SqliteStore, Store, StoreError,
};
use crate::vault::{KeySource, Vault};

/// Nobody is at a token of a restored store: no other process has it open. So no token has to rest.
const RESTED: SignedDuration = SignedDuration::from_hours(1);

/// How the name of a store begins that was kept aside.
const ASIDE: &str = "store.db.before-restore-";

/// What is to be restored, and where.
#[derive(Clone, Debug)]
pub struct Restore<'a> {
    /// The data directory.
    pub dir: &'a Path,
    /// The backup.
    pub file: &'a Path,
    /// Where the keys of the vault come from.
    pub keys: &'a KeySource,
    /// The name of this process' instance.
    pub name: Option<InstanceName>,
    /// Whose the record of it is.
    pub tenant: &'a str,
    /// Whether the backup may be of another store than the one that is there.
    pub other_instance: bool,
}

/// What a restore found and did.
#[derive(Debug)]
pub struct Restored {
    /// Whether the store that was there could be compared with the backup.
    pub compared: bool,
    /// The grants that go on from where they were in the store that was there.
    pub carried_over: Vec<Carried>,
    /// The grants whose refresh tokens may be spent.
    pub in_doubt: Vec<Doubted>,
    /// The live grants that the backup does not have. Their access lives on at the platform, and nothing here knows it.
    pub forgotten: Vec<GrantRecord>,
    /// The connections that had been disconnected since, and stay so.
    pub kept_disconnected: Vec<ConnectionRecord>,
    /// The connections that had been purged since, and were purged again.
    pub purged_again: Vec<ConnectionRecord>,
    /// The connections of the restored store.
    pub connections: Vec<ConnectionRecord>,
    /// Where the store that was there is kept.
    pub kept_aside: Option<PathBuf>,
    /// Whose the restored store is.
    pub owner: Option<InstanceName>,
}

/// The stores that restores have kept aside in a data directory.
///
/// # Errors
/// When the directory cannot be read.
pub fn stores_kept_aside(dir: &Path) -> Result<Vec<PathBuf>> {
    let cannot_read = |source| Error::Store(StoreError::Io { doing: "read", path: dir.to_owned(), source });
    let mut kept = Vec::new();
    for entry in dir.read_dir().map_err(cannot_read)? {
        let entry = entry.map_err(cannot_read)?;
        if entry.file_name().to_str().is_some_and(|name| name.starts_with(ASIDE)) {
            kept.push(entry.path());
        }
    }
    kept.sort();
    Ok(kept)
}

/// Puts a backup in place of the store of a data directory, takes over what that one knows of the time since, and puts in doubt what
/// nobody knows.
///
/// # Errors
/// When the store is in use or another instance's; when the file is not a sound backup, is of another store, or was sealed with other keys
/// than the data directory has. Nothing has changed then.
pub async fn restore(cx: &Context, registry: &Registry, order: &Restore<'_>) -> Result<Restored> {
    let mut replacement = Replacement::prepare(cx, order.dir, order.file).await?;
    let vault = open_vault(order.keys, &replacement.restored).await?;
    if let Some(present) = replacement.present.take() {
        let present = present.under(order.name.clone());
        present.check_ours().await?;
        replacement.present = Some(present);
    }
    let comparable = is_comparable(order, &replacement).await?;
    let owner = match replacement.present.as_ref().filter(|_| comparable) {
        Some(present) => present.owner().await?,
        None => replacement.restored.owner().await?,
    };
    replacement.restored = give_to(cx, order, replacement.restored, owner.as_ref()).await?;

    let restored = &replacement.restored;
    let present = replacement.present.as_ref().filter(|_| comparable);
    let present = present.map(|present| present as &dyn Store);
    let mut outcome = reconcile(cx, &Rotating::of(registry), &vault, restored, present).await?;
    outcome.owner = owner;
    restored.prune_flows(Timestamp::MAX).await?;
    restored.prune_connect_links(Timestamp::MAX).await?;
    restored.prune_requests(Timestamp::MAX).await?;
    restored.prune_sessions(Timestamp::MAX, Timestamp::MAX).await?;
    note(cx, order, restored, &outcome).await?;
    restored.shred().await?;
    let aside = format!("{ASIDE}{}", cx.now().strftime("%Y%m%dT%H%M%SZ"));
    outcome.kept_aside = replacement.commit(&aside).await?;
    Ok(outcome)
}

/// Brings a restored store to what is known of the time since.
async fn reconcile(
    cx: &Context,
    rotating: &Rotating,
    vault: &Vault,
    restored: &dyn Store,
    present: Option<&dyn Store>,
) -> Result<Restored> {
    let (mut before, mut forgotten) = (None, Vec::new());
    let (mut kept_disconnected, mut purged_again) = (Vec::new(), Vec::new());
    if let Some(present) = present {
        let grants: Grants = present.every_grant().await?.into_iter().map(|grant| (grant.id.clone(), grant)).collect();
        forgotten = only_before(&grants, &restored.every_grant().await?);
        kept_disconnected = end_again(cx, restored, present, &grants).await?;
        purged_again = purge_again(cx, restored, present).await?;
        take_revocations(cx, restored, present).await?;
        revoke_keys_again(cx, restored, present).await?;
        take_receivers(cx, restored, present).await?;
        take_users(cx, restored, present).await?;
        before = Some(grants);
    }
    let (carried_over, suspects) = carry_over(cx, restored, before.as_ref(), vault, rotating).await?;
    Ok(Restored {
        compared: before.is_some(),
        carried_over,
        in_doubt: put_in_doubt(cx, restored, suspects, RESTED).await?,
        forgotten,
        kept_disconnected,
        purged_again,
        connections: restored.every_connection().await?,
        kept_aside: None,
        owner: None,
    })
}

/// The vault of the keys at hand, with which what is in the backup must open.
async fn open_vault(keys: &KeySource, restored: &SqliteStore) -> Result<Vault> {
    let proof = restored.vault_check().await?;
    let vault = Vault::new(keys.read()?);
    if let Some(proof) = proof {
        vault.verify(&proof)?;
    }
    Ok(vault)
}

/// Whether the store that is there is an earlier or later state of the backup.
async fn is_comparable(order: &Restore<'_>, replacement: &Replacement) -> Result<bool> {
    let Some(present) = &replacement.present else { return Ok(false) };
    let (theirs, ours) = (replacement.restored.instance_id().await?, present.instance_id().await?);
    if theirs != ours && !order.other_instance {
        let why = format!(
            "is a backup of another store ({theirs}) than the one that is there ({ours}): choose the data directory it is of, or pass --other-instance to put it here all the same"
        );
        return Err(Error::Store(StoreError::Unfit { path: order.file.to_owned(), why }));
    }
    Ok(theirs == ours)
}

/// The store belongs to whom it belonged last, also when that was somebody else when the backup was made.
async fn give_to(
    cx: &Context,
    order: &Restore<'_>,
    restored: SqliteStore,
    owner: Option<&InstanceName>,
) -> Result<SqliteStore> {
    let before = restored.owner().await?;
    if let Some(owner) = owner.filter(|owner| before.as_ref() != Some(owner)) {
        let detail =
            json!({ "from": before.as_ref().map(InstanceName::as_str), "to": owner.as_str(), "because": "restored" });
        restored.adopt(owner, &audit(cx, order.tenant, "store_adopted", &detail)?).await?;
    }
    let owner = owner.cloned().or(before);
    Ok(restored.under(owner))
}

async fn note(cx: &Context, order: &Restore<'_>, restored: &dyn Store, outcome: &Restored) -> Result<()> {
    let detail = json!({
        "file": order.file.display().to_string(),
        "compared": outcome.compared,
        "carried_over": outcome.carried_over.len(),
        "in_doubt": outcome.in_doubt.len(),
        "forgotten": outcome.forgotten.iter().map(|grant| grant.id.as_str()).collect::<Vec<_>>(),
        "kept_disconnected": outcome.kept_disconnected.len(),
        "purged_again": outcome.purged_again.len(),
    });
    Ok(restored.append_audit(&audit(cx, order.tenant, "restored", &detail)?).await?)
}
