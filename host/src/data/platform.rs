//! Platforms with their apps, and scopes as the catalogue has them.

use connector_core::config::{AppSettings, PlatformSettings, ScopeEntry};
use connector_core::scope::Wanted;
use connector_core::{Linked, PlatformId, Scope, offers};
use serde::Serialize;
use utoipa::ToSchema;

use super::texts;
use crate::apps::missing_credentials;
use crate::docs::unlocked;

/// A platform, linked or configured or both.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Platform)]
pub(crate) struct PlatformData {
    /// Its id.
    pub(crate) id: String,
    /// Its name, for people.
    pub(crate) name: String,
    /// Whether a connector is linked into this program.
    pub(crate) linked: bool,
    /// Whether its connector has an emulator.
    pub(crate) emulator: bool,
    /// The apps that the operator has registered there.
    pub(crate) apps: Vec<AppData>,
    /// What a product can do with a connection.
    pub(crate) abilities: Vec<OfferedData>,
}

/// One registration at a platform.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = App)]
pub(crate) struct AppData {
    /// The operator's name for it.
    pub(crate) name: String,
    /// `web` or `desktop`.
    pub(crate) kind: &'static str,
    /// Whether it has its credentials.
    pub(crate) configured: bool,
    /// What it lacks, in words.
    pub(crate) lacks: Option<String>,
    /// Whether the credentials are the emulator's.
    #[cfg(feature = "cli")]
    #[serde(skip)]
    pub(crate) emulated: bool,
    /// The scopes of its list.
    pub(crate) scopes: Vec<String>,
    /// Those of them that the platform has not approved yet, which are never asked for.
    pub(crate) pending: Vec<String>,
    /// Those without which a connection needs its person.
    pub(crate) required: Vec<String>,
}

/// An ability as the catalogue has it.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = OfferedAbility)]
pub(crate) struct OfferedData {
    /// Its name.
    pub(crate) name: String,
    /// Whether this version of the connector does it.
    pub(crate) offered: bool,
    /// Any one of these unlocks it.
    pub(crate) scopes: Vec<String>,
}

impl PlatformData {
    /// A platform as it is for `--emulator` or without it.
    pub(crate) fn of(id: &PlatformId, linked: Option<&Linked>, settings: &PlatformSettings, emulated: bool) -> Self {
        let emulator = linked.is_some_and(|linked| linked.emulator().is_some());
        let connector = linked.map(|linked| linked.build(settings.catalogue.clone()));
        let abilities = settings.catalogue.abilities().into_iter().map(|ability| OfferedData {
            offered: connector.as_ref().is_some_and(|connector| offers(connector.as_ref(), &ability)),
            scopes: texts(settings.catalogue.unlocking(&ability)),
            name: ability.to_string(),
        });
        Self {
            id: id.to_string(),
            name: linked.map_or_else(|| id.to_string(), |linked| linked.name().to_owned()),
            linked: linked.is_some(),
            emulator,
            apps: settings.apps.iter().map(|(name, app)| AppData::of(name, app, emulated && emulator)).collect(),
            abilities: abilities.collect(),
        }
    }
}

impl AppData {
    fn of(name: &str, app: &AppSettings, emulated: bool) -> Self {
        let lacks = if emulated { None } else { missing_credentials(app) };
        Self {
            name: name.to_owned(),
            kind: app.kind.as_str(),
            configured: lacks.is_none(),
            lacks,
            #[cfg(feature = "cli")]
            emulated,
            scopes: texts(&app.wanted.scopes),
            pending: texts(&app.wanted.pending),
            required: texts(&app.wanted.required),
        }
    }
}

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
