//! A new key for everything that is sealed, while hosts run.
//!
//! The order is what makes it safe. The key file comes first, so that whoever meets a value of the new key finds the key; then the check
//! by which a start recognises its keys; then the values. To be ended at any moment leaves a state in which everything opens, and from
//! which [`Rotation::reseal`] goes on. A host that runs meanwhile reads the file before it seals, so what it writes later is under the new
//! key as well.

use std::path::Path;

use connector_core::{Context, Result};

use super::key::KeyRing;
use super::{Binding, KeyId, Sealed, Vault, VaultError, key_file};
use crate::store::{AuditRecord, Resealed, SEALED_TABLES, SealedRow, Store, WHOLE_STORE};

/// How many rows are sealed anew in one transaction: few enough that nobody waits long for it.
const BATCH: u32 = 100;

const ADDED: &str = "vault_key_added";
const RETIRED: &str = "vault_key_retired";

/// Changes the keys of a store that hosts are working with.
#[derive(Clone, Copy, Debug)]
pub struct Rotation<'a> {
    cx: &'a Context,
    vault: &'a Vault,
    store: &'a dyn Store,
}

/// How a key stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Standing {
    /// It seals.
    Active,
    /// It opens what was sealed with it earlier.
    Older,
    /// It is not at hand, and what was sealed with it does not open.
    Missing,
}

/// What a key is used for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct KeyUse {
    /// The key; `None` stands for stored bytes that are no sealed value.
    pub key: Option<KeyId>,
    /// How it stands.
    pub standing: Standing,
    /// How many stored values are sealed with it.
    pub values: u64,
}

/// How far sealing anew has come.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Progress {
    /// How many rows are under the active key now that were not.
    pub rows: u64,
    /// How many values do not open under the key they name, and stay as they are.
    pub unopened: u64,
}

impl<'a> Rotation<'a> {
    /// Of the keys of this store's vault.
    pub fn new(cx: &'a Context, vault: &'a Vault, store: &'a dyn Store) -> Self {
        Self { cx, vault, store }
    }

    /// Each key at hand, the active one first, and each that a stored value names.
    ///
    /// # Errors
    /// When the keys or the store cannot be read.
    pub async fn keys(self) -> Result<Vec<KeyUse>> {
        let counts = self.store.count_sealed().await?;
        let values = |id| counts.iter().find(|count| count.key == id).map_or(0, |count| count.values);
        let ring = self.vault.reload()?;
        let standing = |index| if index == 0 { Standing::Active } else { Standing::Older };
        let held = ring.ids().enumerate().map(|(index, id)| (Some(id), standing(index)));
        let missing = counts.iter().map(|count| count.key).filter(|key| key.is_none_or(|id| ring.find(id).is_none()));
        let all = held.chain(missing.map(|key| (key, Standing::Missing)));
        Ok(all.map(|(key, standing)| KeyUse { key, standing, values: values(key) }).collect())
    }

    /// Adds a key to the key file, which seals from now on. What is sealed already is left for [`Rotation::reseal`].
    ///
    /// # Errors
    /// When the keys are in no file that this program may write, when somebody else is changing them, or when the file cannot be replaced.
    pub async fn add_key(self) -> Result<KeyId> {
        let path = self.vault.writable()?;
        let _lock = key_file::lock(&path)?;
        let ring = self.vault.reload()?.with_fresh_key(self.cx)?;
        key_file::replace(&path, &ring)?;
        self.vault.reload()?;
        self.take_over().await?;
        Ok(ring.active().id())
    }

    /// Writes the line of a fresh key to a new file that is for this user alone, for keys that this program cannot write where they are.
    ///
    /// # Errors
    /// When there is such a file already, or when it cannot be made.
    pub fn write_key(self, path: &Path) -> Result<KeyId> {
        let ring = self.vault.reload()?.with_fresh_key(self.cx)?;
        if key_file::write_new(path, &ring.active().to_line())? {
            return Ok(ring.active().id());
        }
        Err(connector_core::Error::config(format!("there is a file `{}` already: name a new one", path.display())))
    }

    /// Seals everything anew that is not under the active key. To be dropped on the way, or killed, costs nothing: the next one goes on.
    ///
    /// # Errors
    /// When the keys or the store fail. What was done stays.
    pub async fn reseal(self, mut tell: impl FnMut(Progress)) -> Result<Progress> {
        self.settle().await?;
        let mut done = Progress::default();
        // Hosts go on meanwhile. The end is when a whole pass finds nothing to do.
        while self.pass(&mut done, &mut tell).await? {}
        Ok(done)
    }

    /// Takes an older key away that nothing is sealed with any more.
    ///
    /// # Errors
    /// When the key is active or unknown, when values still use it, or as for [`Rotation::add_key`].
    pub async fn retire(self, key: KeyId) -> Result<()> {
        let path = self.vault.writable()?;
        let _lock = key_file::lock(&path)?;
        let ring = self.vault.reload()?;
        self.expect_retirable(key).await?;
        self.take_over().await?;
        key_file::replace(&path, &ring.without(key))?;
        // From here on nobody seals with it. A value that was sealed before the rotation and is written only now is found here.
        if let Err(still_used) = self.expect_unused(key).await {
            key_file::replace(&path, &ring)?;
            return Err(still_used);
        }
        self.vault.reload()?;
        Ok(self.store.append_audit(&self.record(RETIRED, key)?).await?)
    }

    /// Makes sure that an older key is not needed any more, as far as the store knows.
    ///
    /// # Errors
    /// When the key is active or unknown, or when values still use it.
    pub async fn expect_retirable(self, key: KeyId) -> Result<()> {
        let ring = self.vault.reload()?;
        expect_older(&ring, key)?;
        self.expect_unused(key).await
    }

    /// Finishes what a rotation that was cut off left, up to the values. Whoever is rotating right now does that himself.
    pub(super) async fn settle(&self) -> Result<()> {
        let active = self.vault.key_ids().first().copied();
        if self.store.vault_check().await?.and_then(|check| check.key_id()) == active {
            return Ok(());
        }
        match self.vault.writable().and_then(|path| key_file::lock(&path)) {
            Ok(_lock) => self.take_over().await,
            Err(VaultError::KeysBusy { .. }) => Ok(()),
            // Keys that this program cannot write are changed by no rotation either.
            Err(VaultError::NotWritable { .. } | VaultError::File(_)) => self.take_over().await,
            Err(error) => Err(error.into()),
        }
    }

    /// Makes the active key the one a start is recognised by, and puts it on record, if that is still to be done. Keys that are not this
    /// store's take nothing over.
    async fn take_over(&self) -> Result<()> {
        loop {
            let active = self.vault.reload()?.active().id();
            let seen = self.store.vault_check().await?;
            if seen.as_ref().and_then(Sealed::key_id) == Some(active) {
                return Ok(());
            }
            if let Some(seen) = &seen {
                self.vault.verify(seen)?;
            }
            let (check, record) = (self.vault.prove(self.cx)?, self.record(ADDED, active)?);
            if self.store.set_vault_check(seen.as_ref(), &check, Some(&record)).await? {
                return Ok(());
            }
        }
    }

    /// One walk over all rows. Says whether any was changed.
    async fn pass(&self, done: &mut Progress, tell: &mut impl FnMut(Progress)) -> Result<bool> {
        let active = self.vault.reload()?.active().id();
        let (before, mut last) = (done.rows, None);
        done.unopened = 0;
        loop {
            let rows = self.store.sealed_otherwise(active, last.as_ref(), BATCH).await?;
            let Some(row) = rows.last() else { return Ok(done.rows > before) };
            last = Some(row.row.clone());
            let mut batch = Vec::new();
            for old in rows {
                let new = self.anew(&old, active, &mut done.unopened)?;
                if new != old.values {
                    batch.push(Resealed { old, new });
                }
            }
            if !batch.is_empty() {
                done.rows += self.store.reseal(&batch).await?;
            }
            tell(*done);
        }
    }

    /// The values of a row under the active key; those that do not open as they are.
    fn anew(&self, row: &SealedRow, active: KeyId, unopened: &mut u64) -> Result<Vec<Option<Sealed>>> {
        let columns = SEALED_TABLES.get(row.row.table).map_or(&[][..], |table| table.columns);
        let mut new = Vec::with_capacity(row.values.len());
        for (value, (_, field)) in row.values.iter().zip(columns) {
            let binding = Binding { tenant: &row.tenant, owner: &row.row.id, field, generation: row.generation };
            new.push(match value {
                Some(value) if value.key_id() != Some(active) => match self.vault.open(&binding, value) {
                    Ok(secret) => Some(self.vault.seal(self.cx, &binding, &secret)?),
                    Err(VaultError::Damaged | VaultError::UnknownKey { .. }) => {
                        *unopened += 1;
                        Some(value.clone())
                    }
                    Err(error) => return Err(error.into()),
                },
                settled => settled.clone(),
            });
        }
        Ok(new)
    }

    async fn expect_unused(&self, key: KeyId) -> Result<()> {
        let counts = self.store.count_sealed().await?;
        match counts.into_iter().find(|count| count.key == Some(key)) {
            Some(count) if count.values > 0 => Err(VaultError::KeyInUse { key, values: count.values }.into()),
            _ => Ok(()),
        }
    }

    fn record(&self, event: &str, key: KeyId) -> Result<AuditRecord> {
        let record = AuditRecord::new(self.cx, WHOLE_STORE, event)?;
        Ok(record.with(&serde_json::json!({ "key": key.to_string() })))
    }
}

impl Vault {
    /// The key file, if this program may replace it.
    fn writable(&self) -> super::Result<std::path::PathBuf> {
        let nowhere = || VaultError::NotWritable { place: "memory".to_owned() };
        self.source.as_ref().ok_or_else(nowhere)?.writable()
    }
}

fn expect_older(ring: &KeyRing, key: KeyId) -> super::Result<()> {
    let why = match ring.find(key) {
        Some(_) if ring.active().id() == key => "is the active one and stays",
        Some(_) => return Ok(()),
        None => "is not at hand",
    };
    Err(VaultError::NoOlderKey { key, why, held: ring.ids().collect() })
}
