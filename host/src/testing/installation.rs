//! A directory with everything of a host in it.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use connector_core::Context;
use tempfile::TempDir;

use super::{DatabaseFile, Example, Outcome, TENANT};
use crate::store::{AuditRecord, Ownership as _, SqliteStore, Store};
use crate::vault::{KeyFile, KeySource, Vault, unlock};
use crate::{Host, Opening, Realm};

/// A host's data directory and its configuration for [`Example`], gone when it is dropped. Whatever is opened on it is as another process
/// would have it.
///
/// ```
/// # use connector_core::testing::FakeTransport;
/// # use connector_host::testing::{Example, Installation, Outcome, TENANT, connect, connected};
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Outcome {
/// let platform = FakeTransport::default();
/// platform.answer(200, r#"{ "access_token": "access-1", "expires_in": 7200, "scope": "read" }"#);
/// platform.answer(200, r#"{ "id": "p1", "name": "Somebody", "followers": 7 }"#);
///
/// let installation = Installation::new(Example::default(), platform.context())?;
/// let host = installation.host().await?;
/// connect(&host).await?;
/// let grant = connected(&host).await?.connection.grant_id;
/// assert!(host.session(TENANT, &grant).await?.grant.tokens.access.matches("access-1"));
///
/// installation.file().run("DELETE FROM samples")?;
/// # Ok(())
/// # }
/// ```
#[derive(Debug)]
pub struct Installation {
    /// What it is configured for.
    pub example: Example,
    /// Transport, clock, randomness.
    pub cx: Context,
    parent: TempDir,
}

impl Installation {
    /// An empty one.
    pub fn new(example: Example, cx: Context) -> Outcome<Self> {
        Ok(Self { example, cx, parent: TempDir::new()? })
    }

    /// The directory around the data directory.
    pub fn parent(&self) -> &Path {
        self.parent.path()
    }

    /// The data directory.
    pub fn dir(&self) -> PathBuf {
        self.parent().join("data")
    }

    /// The file of the store.
    pub fn file(&self) -> DatabaseFile {
        DatabaseFile::in_dir(&self.dir())
    }

    /// The path of the keys.
    pub fn key_file(&self) -> PathBuf {
        self.dir().join(KeyFile::NAME)
    }

    /// Where the keys are.
    pub fn keys(&self) -> KeySource {
        KeySource::in_dir(self.dir())
    }

    /// The store.
    pub async fn store(&self) -> Outcome<Arc<SqliteStore>> {
        Ok(Arc::new(SqliteStore::open(&self.cx, &self.dir()).await?))
    }

    /// What the store is sealed with.
    pub async fn vault(&self) -> Outcome<Vault> {
        let store: Arc<dyn Store> = self.store().await?;
        Ok(unlock(&self.cx, &self.keys(), &store).await?.vault)
    }

    /// What a host is opened with.
    pub async fn opening(&self) -> Outcome<Opening> {
        Ok(Opening {
            registry: self.example.registry()?,
            settings: self.example.settings_in(self.parent())?,
            realm: Realm::Live,
            store: self.store().await?,
            keys: self.keys(),
            spool: Some(self.dir().join("spool")),
            cx: self.cx.clone(),
        })
    }

    /// A host.
    pub async fn host(&self) -> Outcome<Host> {
        Ok(Host::open(self.opening().await?).await?.host)
    }

    /// Somebody takes the store over for an installation named `elsewhere`.
    pub async fn adopted_elsewhere(&self) -> Outcome {
        let record = AuditRecord::new(&self.cx, TENANT, "store_adopted")?;
        Ok(self.store().await?.adopt(&"elsewhere".parse()?, &record).await?)
    }
}
