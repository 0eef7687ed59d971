//! The keys that programs show the API: making them, taking them back, and telling whether one is good.

mod right;
mod secret;

use std::collections::BTreeSet;

use connector_core::{Context, Secret};
use jiff::{SignedDuration, Timestamp};
use serde_json::json;

pub use self::right::Right;
#[cfg(feature = "web")]
pub(crate) use self::secret::is_well_formed;
use crate::error::{Error, Result};
use crate::host::Host;
use crate::store::{ApiKeyId, ApiKeyRecord, ApiKeyState, AuditRecord, StoreError, WHOLE_STORE};

/// How many characters the name of a key may have.
const LONGEST_NAME: usize = 100;

/// The word of the record of a key that was taken back.
pub(crate) const REVOKED: &str = "api_key_revoked";

/// A key that is to be made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewApiKey {
    /// What people call it, such as `shop-backend`: up to 100 characters in one line, and nothing that reads as an id.
    pub name: String,
    /// For whose connections it is. `None` makes the key of a server, which names the tenant with every request.
    pub tenant: Option<String>,
    /// What it allows: at least one thing.
    pub rights: BTreeSet<Right>,
    /// How long it is good, from when it is made. `None` for a key that is good until it is revoked.
    pub life: Option<SignedDuration>,
}

impl Host {
    /// Makes a key for a program. Its secret exists in the result alone: the store keeps a digest, and nobody can show it again.
    ///
    /// # Errors
    /// A name that is none or that an active key has; no right; a life of no length; a store that is another instance's or cannot be
    /// written.
    pub async fn create_api_key(&self, new: NewApiKey) -> Result<(ApiKeyRecord, Secret)> {
        let (cx, secret) = (self.context(), secret::fresh(self.context())?);
        check(&new)?;
        let NewApiKey { name, tenant, rights, life } = new;
        let (id, created_at) = (ApiKeyId::new(cx)?, cx.now());
        let expires_at = life.map(|life| created_at.saturating_add(life).unwrap_or(Timestamp::MAX));
        let digest = secret.digest();
        let key = ApiKeyRecord { id, name, tenant, rights, digest, created_at, expires_at, revoked_at: None };
        let record = record(cx, "api_key_created", &key, None)?.by(self.actor());
        if self.store().put_api_key(&key, &record).await? {
            return Ok((key, secret));
        }
        Err(Error::Request(format!(
            "there is an active API key of the name `{}` already: choose another name, or revoke that one first",
            key.name
        )))
    }

    /// All keys there ever were, of every tenant, the oldest first.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub async fn api_keys(&self) -> Result<Vec<ApiKeyRecord>> {
        Ok(self.store().api_keys().await?)
    }

    /// Takes a key back for good: whoever shows it from now on is not let in. False when that had been done before.
    ///
    /// # Errors
    /// An unknown key; a store that is another instance's or cannot be written.
    pub async fn revoke_api_key(&self, id: &ApiKeyId) -> Result<bool> {
        let keys = self.store().api_keys().await?;
        let key = keys.into_iter().find(|key| key.id == *id);
        let key = key.ok_or_else(|| StoreError::NotFound { what: "API key", id: id.to_string() })?;
        let record = record(self.context(), REVOKED, &key, None)?.by(self.actor());
        Ok(self.store().revoke_api_key(id, self.context().now(), &record).await?)
    }

    /// The active key of a secret that a program shows. `None` for one that is unknown, expired or revoked, and for a text that is no
    /// secret of a key, for which the store is not asked.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub async fn api_key(&self, secret: &Secret) -> Result<Option<ApiKeyRecord>> {
        if !secret::is_well_formed(secret) {
            return Ok(None);
        }
        let key = self.store().api_key_by_digest(&secret.digest()).await?;
        Ok(key.filter(|key| key.state(self.context().now()) == ApiKeyState::Active))
    }
}

/// What goes on record of what becomes of a key, and for what reason, where nobody asked for it.
///
/// # Errors
/// When the context has no randomness to give.
pub(crate) fn record(cx: &Context, event: &str, key: &ApiKeyRecord, because: Option<&str>) -> Result<AuditRecord> {
    let rights: Vec<&str> = key.rights.iter().map(|right| right.as_str()).collect();
    let mut detail = json!({ "api_key": key.id.as_str(), "rights": rights });
    if let Some(because) = because {
        detail["because"] = because.into();
    }
    let tenant = key.tenant.as_deref().unwrap_or(WHOLE_STORE);
    Ok(AuditRecord::new(cx, tenant, event)?.with(&detail))
}

fn check(new: &NewApiKey) -> Result<()> {
    let refuse = |why: &str| Err(Error::Request(why.to_owned()));
    let name = new.name.as_str();
    if name.is_empty() || name.trim() != name || name.chars().count() > LONGEST_NAME || name.contains(char::is_control)
    {
        return refuse("the name of an API key is one line of 1 to 100 characters, without a space at either end");
    }
    if name.parse::<ApiKeyId>().is_ok() {
        return refuse("the name of an API key is nothing that reads as an id");
    }
    if new.tenant.as_ref().is_some_and(String::is_empty) {
        return refuse("no tenant is named by the empty text");
    }
    if new.rights.is_empty() {
        return refuse("an API key allows at least one thing");
    }
    if new.life.is_some_and(|life| life <= SignedDuration::ZERO) {
        return refuse("an API key expires in the future");
    }
    Ok(())
}
