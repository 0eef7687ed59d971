//! Scopes as the catalogue of a platform has them.

use connector_core::config::{PlatformSettings, ScopeEntry};
use connector_core::scope::Wanted;
use connector_core::{PlatformId, Scope};
use serde::Serialize;
use utoipa::ToSchema;

use crate::docs::unlocked;

/// One scope of a platform's catalogue.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = CatalogueScope)]
pub(crate) struct ScopeEntryData {
    /// The platform's id.
    pub(crate) platform: String,
    /// The scope.
    pub(crate) scope: String,
    /// The platform's product that it belongs to.
    pub(crate) product: String,
    /// What it allows, in words.
    pub(crate) description: String,
    /// The metrics, profile fields and abilities it unlocks.
    pub(crate) unlocks: Vec<String>,
    /// The apps that ask for it.
    pub(crate) wanted_by: Vec<String>,
    /// The apps for which the platform has not approved it yet.
    pub(crate) pending_for: Vec<String>,
}

impl ScopeEntryData {
    /// The whole catalogue of a platform, in its order.
    pub(crate) fn all_of(id: &PlatformId, platform: &PlatformSettings) -> Vec<Self> {
        platform.catalogue.scopes.iter().map(|(scope, entry)| Self::of(id, platform, scope, entry)).collect()
    }

    fn of(id: &PlatformId, platform: &PlatformSettings, scope: &Scope, entry: &ScopeEntry) -> Self {
        Self {
            platform: id.to_string(),
            scope: scope.to_string(),
            product: entry.product.clone(),
            description: entry.description.clone(),
            unlocks: unlocked(entry),
            wanted_by: apps(platform, |wanted| wanted.requested().contains(scope)),
            pending_for: apps(platform, |wanted| wanted.pending.contains(scope)),
        }
    }
}

fn apps(platform: &PlatformSettings, is_such: impl Fn(&Wanted) -> bool) -> Vec<String> {
    platform.apps.iter().filter(|(_, app)| is_such(&app.wanted)).map(|(name, _)| name.clone()).collect()
}
