//! The host: the connectors, their configuration, a store, a vault, and the tasks nobody may cancel.

#[cfg(feature = "cli")]
use std::collections::BTreeMap;
use std::fmt;
use std::future::Future;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, PoisonError, RwLock};

use connector_core::app::{App, PlatformId};
use connector_core::config::{Change, Settings};
use connector_core::grant::BaseUrls;
use connector_core::{Context, Linked, Registry};
use tokio::sync::{Notify, OnceCell};
use tokio_util::task::TaskTracker;
#[cfg(feature = "cli")]
use url::Url;

use crate::apps::Realm;
use crate::configuration::{Configuration, ConfiguredPlatform};
use crate::error::{Error, Result};
use crate::refresh::InFlight;
use crate::spool::Spool;
use crate::store::{self, Actor, GrantRecord, InstanceId, Store, StoreError};
use crate::vault::{Rotation, Vault};

/// Runs any linked connector. Cloning it is cheap, and every clone is the same host.
#[derive(Clone)]
pub struct Host {
    inner: Arc<Inner>,
    /// The configuration of a call that is under way, so that it ends with the one it began with.
    pinned: Option<Arc<Configuration>>,
    /// Who has this clone do what it does.
    actor: Option<Actor>,
}

struct Inner {
    configuration: RwLock<Arc<Configuration>>,
    reconfigured: Notify,
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

impl Host {
    /// A host of these parts. Nothing is read or sent yet.
    pub fn new(parts: Parts) -> Self {
        let configuration = Configuration::new(&parts.registry, parts.settings);
        let inner = Inner {
            configuration: RwLock::new(Arc::new(configuration)),
            reconfigured: Notify::new(),
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
        };
        Self { inner: Arc::new(inner), pinned: None, actor: None }
    }

    /// Takes up another configuration, for whatever begins from now on. What is under way ends with the one it began with.
    ///
    /// Gives what is different. Where nothing is, nothing happens.
    pub fn reconfigure(&self, settings: Settings) -> Vec<Change> {
        let mut current = self.inner.configuration.write().unwrap_or_else(PoisonError::into_inner);
        let changes = current.settings.changes_to(&settings);
        if !changes.is_empty() {
            *current = Arc::new(current.followed_by(&self.inner.registry, settings));
            self.inner.reconfigured.notify_one();
        }
        changes
    }

    /// Ends when another configuration has been taken up since the last time somebody waited for it.
    pub(crate) async fn reconfigured(&self) {
        self.inner.reconfigured.notified().await;
    }

    /// The same host for one call, which ends with the configuration that it begins with.
    pub(crate) fn pinned(&self) -> Self {
        Self { pinned: Some(self.configuration()), ..self.clone() }
    }

    /// The same host for somebody: what is done through it goes on record as their doing. What a platform or a person at a platform brings
    /// about does not, nor what the host has to do by itself.
    #[must_use]
    pub fn on_behalf_of(&self, actor: Actor) -> Self {
        Self { actor: Some(actor), ..self.clone() }
    }

    /// Who has this done.
    pub(crate) fn actor(&self) -> Option<&Actor> {
        self.actor.as_ref()
    }

    /// What follows from the configuration now, or from that of the call under way.
    pub(crate) fn configuration(&self) -> Arc<Configuration> {
        let current = || Arc::clone(&self.inner.configuration.read().unwrap_or_else(PoisonError::into_inner));
        self.pinned.clone().unwrap_or_else(current)
    }

    /// Tells configurations of this process apart.
    pub(crate) fn revision(&self) -> u64 {
        self.configuration().revision
    }

    /// A platform that is linked and configured.
    ///
    /// # Errors
    /// A platform that is not linked, with those that are; a linked one that no configuration mentions.
    pub fn platform(&self, id: &str) -> Result<Arc<ConfiguredPlatform>> {
        if let Some(platform) = self.configuration().platforms.get(id) {
            return Ok(Arc::clone(platform));
        }
        Err(not_configured(self.inner.registry.get(id)?).into())
    }

    /// The connectors.
    pub(crate) fn registry(&self) -> &Registry {
        &self.inner.registry
    }

    /// Every platform that is linked and configured, by id.
    pub fn platforms(&self) -> Vec<Arc<ConfiguredPlatform>> {
        self.configuration().platforms.values().cloned().collect()
    }

    /// An app of a platform, ready for use.
    ///
    /// # Errors
    /// An app that is not configured, or lacks its credentials.
    pub fn app(&self, platform: &str, name: &str) -> Result<App> {
        let platform = self.platform(platform)?;
        Ok(self.inner.realm.app(&platform.linked, name, platform.settings.app(name)?)?)
    }

    /// The app that a tenant's people connect under.
    ///
    /// # Errors
    /// As [`Host::app`], and when the app is other tenants'.
    pub(crate) fn app_for(&self, tenant: &str, platform: &str, name: &str) -> Result<App> {
        let app = self.app(platform, name)?;
        if self.platform(platform)?.settings.app(name)?.is_for(tenant) {
            return Ok(app);
        }
        Err(Error::Request(format!(
            "the app `{name}` is not for the tenant `{}`: it is not among the `tenants` of [platforms.{platform}.apps.{name}]",
            tenant.escape_debug()
        )))
    }

    /// The app of a grant, as [`Host::app_at`].
    pub(crate) fn app_of(&self, grant: &GrantRecord) -> Result<App> {
        self.app_at(&grant.platform, &grant.app, &grant.client_id, &grant.base_urls)
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

    /// Whether the apps are registered at emulators.
    #[cfg(feature = "web")]
    pub(crate) fn is_emulated(&self) -> bool {
        matches!(self.inner.realm, Realm::Emulated(_))
    }

    /// Where the emulators are that stand for platforms, each with a page to open in a browser. There are none for the platforms themselves.
    #[cfg(feature = "cli")]
    pub(crate) fn emulators(&self) -> BTreeMap<&str, &Url> {
        match &self.inner.realm {
            Realm::Live => BTreeMap::new(),
            Realm::Emulated(emulators) => emulators.iter().map(|(id, info)| (id.as_str(), &info.origin)).collect(),
        }
    }

    /// The store.
    pub fn store(&self) -> &dyn Store {
        self.inner.store.as_ref()
    }

    /// Which store it is, read once.
    pub(crate) async fn store_id(&self) -> store::Result<&InstanceId> {
        self.inner.store_id.get_or_try_init(|| self.store().instance_id()).await
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
        &self.inner.cx
    }

    /// What changes the keys its tokens are sealed with, while it runs.
    pub fn rotation(&self) -> Rotation<'_> {
        Rotation::new(self.context(), self.vault(), self.store())
    }

    pub(crate) fn vault(&self) -> &Vault {
        &self.inner.vault
    }

    pub(crate) fn refreshes(&self) -> &InFlight {
        &self.inner.refreshes
    }

    pub(crate) fn spool(&self) -> Option<&Spool> {
        self.inner.spool.as_ref()
    }

    /// How many answers the store has failed to take and is tried with again. A host that is well has none.
    pub fn unsaved(&self) -> usize {
        self.inner.unsaved.load(Ordering::Relaxed)
    }

    /// Counts an answer that is not stored, until the count is dropped.
    pub(crate) fn count_unsaved(&self) -> Unsaved {
        self.inner.unsaved.fetch_add(1, Ordering::Relaxed);
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
        let done = self.inner.tasks.spawn(work).await;
        // What a panic says may hold anything, so it is not repeated.
        done.unwrap_or_else(|_| Err(Error::Machine("an inner task failed; please report it".to_owned())))
    }

    /// The same for work that nobody waits for here.
    pub(crate) fn spawn(&self, work: impl Future<Output = ()> + Send + 'static) {
        self.inner.tasks.spawn(work);
    }

    /// Waits until every piece of detached work is done. A program calls this before it exits.
    pub async fn drain(&self) {
        self.inner.tasks.close();
        self.inner.tasks.wait().await;
    }
}

/// An answer that is not stored.
#[derive(Debug)]
pub(crate) struct Unsaved(Host);

impl Drop for Unsaved {
    fn drop(&mut self) {
        self.0.inner.unsaved.fetch_sub(1, Ordering::Relaxed);
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
        f.debug_struct("Host").field("platforms", &self.configuration().platforms.keys()).finish_non_exhaustive()
    }
}
