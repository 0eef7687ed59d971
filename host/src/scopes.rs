//! How a connection stands by the configuration that is in force. It is worked out whenever somebody asks and stored nowhere, so that a
//! change of the configuration is true at once and leaves nothing to be healed.

use connector_core::scope::{Drift, GrantScopes, Wanted};
use connector_core::{AbilityStatus, PlatformId, Result, Scope, abilities};

use crate::configuration::ConfiguredPlatform;
use crate::host::Host;
use crate::layers::account_scope;
use crate::store::{Connected, ConnectionState};

impl ConfiguredPlatform {
    /// The scope without which the platform does not say whose account it is, if there is one.
    pub(crate) fn account_scope(&self) -> Option<&Scope> {
        account_scope(&self.linked, &self.settings.catalogue)
    }
}

impl Host {
    /// What the app of a connection wants of its grant. `None` where the platform is not linked, or no configuration has the app.
    pub fn drift(&self, connected: &Connected) -> Option<Drift> {
        self.with_wanted(connected, |wanted| wanted.drift(&connected.grant.scopes))
    }

    /// How a connection stands. One that is known to lack a scope that the configuration requires needs its person, although its tokens are
    /// kept and refreshed.
    pub fn state_of(&self, connected: &Connected) -> ConnectionState {
        connected.state_given(self.check_required(connected).is_err())
    }

    /// What a product can do with a connection, by name. Nothing where the platform is not linked, or no configuration has the app.
    pub fn abilities(&self, connected: &Connected) -> Vec<(String, AbilityStatus)> {
        let Connected { connection, grant } = connected;
        self.abilities_with(&connection.platform, &connection.app, &grant.scopes)
    }

    /// The same for whoever holds these scopes under an app.
    pub(crate) fn abilities_with(
        &self,
        platform: &PlatformId,
        app: &str,
        scopes: &GrantScopes,
    ) -> Vec<(String, AbilityStatus)> {
        let Ok(platform) = self.platform(platform.as_str()) else { return Vec::new() };
        let Some(app) = platform.settings.apps.get(app) else { return Vec::new() };
        let all = abilities(platform.connector.as_ref(), &platform.settings.catalogue, &app.wanted, scopes);
        all.into_iter().map(|(ability, status)| (ability.to_string(), status)).collect()
    }

    /// Makes sure that a connection is not known to lack a scope that the configuration requires.
    pub(crate) fn check_required(&self, connected: &Connected) -> Result<()> {
        self.with_wanted(connected, |wanted| wanted.check_required(&connected.grant.scopes)).unwrap_or(Ok(()))
    }

    /// Whether these scopes under an app are known to lack one that the configuration requires.
    #[cfg(feature = "web")]
    pub(crate) fn lacks_required(&self, platform: &PlatformId, app: &str, scopes: &GrantScopes) -> bool {
        let checked = self.with_wanted_of(platform, app, |wanted| wanted.check_required(scopes));
        checked.is_some_and(|checked| checked.is_err())
    }

    fn with_wanted<T>(&self, connected: &Connected, work: impl FnOnce(&Wanted) -> T) -> Option<T> {
        self.with_wanted_of(&connected.connection.platform, &connected.connection.app, work)
    }

    fn with_wanted_of<T>(&self, platform: &PlatformId, app: &str, work: impl FnOnce(&Wanted) -> T) -> Option<T> {
        let platform = self.platform(platform.as_str()).ok()?;
        Some(work(&platform.settings.apps.get(app)?.wanted))
    }
}

/// Whether a person was asked for a scope and the grant is known not to hold it.
pub(crate) fn is_refused(wanted: &Wanted, scope: &Scope, grant: &GrantScopes) -> bool {
    wanted.status(scope, grant).is_lack() && wanted.relations.hold(&grant.requested, scope)
}
