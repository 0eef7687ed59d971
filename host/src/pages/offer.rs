//! What can be connected.

use super::counts::title;
use super::viewer::Viewer;
use crate::data::{PlatformData, ScopeEntryData};
use crate::host::Host;

/// A platform with its apps and scopes.
#[derive(Debug)]
pub(super) struct Offer {
    pub(super) id: String,
    pub(super) name: String,
    pub(super) initial: String,
    /// What a product can do with a connection there.
    pub(super) gives: Vec<String>,
    pub(super) apps: Vec<AppOffer>,
    pub(super) scopes: Vec<ScopeOffer>,
}

/// An app that somebody can connect under.
#[derive(Debug)]
pub(super) struct AppOffer {
    pub(super) name: String,
    /// Where the form that begins it goes.
    pub(super) action: String,
    /// Why nobody can connect under it now.
    pub(super) lacks: Option<&'static str>,
}

/// A scope of the platform's catalogue.
#[derive(Debug)]
pub(super) struct ScopeOffer {
    pub(super) scope: String,
    pub(super) product: String,
    pub(super) description: String,
    /// Whether some app asks for it.
    pub(super) words: String,
}

/// The platforms that a viewer's tenant can connect accounts of.
pub(super) fn all(host: &Host, viewer: &Viewer) -> Vec<Offer> {
    let offer = |platform: &std::sync::Arc<crate::configuration::ConfiguredPlatform>| {
        let data = PlatformData::of_host(platform, &viewer.tenant, host.is_emulated());
        let settings = platform.settings.of_tenant(&viewer.tenant);
        let scopes = ScopeEntryData::all_of(platform.linked.id(), &settings);
        Offer::of(viewer, data, scopes)
    };
    host.platforms().iter().map(offer).filter(|offer| !offer.apps.is_empty()).collect()
}

impl Offer {
    fn of(viewer: &Viewer, data: PlatformData, scopes: Vec<ScopeEntryData>) -> Self {
        let PlatformData { id, name, apps, abilities, .. } = data;
        let app = |name: String, configured: bool| AppOffer {
            action: viewer.href(&format!("/platforms/{id}/{name}/connect")),
            lacks: (!configured).then_some("Its credentials are missing: the operator has to put them in."),
            name,
        };
        Self {
            initial: name.chars().next().map_or_else(String::new, |first| first.to_uppercase().collect()),
            gives: abilities
                .into_iter()
                .filter(|ability| ability.offered)
                .map(|ability| title(&ability.name))
                .collect(),
            apps: apps.into_iter().map(|data| app(data.name, data.configured)).collect(),
            scopes: scopes.into_iter().map(ScopeOffer::of).collect(),
            id,
            name,
        }
    }
}

impl ScopeOffer {
    fn of(data: ScopeEntryData) -> Self {
        let words = match (data.wanted_by.is_empty(), data.pending_for.is_empty()) {
            (false, _) => "asked for".to_owned(),
            (true, false) => "waits for the platform's approval".to_owned(),
            (true, true) => "not asked for".to_owned(),
        };
        Self { scope: data.scope, product: data.product, description: data.description, words }
    }
}
