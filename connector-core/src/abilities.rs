//! What a product can do with a connection, and what it lacks for the rest.

use crate::config::{Ability, Catalogue, Target};
use crate::scope::{GrantScopes, ScopeStatus, Wanted};
use crate::{Connector, Scope};

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
    catalogue
        .abilities()
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

/// Whether the connector's code does it.
pub fn offers(connector: &dyn Connector, ability: &Ability) -> bool {
    *ability == Ability::account_metrics() && connector.account_metrics().is_some()
}

/// A field of an endpoint, and how the scope that unlocks it stands with a grant.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FieldStatus<'a> {
    /// The scope.
    pub scope: &'a Scope,
    /// The field, as the platform calls it.
    pub field: &'a str,
    /// Where its value goes.
    pub target: &'a Target,
    /// How the scope stands.
    pub status: ScopeStatus,
}

/// Every field that the catalogue knows at an endpoint, and whether a call under a grant may ask for it, in the order of the catalogue.
pub fn fields<'a>(
    catalogue: &'a Catalogue,
    endpoint: &'a str,
    wanted: &'a Wanted,
    grant: &'a GrantScopes,
) -> impl Iterator<Item = FieldStatus<'a>> {
    catalogue.fields(endpoint).map(|(scope, field, target)| {
        let status = wanted.status(scope, grant);
        FieldStatus { scope, field, target, status }
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::{Config, Layer};
    use crate::scope::{Granted, GrantedSource, split_scopes};
    use crate::testing::{FakeConnector, MockAccountMetrics};

    const CONFIG: &str = r#"
[platforms.lantern.apps.default]
kind = "desktop"
scopes = ["stats", "stats.more", "list"]

[platforms.lantern.scopes.stats]
product = "p"
description = "d"
implied_by = ["everything"]
fields.me = { stars = "metric.followers" }

[platforms.lantern.scopes."stats.more"]
product = "p"
description = "d"
fields.me = { views = "metric.views" }

[platforms.lantern.scopes.list]
product = "p"
description = "d"
abilities = ["content.list"]

[platforms.lantern.scopes.everything]
product = "p"
description = "d"
"#;

    /// How each ability stands for a connector that reads counts, with what was granted.
    fn standing(granted: &str) -> Vec<(String, AbilityStatus)> {
        let config = Config::of(vec![Layer::embedded("test", CONFIG).unwrap()]).unwrap();
        let platform = config.settings.platform(&"lantern".parse().unwrap()).unwrap();
        let connector = FakeConnector { account_metrics: Some(MockAccountMetrics::new()), ..FakeConnector::default() };
        let granted = Granted::Known { scopes: split_scopes(granted), source: GrantedSource::Token };
        let grant = GrantScopes::of_flow(split_scopes("stats stats.more list"), granted);
        let wanted = &platform.app("default").unwrap().wanted;
        let all = abilities(&connector, &platform.catalogue, wanted, &grant);
        all.into_iter().map(|(ability, status)| (ability.to_string(), status)).collect()
    }

    #[test]
    fn any_scope_that_unlocks_an_ability_is_enough_and_what_the_code_lacks_no_scope_brings() {
        let listing = ("content.list".to_owned(), AbilityStatus::NotOffered);
        let metrics = |status| vec![("account.metrics".to_owned(), status), listing.clone()];
        let needs = ["stats", "stats.more"].map(|scope| scope.parse().unwrap()).to_vec();
        assert_eq!(standing("list"), metrics(AbilityStatus::NeedsScopes(needs)));
        for granted in ["stats", "stats.more", "everything", "list stats"] {
            assert_eq!(standing(granted), metrics(AbilityStatus::Available), "{granted}");
        }
    }
}
