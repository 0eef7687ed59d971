//! Platforms with their apps and abilities.

use connector_core::config::{AppSettings, PlatformSettings};
use connector_core::{Connector, Linked, PlatformId, offers};
use serde::Serialize;
use utoipa::ToSchema;

use super::texts;
use crate::apps::missing_credentials;
use crate::configuration::ConfiguredPlatform;

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
    /// What it lacks, in words: where it would be found is told to the operator alone.
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
    /// A platform as it is for `--emulator` or without it, for the operator.
    #[cfg(feature = "cli")]
    pub(crate) fn of(id: &PlatformId, linked: Option<&Linked>, settings: &PlatformSettings, emulated: bool) -> Self {
        let connector = linked.map(|linked| linked.build(settings.catalogue.clone()));
        Self::with(id, linked, connector.as_deref(), settings, emulated)
    }

    /// A platform of a host, for the operator.
    pub(crate) fn of_operator(platform: &ConfiguredPlatform, emulated: bool) -> Self {
        let ConfiguredPlatform { linked, settings, connector } = platform;
        Self::with(linked.id(), Some(linked), Some(connector.as_ref()), settings, emulated)
    }

    /// A platform of a host, for a tenant: the operator's variables and files are not named, nor apps of others.
    pub(crate) fn of_host(platform: &ConfiguredPlatform, tenant: &str, emulated: bool) -> Self {
        let ConfiguredPlatform { linked, settings, connector } = platform;
        let settings = settings.of_tenant(tenant);
        let mut data = Self::with(linked.id(), Some(linked), Some(connector.as_ref()), &settings, emulated);
        for lacks in data.apps.iter_mut().filter_map(|app| app.lacks.as_mut()) {
            "credentials".clone_into(lacks);
        }
        data
    }

    fn with(
        id: &PlatformId,
        linked: Option<&Linked>,
        connector: Option<&dyn Connector>,
        settings: &PlatformSettings,
        emulated: bool,
    ) -> Self {
        let emulator = linked.is_some_and(|linked| linked.emulator().is_some());
        let abilities = settings.catalogue.abilities().into_iter().map(|ability| OfferedData {
            offered: connector.is_some_and(|connector| offers(connector, &ability)),
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::Example;

    #[test]
    fn a_product_hears_that_an_app_lacks_something_and_the_operator_hears_what() {
        let (registry, settings) = (Example::default().registry().unwrap(), Example::default().settings().unwrap());
        let linked = registry.get("example").unwrap();
        let platform = ConfiguredPlatform::new(linked, settings.platforms[linked.id()].clone());
        let product = PlatformData::of_host(&platform, "any", false).apps.remove(0);
        assert_eq!((product.configured, product.lacks.as_deref()), (false, Some("credentials")));
        let operator = PlatformData::of(linked.id(), Some(linked), &platform.settings, false).apps.remove(0);
        assert!(operator.lacks.is_some_and(|lacks| lacks.contains("UNUSED")), "the variable is named");
        assert_eq!(
            PlatformData::of_host(&platform, "any", true).apps[0].lacks.as_deref(),
            Some("credentials"),
            "it has no emulator"
        );
    }
}
