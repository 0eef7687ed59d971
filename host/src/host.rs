//! The host: the connectors, their configuration, a store, a vault, and the tasks nobody may cancel.

use std::collections::BTreeMap;
use std::fmt;
use std::future::Future;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use connector_core::app::{App, PlatformId};
use connector_core::config::{PlatformSettings, Settings};
use connector_core::grant::BaseUrls;
use connector_core::{Connector, Context, Linked, Registry};
use tokio::sync::OnceCell;
use tokio_util::task::TaskTracker;

use crate::apps::Realm;
use crate::error::{Error, Result};
use crate::layers::account_scope;
use crate::refresh::InFlight;
use crate::spool::Spool;
use crate::store::{self, InstanceId, Store, StoreError};
use crate::vault::{Rotation, Vault};

/// Runs any linked connector. Cloning it is cheap, and every clone is the same host.
#[derive(Clone)]
pub struct Host(Arc<Inner>);

struct Inner {
    platforms: BTreeMap<PlatformId, ConfiguredPlatform>,
    registry: Registry,
    realm: Realm,
    store: Arc<dyn Store>,
    vault: Vault,
    cx: Context,
    tasks: TaskTracker,
    refreshes: InFlight,
    spool: Option<Spool>,
    unsaved: AtomicUsize,
    store_id: OnceCell<InstanceId>,
}

/// What a host is made of.
#[derive(Debug)]
pub struct Parts {
    /// The connectors.
    pub registry: Registry,
    /// The apps and scopes.
    pub settings: Settings,
    /// Where the apps are registered.
    pub realm: Realm,
    /// Where connections are kept.
    pub store: Arc<dyn Store>,
    /// What seals tokens.
    pub vault: Vault,
    /// Transport, clock, randomness.
    pub cx: Context,
    /// Where an answer rests that the store does not take. Without one it is in memory alone meanwhile.
    pub spool: Option<Spool>,
}

/// A linked platform with what the operator configured for it.
#[derive(Clone, Debug)]
pub struct ConfiguredPlatform {
    /// The connector's registration and protocol facts.
    pub linked: Linked,
    /// The operator's apps and scopes.
    pub settings: PlatformSettings,
    /// The connector, built with them.
    pub connector: Arc<dyn Connector>,
}

impl ConfiguredPlatform {
    /// Without the scope of the accounts' ids nobody can be connected, so every app requires it.
    fn new(linked: &Linked, mut settings: PlatformSettings) -> Self {
        let by_nature = account_scope(linked, &settings.catalogue).cloned();
        for app in settings.apps.values_mut() {
            app.wanted.required.extend(by_nature.clone());
        }
        let connector = linked.build(Arc::clone(&settings.catalogue));
        Self { linked: linked.clone(), settings, connector }
    }
}

impl Host {
    /// A host of these parts. Nothing is read or sent yet.
    pub fn new(parts: Parts) -> Self {
        let platforms = parts.registry.iter().filter_map(|linked| {
            let settings = parts.settings.platforms.get(linked.id())?.clone();
            Some((linked.id().clone(), ConfiguredPlatform::new(linked, settings)))
        });
        Self(Arc::new(Inner {
            platforms: platforms.collect(),
            registry: parts.registry,
            realm: parts.realm,
            store: parts.store,
            vault: parts.vault,
            cx: parts.cx,
            tasks: TaskTracker::new(),
            refreshes: InFlight::default(),
            spool: parts.spool,
            unsaved: AtomicUsize::new(0),
            store_id: OnceCell::new(),
        }))
    }

    /// A platform that is linked and configured.
    ///
    /// # Errors
    /// A platform that is not linked, with those that are; a linked one that no configuration mentions.
    pub fn platform(&self, id: &str) -> Result<&ConfiguredPlatform> {
        if let Some(platform) = self.0.platforms.get(id) {
            return Ok(platform);
        }
        Err(not_configured(self.0.registry.get(id)?).into())
    }

    /// Every platform that is linked and configured, by id.
    pub fn platforms(&self) -> impl Iterator<Item = &ConfiguredPlatform> {
        self.0.platforms.values()
    }

    /// An app of a platform, ready for use.
    ///
    /// # Errors
    /// An app that is not configured, or lacks its credentials.
    pub fn app(&self, platform: &str, name: &str) -> Result<App> {
        let platform = self.platform(platform)?;
        Ok(self.0.realm.app(&platform.linked, name, platform.settings.app(name)?)?)
    }

    /// The app that a grant was made with.
    ///
    /// # Errors
    /// As [`Host::app`], and when the app now talks to other origins or has another id: its grants are not sent there.
    pub(crate) fn app_at(
        &self,
        platform: &PlatformId,
        name: &str,
        client_id: &str,
        base_urls: &BaseUrls,
    ) -> Result<App> {
        let app = self.app(platform.as_str(), name)?;
        if app.base_urls != *base_urls || app.client_id != client_id {
            let message = format!(
                "this connection was made under another registration or at another address than the app `{name}` has now, so its tokens are not used; reconnect it"
            );
            return Err(connector_core::Error::config(message).into());
        }
        Ok(app)
    }

    /// The store.
    pub fn store(&self) -> &dyn Store {
        self.0.store.as_ref()
    }

    /// Which store it is, read once.
    pub(crate) async fn store_id(&self) -> store::Result<&InstanceId> {
        self.0.store_id.get_or_try_init(|| self.store().instance_id()).await
    }

    /// Whether the store is this instance's. Else it is only looked at.
    pub(crate) async fn is_ours(&self) -> store::Result<bool> {
        match self.store().check_ours().await {
            Err(StoreError::NotOurs { .. }) => Ok(false),
            checked => checked.map(|()| true),
        }
    }

    /// Transport, clock, randomness.
    pub fn context(&self) -> &Context {
        &self.0.cx
    }

    /// What changes the keys its tokens are sealed with, while it runs.
    pub fn rotation(&self) -> Rotation<'_> {
        Rotation::new(self.context(), self.vault(), self.store())
    }

    pub(crate) fn vault(&self) -> &Vault {
        &self.0.vault
    }

    pub(crate) fn refreshes(&self) -> &InFlight {
        &self.0.refreshes
    }

    pub(crate) fn spool(&self) -> Option<&Spool> {
        self.0.spool.as_ref()
    }

    /// How many answers the store has failed to take and is tried with again. A host that is well has none.
    pub fn unsaved(&self) -> usize {
        self.0.unsaved.load(Ordering::Relaxed)
    }

    /// Counts an answer that is not stored, until the count is dropped.
    pub(crate) fn count_unsaved(&self) -> Unsaved {
        self.0.unsaved.fetch_add(1, Ordering::Relaxed);
        Unsaved(self.clone())
    }

    /// Runs work that must not stop half-way because whoever asked for it went away.
    ///
    /// # Errors
    /// What the work says, or that it panicked.
    pub(crate) async fn detached<T: Send + 'static>(
        &self,
        work: impl Future<Output = Result<T>> + Send + 'static,
    ) -> Result<T> {
        let done = self.0.tasks.spawn(work).await;
        // What a panic says may hold anything, so it is not repeated.
        done.unwrap_or_else(|_| Err(Error::Machine("an inner task failed; please report it".to_owned())))
    }

    /// The same for work that nobody waits for here.
    pub(crate) fn spawn(&self, work: impl Future<Output = ()> + Send + 'static) {
        self.0.tasks.spawn(work);
    }

    /// Waits until every piece of detached work is done. A program calls this before it exits.
    pub async fn drain(&self) {
        self.0.tasks.close();
        self.0.tasks.wait().await;
    }
}

/// An answer that is not stored.
#[derive(Debug)]
pub(crate) struct Unsaved(Host);

impl Drop for Unsaved {
    fn drop(&mut self) {
        self.0.0.unsaved.fetch_sub(1, Ordering::Relaxed);
    }
}

/// A platform that is linked, and that no configuration mentions.
pub(crate) fn not_configured(linked: &Linked) -> connector_core::Error {
    let (name, id) = (linked.name(), linked.id());
    connector_core::Error::config(format!(
        "{name} is linked but not configured: the configuration has no [platforms.{id}]"
    ))
}

impl fmt::Debug for Host {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Host").field("platforms", &self.0.platforms.keys()).finish_non_exhaustive()
    }
}
