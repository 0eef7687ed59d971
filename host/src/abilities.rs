//! What a product can do with a connection, and what it lacks for the rest.

use connector_core::config::{Ability, Catalogue};
use connector_core::scope::{GrantScopes, Wanted};
use connector_core::{Connector, Scope};

/// How an ability stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum AbilityStatus {
    /// It can be used.
    Available,
    /// Any one of these scopes would unlock it.
    NeedsScopes(Vec<Scope>),
    /// This version of the connector does not do it, whatever the scopes.
    NotOffered,
}

/// Every ability that the catalogue knows for a platform, and how it stands with a grant.
pub fn abilities(
    connector: &dyn Connector,
    catalogue: &Catalogue,
    wanted: &Wanted,
    grant: &GrantScopes,
) -> Vec<(Ability, AbilityStatus)> {
    known(catalogue)
        .into_iter()
        .map(|ability| {
            let scopes: Vec<Scope> = catalogue.unlocking(&ability).cloned().collect();
            let status = if !offers(connector, &ability) {
                AbilityStatus::NotOffered
            } else if scopes.iter().any(|scope| wanted.status(scope, grant).is_usable()) {
                AbilityStatus::Available
            } else {
                AbilityStatus::NeedsScopes(scopes)
            };
            (ability, status)
        })
        .collect()
}

/// The abilities that some scope of the catalogue unlocks.
pub(crate) fn known(catalogue: &Catalogue) -> Vec<Ability> {
    connector_core::config::ABILITIES
        .iter()
        .filter_map(|(name, _)| name.parse::<Ability>().ok())
        .filter(|ability| catalogue.unlocking(ability).next().is_some())
        .collect()
}

/// Whether the connector's code does it.
pub(crate) fn offers(connector: &dyn Connector, ability: &Ability) -> bool {
    *ability == Ability::account_metrics() && connector.account_metrics().is_some()
}
