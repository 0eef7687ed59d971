//! A host as the command line makes it, for test programs that do nothing but refresh.

use std::path::PathBuf;
use std::sync::Arc;

use connector_core::http::{ReqwestTransport, Retry};
use connector_core::{Context, Error as CoreError, Registry, Secret};
use connector_host::store::{GrantId, GrantRecord, PostgresStore, SqliteStore, Store, StoreError};
use connector_host::vault::{Binding, KeySource, Vault, field, unlock};
use connector_host::{ConfigFiles, Emulated, Host, Opening, Realm, Result};

/// The platform whose refresh tokens work once.
pub const STRICT: &str = "tiktok";

/// Where the data of a host is, and the emulator it talks to.
#[derive(Clone, Debug)]
pub struct Place {
    /// Where the emulator runs.
    pub emulator: PathBuf,
    /// The data directory.
    pub data: PathBuf,
    /// The URL of the database, where it is not a file in the data directory.
    pub database: Option<String>,
}

/// A host, and a look into what it has stored.
#[derive(Debug)]
pub struct Rig {
    /// The host.
    pub host: Host,
    vault: Vault,
}

impl Place {
    /// Opens the host, and stores what an earlier process could not store.
    ///
    /// # Errors
    /// When the data cannot be used, or no emulator runs.
    pub async fn open(&self) -> Result<Rig> {
        let cx = Context::system(Arc::new(Retry::new(ReqwestTransport::new())));
        let registry = Registry::linked()?;
        let linked = registry.get(STRICT)?;
        let info = Emulated::open(linked, &self.emulator, &cx).await?.info;
        let realm = Realm::Emulated([(linked.id().clone(), info)].into());
        let store = self.store(&cx).await?;
        let keys = KeySource::in_dir(&self.data);
        let opening = Opening {
            settings: ConfigFiles::default().load(&registry)?.settings,
            registry,
            realm,
            keys: keys.clone(),
            spool: Some(self.data.join("spool")),
            store: Arc::clone(&store),
            cx: cx.clone(),
        };
        let host = Host::open(opening).await?.host;
        Ok(Rig { host, vault: unlock(&cx, &keys, &store).await?.vault })
    }

    async fn store(&self, cx: &Context) -> Result<Arc<dyn Store>, StoreError> {
        Ok(match &self.database {
            Some(url) => Arc::new(PostgresStore::open(cx, url).await?),
            None => Arc::new(SqliteStore::open(cx, &self.data).await?),
        })
    }
}

impl Rig {
    /// The row of a grant as it is.
    ///
    /// # Errors
    /// When there is none.
    pub async fn grant(&self, tenant: &str, grant: &GrantId) -> Result<GrantRecord> {
        let found = self.host.store().grant(tenant, grant).await?;
        Ok(found.ok_or_else(|| CoreError::config(format!("the grant {grant} is gone")))?)
    }

    /// The refresh token that is stored for a grant.
    ///
    /// # Errors
    /// When it does not open.
    pub fn refresh_token(&self, grant: &GrantRecord) -> Result<Option<Secret>> {
        let (tenant, owner) = (grant.tenant.as_str(), grant.id.as_str());
        let place = Binding { tenant, owner, field: field::REFRESH, generation: grant.generation };
        Ok(grant.refresh.as_ref().map(|sealed| self.vault.open(&place, sealed)).transpose()?)
    }
}
