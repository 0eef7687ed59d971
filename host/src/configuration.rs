//! What follows from the configuration, as one value that is never changed: a newer one takes its place.

use std::collections::BTreeMap;
use std::sync::Arc;

use connector_core::config::{PlatformSettings, Settings};
use connector_core::{Connector, Linked, PlatformId, Registry};

use crate::layers::account_scope;

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

/// Everything that follows from the configuration.
#[derive(Debug)]
pub(crate) struct Configuration {
    pub(crate) settings: Settings,
    pub(crate) platforms: BTreeMap<PlatformId, Arc<ConfiguredPlatform>>,
    /// How many came before it in this process.
    pub(crate) revision: u64,
}

impl Configuration {
    /// The first one of a process.
    pub(crate) fn new(registry: &Registry, settings: Settings) -> Self {
        let platforms = registry.iter().filter_map(|linked| {
            let settings = settings.platforms.get(linked.id())?.clone();
            Some((linked.id().clone(), Arc::new(ConfiguredPlatform::new(linked, settings))))
        });
        Self { platforms: platforms.collect(), settings, revision: 0 }
    }

    /// The one after this. Platforms that stay as they are keep their connectors.
    pub(crate) fn followed_by(&self, registry: &Registry, settings: Settings) -> Self {
        let mut next = Self { revision: self.revision + 1, ..Self::new(registry, settings) };
        for (id, platform) in &mut next.platforms {
            if let Some(same) = self.platforms.get(id).filter(|old| old.settings == platform.settings) {
                *platform = Arc::clone(same);
            }
        }
        next
    }
}

impl ConfiguredPlatform {
    /// Without the scope of the accounts' ids nobody can be connected, so every app requires it.
    pub(crate) fn new(linked: &Linked, mut settings: PlatformSettings) -> Self {
        let by_nature = account_scope(linked, &settings.catalogue).cloned();
        for app in settings.apps.values_mut() {
            app.wanted.required.extend(by_nature.clone());
        }
        let connector = linked.build(Arc::clone(&settings.catalogue));
        Self { linked: linked.clone(), settings, connector }
    }
}
