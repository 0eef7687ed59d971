use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use url::Url;

use super::Catalogue;
use super::source::ValueSource;
use crate::app::{AppKind, Pkce, PlatformId};
use crate::scope::Wanted;
use crate::{Error, Result};

/// The platforms, apps and scopes of all layers together, checked.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Settings {
    /// What is known of each platform.
    pub platforms: BTreeMap<PlatformId, PlatformSettings>,
}

/// One platform's apps and scopes.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PlatformSettings {
    /// The scope catalogue.
    pub catalogue: Arc<Catalogue>,
    /// The apps, by name.
    pub apps: BTreeMap<String, AppSettings>,
}

/// One app. Its credentials are read when they are needed, never through the configuration library.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AppSettings {
    /// What it is registered as.
    pub kind: AppKind,
    /// Where its id is.
    pub client_id: Option<ValueSource>,
    /// Where its secret is.
    pub client_secret: Option<ValueSource>,
    /// A redirect URI the operator fixed.
    pub redirect_uri: Option<Url>,
    /// How PKCE is done, where it differs from the platform file.
    pub pkce: Option<Pkce>,
    /// What it asks for.
    pub wanted: Wanted,
    /// Whether its access tokens are always kept fresh, also while nobody needs them.
    pub keep_fresh: bool,
    /// Whose people may connect under it; `None` for everybody's.
    pub tenants: Option<BTreeSet<String>>,
}

impl AppSettings {
    /// Whether a tenant's people may connect under it.
    pub fn is_for(&self, tenant: &str) -> bool {
        self.tenants.as_ref().is_none_or(|tenants| tenants.contains(tenant))
    }
}

impl Settings {
    /// What is known of a platform.
    ///
    /// # Errors
    /// A platform no layer mentions, with those that are.
    pub fn platform(&self, id: &PlatformId) -> Result<&PlatformSettings> {
        self.platforms.get(id).ok_or_else(|| {
            let ids = self.platforms.keys().map(PlatformId::as_str).collect::<Vec<_>>().join(", ");
            Error::config(format!("the configuration has no [platforms.{id}]; it has: {ids}"))
        })
    }
}

impl PlatformSettings {
    /// The same with the apps alone that a tenant's people may connect under.
    pub fn of_tenant(&self, tenant: &str) -> Self {
        let apps = self.apps.iter().filter(|(_, app)| app.is_for(tenant));
        let apps = apps.map(|(name, app)| (name.clone(), app.clone())).collect();
        Self { catalogue: Arc::clone(&self.catalogue), apps }
    }

    /// One app.
    ///
    /// # Errors
    /// A name no layer mentions, with those that are.
    pub fn app(&self, name: &str) -> Result<&AppSettings> {
        self.apps.get(name).ok_or_else(|| {
            let names = self.apps.keys().map(String::as_str).collect::<Vec<_>>().join(", ");
            Error::config(format!(
                "the configuration has no app `{}` for this platform; it has: {names}",
                name.escape_debug()
            ))
        })
    }
}
