//! Whether the keys are those that the tokens are sealed with.

use super::store::unreadable;
use super::{Finding, Installation, Kind};
use crate::error::Result;
use crate::store::Store;
use crate::vault::{KeyId, KeyRing, KeySource, VaultError, check_keys};

pub(super) async fn look(installation: &Installation) -> Vec<Finding> {
    let source = match &installation.keys {
        Ok(source) => source,
        Err(error) => {
            let fix = "leave one of --vault-key or CONNECTOR_VAULT_KEY_FILE, CONNECTOR_VAULT_KEY and the systemd credential `vault.key`; unset the others";
            return vec![Finding::new(Kind::KeysNamedTwice, error.to_string(), fix)];
        }
    };
    match against_store(installation, source).await {
        Ok(findings) => findings,
        Err(error) => vec![unreadable(installation, &error)],
    }
}

async fn against_store(installation: &Installation, source: &KeySource) -> Result<Vec<Finding>> {
    let store = installation.open_store();
    let ring = match source.read() {
        Ok(ring) => ring,
        Err(VaultError::KeyFileMissing { path }) => {
            let is_needed = match store {
                Some(store) => store.vault_check().await?.is_some() || store.has_sealed_rows().await?,
                None => false,
            };
            return Ok(is_needed.then(|| missing(source).at_path(&path)).into_iter().collect());
        }
        // Told of with the other files.
        Err(VaultError::File(_)) => return Ok(Vec::new()),
        Err(error) => return Ok(vec![malformed(source, &error)]),
    };
    match store {
        Some(store) => Ok(of_ring(installation, source, store.as_ref(), &ring).await?),
        None => Ok(Vec::new()),
    }
}

fn missing(source: &KeySource) -> Finding {
    let what = format!("tokens are sealed with a key, and {source} is not there");
    let fix = format!(
        "put your copy of the key file back at {source}, with mode 600; without it every account has to be connected again"
    );
    Finding::new(Kind::KeyMissing, what, fix)
}

fn malformed(source: &KeySource, error: &VaultError) -> Finding {
    let fix = format!("put your copy of the keys back at {source}: a line for each, `<key id> <key in base64>`");
    Finding::new(Kind::KeyUnreadable, error.to_string(), fix)
}

async fn of_ring(
    installation: &Installation,
    source: &KeySource,
    store: &dyn Store,
    ring: &KeyRing,
) -> Result<Vec<Finding>> {
    if let Some(proof) = store.vault_check().await?
        && let Err(error) = check_keys(source, &proof)
    {
        let fix = format!(
            "put the keys of this store back at {source}, or name the data directory that these keys belong to with --data-dir"
        );
        return Ok(vec![Finding::new(Kind::KeyOther, error.to_string(), fix)]);
    }
    let mut findings = Vec::new();
    for count in store.count_sealed().await? {
        let Some(key) = count.key.filter(|key| ring.ids().next() != Some(*key)) else { continue };
        let is_held = ring.ids().any(|held| held == key);
        findings.push(if is_held {
            older(installation, key, count.values)
        } else {
            lacking(source, key, count.values)
        });
    }
    Ok(findings)
}

fn older(installation: &Installation, key: KeyId, values: u64) -> Finding {
    let what = format!("{values} values are still sealed with the older key {key}");
    let rotate = installation.command("vault rotate --resume");
    Finding::new(Kind::KeyOlder, what, format!("`{rotate}` seals them anew"))
}

fn lacking(source: &KeySource, key: KeyId, values: u64) -> Finding {
    let what = format!("{values} values are sealed with the key {key}, which is not at hand");
    let fix = format!(
        "put the line of the key {key} back at {source}, behind the others; otherwise those accounts have to be connected again"
    );
    Finding::new(Kind::KeyMissing, what, fix)
}
